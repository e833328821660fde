#include "completion.h"

#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "dynamics/methods.h"
#include "dynamics/systems.h"

namespace filigree::cli {
namespace {

/// Words that may follow a command: its subcommands, else its options.
void append_cases(const CLI::App& app, const std::string& path, std::string& out) {
  std::vector<std::string> words;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(child->get_name());
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  out += fmt::format("    '{}') words='{}' ;;\n", path, text::join(words, " "));
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    append_cases(*child, path + " " + child->get_name(), out);
  }
}

/// Every command, as the script compares the words typed so far.
void append_paths(const CLI::App& app, const std::string& path, std::vector<std::string>& paths) {
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string deeper = path + " " + child->get_name();
    paths.push_back(deeper);
    append_paths(*child, deeper, paths);
  }
}

std::string system_names() {
  std::vector<std::string> names;
  for (const dynamics::System& system : dynamics::all_systems()) names.push_back(system.name);
  return text::join(names, " ");
}

std::string recipes(std::string_view kind) { return text::join(recipe_names(kind), " "); }

}  // namespace

std::string bash_completion(const CLI::App& app) {
  std::string cases;
  append_cases(app, app.get_name(), cases);
  std::vector<std::string> paths;
  append_paths(app, app.get_name(), paths);
  return fmt::format(R"(# bash completion for filigree
_filigree() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command={0} word words i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${{COMP_WORDS[i]}}
    case "$command $word" in
    {1}) command="$command $word" ;;
    esac
  done
  case "$previous" in
    -m | --model) COMPREPLY=($(compgen -W '{2}' -- "$current") $(compgen -f -- "$current")); return ;;
    -c | --cluster) COMPREPLY=($(compgen -W '{3}' -- "$current") $(compgen -f -- "$current")); return ;;
    -s | --system) COMPREPLY=($(compgen -W '{5}' -- "$current")); return ;;
    --method | --methods) COMPREPLY=($(compgen -W '{6} auto all' -- "$current")); return ;;
    --load) COMPREPLY=($(compgen -W 'balanced uniform zipf: dirichlet: trace:' -- "$current")); return ;;
  esac
  case "$command" in
{4}  esac
  if [[ $current == -* || $words != --* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -o filenames -F _filigree {0}
)",
                     app.get_name(), "'" + text::join(paths, "' | '") + "'", recipes("models"), recipes("clusters"),
                     cases, system_names(), text::join(dynamics::method_names(), " "));
}

}  // namespace filigree::cli
