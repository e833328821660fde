#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/plot.h"
#include "commands.h"
#include "frame.h"
#include "plan/calibration_report.h"
#include "plan_inputs.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string measurements, cluster, output, plot;
  bool json = false;
  plan::CalibrateOptions calibrate;
};

void run(const Options& options) {
  const plan::OperatorTimings timings = plan::read_operator_timings(options.measurements);
  const std::string start =
      options.cluster.empty() ? plan::nearest_cluster(timings, recipe_names("clusters")) : options.cluster;
  const plan::Calibration calibration = plan::calibrate(read_cluster(start), timings, options.calibrate);
  if (!options.output.empty()) {
    write_file(options.output, to_text(to_json(calibration.cluster)));
    report_written(options.output);
  }
  if (!options.plot.empty()) {
    render(plan::calibration_plot(calibration), options.plot);
    report_written(options.plot);
  }
  Output to_screen;
  if (options.json) return emit(to_screen, plan::calibration_json(calibration));
  emit(to_screen, fmt::format("{} rows of {}, starting from {}\n\n", timings.rows.size(), timings.where, start) +
                      plan::calibration_text(calibration));
}

}  // namespace

void setup_plan_calibrate(CLI::App& plan) {
  CLI::App* command = add_command(
      plan, {"calibrate", "Fit a cluster file's efficiencies to operators measured on the machine.",
             "filigree plan calibrate --measurements operators.csv --holdout 0.2 --output my-cluster.json"});
  const auto options = std::make_shared<Options>();
  command
      ->add_option("--measurements", options->measurements,
                   "operator timings, as tools/measure_operators.py writes them")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("-c,--cluster", options->cluster,
                   "where to start from, and what is not measured; without it the recipe named like the device")
      ->type_name("CLUSTER");
  command->add_option("--holdout", options->calibrate.holdout, "share of the rows kept from the fit, to judge it by")
      ->check(CLI::Range(0.0, 0.9))
      ->type_name("SHARE")
      ->capture_default_str();
  command
      ->add_option("--sustained", options->calibrate.sustained,
                   "multiply the fitted max of matrix products: long runs are slower than measured bursts where power "
                   "limits (H100: 0.94)")
      ->check(CLI::Range(0.1, 1.0))
      ->type_name("FACTOR")
      ->capture_default_str();
  command->add_option("--seed", options->calibrate.seed, "seed of the choice of rows held out")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--json", options->json, "print errors and figures as JSON, for scripts");
  command->add_option("-o,--output", options->output, "write the cluster file with the fitted figures")
      ->type_name("FILE");
  add_picture(*command, "--plot", options->plot, "draw computed over measured times (.png or .svg)");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
