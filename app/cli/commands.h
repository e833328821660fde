#pragma once

#include <CLI/CLI.hpp>

/// Every command of the program. Each is one file cmd_<name>.cpp: an options struct, this function, which hangs the
/// command into the tree, and a run that calls the library.
namespace filigree::cli {

void setup_version(CLI::App& app);
void setup_completion(CLI::App& app);

/// `filigree plan` and the commands below it.
void setup_plan(CLI::App& app);
void setup_plan_estimate(CLI::App& plan);
void setup_plan_search(CLI::App& plan);
void setup_plan_explain(CLI::App& plan);
void setup_plan_ablate(CLI::App& plan);
void setup_plan_validate(CLI::App& plan);
void setup_plan_calibrate(CLI::App& plan);
void setup_plan_compare(CLI::App& plan);
void setup_plan_demo(CLI::App& plan);

/// `filigree demo`: all parts below on one page.
void setup_demo(CLI::App& app);

/// `filigree bench` and the commands below it.
void setup_bench(CLI::App& app);
void setup_bench_dynamics(CLI::App& bench);

/// `filigree lm` and the commands below it.
void setup_lm(CLI::App& app);
void setup_lm_tokenize(CLI::App& lm);
void setup_lm_torch(CLI::App& lm);

/// `filigree dynamics` and the commands below it.
void setup_dynamics(CLI::App& app);
void setup_dynamics_systems(CLI::App& dynamics);
void setup_dynamics_methods(CLI::App& dynamics);
void setup_dynamics_simulate(CLI::App& dynamics);
void setup_dynamics_fit(CLI::App& dynamics);
void setup_dynamics_forecast(CLI::App& dynamics);
void setup_dynamics_compare(CLI::App& dynamics);
void setup_dynamics_demo(CLI::App& dynamics);
void setup_dynamics_export(CLI::App& dynamics);

}  // namespace filigree::cli
