#include "frame.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace filigree::cli {
namespace {

/// The command that the words reached: the deepest one that was parsed.
const CLI::App* reached(const CLI::App& app) {
  const CLI::App* at = &app;
  while (true) {
    const std::vector<CLI::App*> parsed = at->get_subcommands();
    if (parsed.empty()) return at;
    at = parsed.front();
  }
}

/// "plan estimate"; "" for the program itself.
std::string command_path(const CLI::App* app) {
  std::string path;
  for (; app->get_parent() != nullptr; app = app->get_parent()) {
    path = path.empty() ? app->get_name() : app->get_name() + " " + path;
  }
  return path;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(child->get_name());
  }
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// One sentence about a command line that CLI11 refuses.
std::string usage_sentence(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* at = reached(app);
  const std::string path = command_path(at);
  const std::string place = path.empty() ? "filigree" : "filigree: " + path;
  const std::string help = fmt::format("see filigree {}{}--help", path, path.empty() ? "" : " ");
  const std::vector<std::string> commands = command_names(*at);
  const std::vector<std::string> extras = at->remaining();
  if (!extras.empty()) {
    const std::string word = extras.front().substr(0, extras.front().find('='));
    if (word.starts_with("-")) {
      return fmt::format("{}: unknown option '{}'{}; {}", place, word, text::did_you_mean(word, option_names(*at)),
                         help);
    }
    if (!commands.empty()) {
      return fmt::format("{}: unknown command '{}'{} (commands: {})", place, word, text::did_you_mean(word, commands),
                         text::join(commands, ", "));
    }
    return fmt::format("{}: '{}' is one word too many; {}", place, word, help);
  }
  if (!commands.empty())
    return fmt::format("{}: a command is missing ({}); {}", place, text::join(commands, ", "), help);
  const std::string what = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return fmt::format("{}: {} needs a value; {}", place, what.substr(0, what.find(':')), help);
  }
  return fmt::format("{}: {}; {}", place, what, help);
}

/// Messages stay on one line, whatever names they quote.
int complain(const std::string& sentence, int code) {
  std::string line = sentence;
  std::replace(line.begin(), line.end(), '\n', ' ');
  fmt::print(stderr, "{}\n", line);
  return code;
}

}  // namespace

bool Output::as_json() const { return json || text::lower(file).ends_with(".json"); }

void add_output(CLI::App& command, Output& output) {
  command.add_flag("--json", output.json, "print JSON, for scripts");
  command.add_option("-o,--output", output.file, "write the result to this file (name.json: as JSON)")
      ->type_name("FILE");
}

void report_written(const std::filesystem::path& path) { fmt::print(stderr, "wrote {}\n", path.string()); }

void emit(const Output& output, const std::string& text) {
  if (!output.file.empty()) {
    write_file(output.file, text);
    report_written(output.file);
    return;
  }
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    fail("the result cannot be written to standard output");
  }
}

void emit(const Output& output, const Json& json) { emit(output, to_text(json)); }

CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  const auto check = [low, high](const std::string& word) {
    const auto number = text::parse_int(word);
    if (number && *number >= low && *number <= high) return std::string();
    return fmt::format("takes a whole number from {} to {}, not '{}'", text::with_thousands(low),
                       text::with_thousands(high), word);
  };
  return {check, ""};  // no name, so that help shows only the option's own
}

void add_threads(CLI::App& command, int& threads) {
  threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  command.add_option("--threads", threads, "threads that work, by default as many as cores")
      ->check(whole_number(1, 4096))
      ->type_name("N");
}

void add_picture(CLI::App& command, const std::string& flag, std::string& path, const std::string& help) {
  const auto known_ending = [](const std::string& file) {
    const std::string low = text::lower(file);
    if (low.ends_with(".png") || low.ends_with(".svg")) return std::string();
    return fmt::format("takes a name that ends in .png or .svg, not '{}'", file);
  };
  command.add_option(flag, path, help)->check(CLI::Validator(known_ending, ""))->type_name("FILE");
}

CLI::App* add_command(CLI::App& parent, const CommandText& text) {
  CLI::App* command = parent.add_subcommand(text.name, text.description);
  command->footer(text.example.empty() ? std::string() : "Example:\n  " + text.example);
  return command;
}

int run_program(CLI::App& app, int argc, const char* const* argv) {
  install_cancel_handler();
  try {
    app.parse(argc, argv);
    return cancelled() ? kInterrupted : kSuccess;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return complain(usage_sentence(app, error), kUsage);
  } catch (const UsageError& error) {
    return complain(fmt::format("filigree: {}", error.what()), kUsage);
  } catch (const Error& error) {
    return complain(fmt::format("filigree: {}", error.what()), kFailure);
  } catch (const std::bad_alloc&) {
    return complain("filigree: there is not enough memory for this", kFailure);
  } catch (const std::exception& error) {
    return complain(fmt::format("filigree: internal error, please report it: {}", error.what()), kFailure);
  }
}

}  // namespace filigree::cli
