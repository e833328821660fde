#include "commands.h"
#include "frame.h"

namespace filigree::cli {

void setup_dynamics(CLI::App& app) {
  CLI::App* dynamics = add_command(app, {"dynamics", "Learn a dynamical system from samples, and forecast it.",
                                         "filigree dynamics compare --system lorenz --methods all"});
  dynamics->require_subcommand(1);
  setup_dynamics_systems(*dynamics);
  setup_dynamics_methods(*dynamics);
  setup_dynamics_simulate(*dynamics);
  setup_dynamics_fit(*dynamics);
  setup_dynamics_forecast(*dynamics);
  setup_dynamics_compare(*dynamics);
  setup_dynamics_export(*dynamics);
  setup_dynamics_demo(*dynamics);
}

}  // namespace filigree::cli
