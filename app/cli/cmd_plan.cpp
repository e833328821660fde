#include "commands.h"
#include "frame.h"

namespace filigree::cli {

void setup_plan(CLI::App& app) {
  CLI::App* plan =
      add_command(app, {"plan", "Plan a big training run: what a layout costs, and which is best.",
                        "filigree plan estimate --model pangu-ultra-moe --cluster ascend-910b --devices 6144 "
                        "--layout tp=8,pp=16,vpp=2,ep=4,mbs=2"});
  plan->require_subcommand(1);
  setup_plan_estimate(*plan);
  setup_plan_search(*plan);
  setup_plan_explain(*plan);
  setup_plan_ablate(*plan);
  setup_plan_validate(*plan);
  setup_plan_calibrate(*plan);
  setup_plan_compare(*plan);
  setup_plan_demo(*plan);
}

}  // namespace filigree::cli
