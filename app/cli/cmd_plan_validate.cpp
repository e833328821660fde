#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "base/plot.h"
#include "commands.h"
#include "frame.h"
#include "plan/ablate.h"
#include "plan/measured.h"
#include "plan/validation.h"

namespace filigree::cli {
namespace {

/// The paper's two figures against ours, from the run that `plan ablate` shows.
std::vector<plan::Headline> paper_headlines() {
  plan::AblationRun run = plan::load_ablation(find_recipe("runs", "pangu-ablation"));
  run.variations.clear();
  return plan::headlines(plan::ablate(run));
}

struct Options {
  std::string data, plot;
  bool rows = false;
  Output output;
};

void run(const Options& options) {
  const bool shipped = options.data.empty();
  const std::filesystem::path folder = shipped ? recipes_folder() / "measured" : std::filesystem::path(options.data);
  plan::Validation validation;
  for (const plan::MeasuredSet& set : plan::load_measured(folder)) validation.sets.push_back(plan::validate(set));
  if (shipped) validation.headlines = paper_headlines();
  if (!options.plot.empty()) {
    render(plan::validation_plot(validation), options.plot);
    report_written(options.plot);
  }
  if (options.output.as_json()) return emit(options.output, plan::validation_json(validation));
  emit(options.output, plan::validation_text(validation, options.rows));
}

}  // namespace

void setup_plan_validate(CLI::App& plan) {
  CLI::App* command = add_command(plan, {"validate", "Compare the planner with published measurements.",
                                         "filigree plan validate --plot measured.png"});
  const auto options = std::make_shared<Options>();
  command
      ->add_option("--data", options->data, "a folder with files named and built as in recipes/measured, the default")
      ->type_name("DIR");
  command->add_flag("--rows", options->rows, "list every row: measured, computed, difference");
  add_picture(*command, "--plot", options->plot, "draw computed against measured times (.png or .svg)");
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
