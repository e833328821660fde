#include <memory>

#include "base/plot.h"
#include "commands.h"
#include "frame.h"
#include "plan/report.h"
#include "plan/trace_export.h"
#include "plan_inputs.h"

namespace filigree::cli {
namespace {

struct Options {
  PlanInputs inputs;
  std::string layout;
  std::string trace, plot;
  Output output;
};

void run(const Options& options) {
  const Subject subject(options.inputs);
  const bool events = !options.trace.empty() || !options.plot.empty();
  const plan::Estimate estimate =
      subject.estimate(options.layout, events ? plan::Detail::events : plan::Detail::timeline);
  const plan::TimelineView view = plan::timeline_view(estimate, subject.title(estimate));
  if (!options.trace.empty()) {
    plan::to_trace(estimate.timeline, view).write(options.trace);
    report_written(options.trace);
  }
  if (!options.plot.empty()) {
    render(plan::to_gantt(estimate.timeline, view), options.plot);
    report_written(options.plot);
  }
  if (options.output.as_json()) {
    Json json;
    json["model"] = subject.model_name();
    json["cluster"] = subject.cluster().name;
    json["load"] = options.inputs.load;
    json.update(plan::estimate_json(estimate, subject.cluster()));
    return emit(options.output, json);
  }
  emit(options.output, subject.title(estimate) + "\n\n" + plan::estimate_text(estimate, subject.cluster()));
}

}  // namespace

void setup_plan_estimate(CLI::App& plan) {
  CLI::App* command =
      add_command(plan, {"estimate", "Estimate one training step: time, rate, MFU, memory, and what limits it.",
                         "filigree plan estimate --model deepseekv3 --cluster h100 --devices 1024 \\\n"
                         "      --layout tp=2,pp=8,vpp=4,ep=64,gbs=8192,overlap=gradients+experts --plot step.png"});
  const auto options = std::make_shared<Options>();
  add_plan_inputs(*command, options->inputs);
  command
      ->add_option("-l,--layout", options->layout, "a layout file, or inline: tp=8,pp=16,vpp=2,ep=4,mbs=2,gbs=…,seq=…")
      ->required()
      ->type_name("LAYOUT");
  command->add_option("--trace", options->trace, "write the timeline for Perfetto (ui.perfetto.dev)")
      ->type_name("FILE");
  add_picture(*command, "--plot", options->plot, "draw the timeline and the memory over time (.png or .svg)");
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
