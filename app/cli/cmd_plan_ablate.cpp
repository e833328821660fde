#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/overrides.h"
#include "base/plot.h"
#include "commands.h"
#include "frame.h"
#include "plan/ablate.h"
#include "plan_inputs.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string run = "pangu-ablation";
  std::string model, cluster, load, layout, plot;
  std::int64_t devices = 0;
  Output output;
};

/// The file's run with what the command line overrules.
plan::AblationRun read_run(const Options& options) {
  plan::AblationRun run = plan::load_ablation(find_words("runs", options.run));
  if (!options.model.empty()) run.model = find_words("models", options.model);
  if (!options.cluster.empty()) run.cluster = find_words("clusters", options.cluster);
  if (!options.load.empty()) {
    PlanInputs words;
    words.load = options.load;
    read_load(words);  // refuses unknown words as wrong usage
    run.load = options.load;
  }
  if (options.devices > 0) run.devices = options.devices;
  read_layout(options.layout);  // refuses unknown keys as wrong usage
  for (const auto& [key, value] : parse_pairs(options.layout, "layout")) run.layout[key] = value;
  return run;
}

void run(const Options& options) {
  TerminalProgress progress(stderr);
  const plan::Ablation ablation = plan::ablate(read_run(options), &progress);
  if (!options.plot.empty()) {
    render(plan::ablation_plot(ablation), options.plot);
    report_written(options.plot);
  }
  if (options.output.as_json()) return emit(options.output, plan::ablation_json(ablation));
  emit(options.output, plan::ablation_text(ablation));
}

}  // namespace

void setup_plan_ablate(CLI::App& plan) {
  CLI::App* command =
      add_command(plan, {"ablate", "Switch optimisations on one after another and show each one's gain.",
                         "filigree plan ablate --devices 4096 --layout seq=8192 --plot gains.png"});
  const auto options = std::make_shared<Options>();
  command->add_option("RUN", options->run, "baseline and switches: a recipe of runs or a file (default pangu-ablation)")
      ->type_name("");
  command->add_option("-m,--model", options->model, "in place of the run's model")->type_name("MODEL");
  command->add_option("-c,--cluster", options->cluster, "in place of the run's cluster")->type_name("CLUSTER");
  command->add_option("-n,--devices", options->devices, "in place of the run's devices")
      ->check(whole_number(1, std::int64_t{1} << 24))
      ->type_name("N");
  command->add_option("--load", options->load, "in place of the run's load of experts")->type_name("LOAD");
  command->add_option("-l,--layout", options->layout, "keys of the baseline in place of the run's: seq=8192,gbs=…")
      ->type_name("LAYOUT");
  add_picture(*command, "--plot", options->plot, "draw the gains as a waterfall (.png or .svg)");
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
