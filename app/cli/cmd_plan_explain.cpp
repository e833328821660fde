#include <memory>
#include <utility>

#include "base/plot.h"
#include "commands.h"
#include "frame.h"
#include "plan/explain.h"
#include "plan_inputs.h"

namespace filigree::cli {
namespace {

struct Options {
  PlanInputs inputs;
  std::string a, b;
  std::string plot;
  Output output;
};

void run(const Options& options) {
  const Subject subject(options.inputs);
  plan::Estimate a = subject.estimate(options.a, plan::Detail::timeline);
  plan::Estimate b = subject.estimate(options.b, plan::Detail::timeline);
  const plan::Explanation explanation = plan::explain(std::move(a), std::move(b));
  if (!options.plot.empty()) {
    render(plan::explain_plot(explanation), options.plot);
    report_written(options.plot);
  }
  if (options.output.as_json()) return emit(options.output, plan::explain_json(explanation));
  emit(options.output, plan::explain_text(explanation));
}

}  // namespace

void setup_plan_explain(CLI::App& plan) {
  CLI::App* command = add_command(plan, {"explain", "Explain why one layout is faster than another, term by term.",
                                         "filigree plan explain tp=8,pp=4,gbs=512 tp=4,pp=8,gbs=512 \\\n"
                                         "      --model llama3-70b --cluster h100 --devices 64 --plot difference.png"});
  const auto options = std::make_shared<Options>();
  command->add_option("A", options->a, "a layout: a file, or inline text")->required()->type_name("");
  command->add_option("B", options->b, "another layout")->required()->type_name("");
  add_plan_inputs(*command, options->inputs);
  add_picture(*command, "--plot", options->plot, "draw the terms from A's step to B's (.png or .svg)");
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
