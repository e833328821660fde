#include <memory>

#include "commands.h"
#include "frame.h"
#include "plan/compare.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string run;
  Output output;
};

void run(const Options& options) {
  const plan::Comparison comparison = plan::compare_run(options.run);
  if (options.output.as_json()) return emit(options.output, plan::comparison_json(comparison));
  emit(options.output, plan::comparison_text(comparison));
}

}  // namespace

void setup_plan_compare(CLI::App& plan) {
  CLI::App* command = add_command(
      plan, {"compare", "Predicted against measured step time of a training run.", "filigree plan compare run"});
  const auto options = std::make_shared<Options>();
  command->add_option("run", options->run, "folder of the run, as training makes it")->required()->type_name("RUN");
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
