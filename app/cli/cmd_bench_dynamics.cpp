#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "commands.h"
#include "dynamics/bench.h"
#include "frame.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string parts = "all", data;
  int threads = 1, seeds = 3;
  bool quick = false, markdown = false;
  Output output;
};

std::vector<dynamics::BenchKind> wanted_parts(const std::string& words) {
  if (text::lower(words) == "all") return dynamics::bench_kinds();
  std::vector<dynamics::BenchKind> kinds;
  try {
    for (const std::string& word : text::split(words, ',')) {
      kinds.push_back(dynamics::find_bench_kind(text::lower(text::trim(word))));
    }
  } catch (const Error& error) {
    throw UsageError(fmt::format("--parts: {}", error.what()));
  }
  return kinds;
}

std::string heading(const Options& options) {
  std::string text =
      fmt::format("filigree bench dynamics, {} thread{}", options.threads, options.threads > 1 ? "s" : "");
  if (options.quick) text += "; --quick: fewer systems, samples and steps, so no figure here is one to quote";
  return text + "\n\n";
}

/// The parts as they come, then all targets. What is printed to a file comes at the end, whole.
void run(const Options& options) {
  const std::vector<dynamics::BenchKind> kinds = wanted_parts(options.parts);
  dynamics::BenchSettings settings;
  settings.data = options.data.empty() ? recipes_folder() / "dynamics" : std::filesystem::path(options.data);
  settings.threads = options.threads;
  settings.seeds = options.seeds;
  settings.quick = options.quick;
  TerminalProgress progress(stderr);
  settings.progress = &progress;
  const bool at_once = options.output.as_json() || !options.output.file.empty();
  std::string all = heading(options);
  if (!at_once) emit({}, all);
  std::vector<dynamics::BenchPart> parts;
  for (const dynamics::BenchKind& kind : kinds) {
    dynamics::BenchPart part = dynamics::run_bench(kind, settings);
    if (cancelled()) break;  // what a stopped part has is no figure
    const std::string text = (options.markdown ? dynamics::bench_markdown(part) : dynamics::bench_text(part)) + "\n";
    if (!at_once) emit({}, text);
    all += text;
    parts.push_back(std::move(part));
  }
  if (options.output.as_json()) {
    Json json;
    json["threads"] = options.threads;
    json["quick"] = options.quick;
    json["parts"] = Json::array();
    for (const dynamics::BenchPart& part : parts) json["parts"].push_back(dynamics::bench_json(part));
    return emit(options.output, json);
  }
  const Table targets = dynamics::target_table(parts);
  std::string text;
  if (targets.num_rows() > 0) text = options.markdown ? targets.markdown() : targets.text();
  emit(options.output, at_once ? all + text : text);
}

}  // namespace

void setup_bench_dynamics(CLI::App& bench) {
  CLI::App* command = add_command(
      bench, {"dynamics", "Forecasts, structured networks and speeds against what was published and aimed at.",
              "filigree bench dynamics --parts structure,speed"});
  const auto options = std::make_shared<Options>();
  std::vector<std::string> names;
  for (const dynamics::BenchKind& kind : dynamics::bench_kinds()) {
    names.push_back(fmt::format("{} ({})", kind.name, kind.description));
  }
  command
      ->add_option("--parts", options->parts,
                   "all (some 25 minutes on two cores), or some of: " + text::join(names, ", "))
      ->type_name("A,B")
      ->capture_default_str();
  command->add_option("--data", options->data, "folder of the published data, in place of recipes/dynamics")
      ->type_name("DIR");
  command->add_option("--seeds", options->seeds, "how many seeds, where training is random")
      ->check(whole_number(1, 100))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--quick", options->quick, "a look at everything in a minute or two; no figure to quote");
  command->add_flag("--markdown", options->markdown, "tables in Markdown");
  add_threads(*command, options->threads);
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
