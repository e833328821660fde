#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/plot.h"
#include "base/progress.h"
#include "base/table.h"
#include "dynamics/model.h"
#include "dynamics/simulate.h"

/// Several methods fitted to the same samples and tested on the same others.
namespace filigree::dynamics {

/// What is learned from and what is forecast.
struct Experiment {
  std::string title;  ///< "lorenz", or the name of a file
  Dataset train, test;

  /// Forecasts begin at this sample of a test run or later; what is before may be looked at as history.
  Eigen::Index begin = 1;

  std::optional<double> lyapunov = {};  ///< largest exponent, where it is known and positive
  Eigen::Index longest = 0;             ///< samples of the longest roll-out; at least 1
};

/// One run: its end is forecast, with what is before as history. Several runs: the last of them are kept whole, and a
/// quarter of each (at most 100 samples) is history. `share` of the samples or runs is for the test.
/// Error where that leaves too little on one side.
Experiment split_data(const Dataset& data, double share, std::string title);

/// Runs of a named system. Where its exponent is known, the test part goes on for 80 Lyapunov times and roll-outs are 40
/// long; the first sample comes after 10 Lyapunov times unless the options say another warm-up. Otherwise options.runs
/// runs more than a quarter again are made, and the surplus is the test.
Experiment simulate_experiment(const System& system, const SimulateOptions& options);

struct CompareOptions {
  std::vector<std::string> methods = {};    ///< by name; empty for all
  std::vector<std::int64_t> horizons = {};  ///< in samples; empty: 1, 5 and 10 Lyapunov times, or 10, 100 and longest
  std::int64_t windows = 20;                ///< roll-outs
  double limit = 0.5;                       ///< a forecast is valid while its error is below this part of the spread
  std::int64_t seed = 0;
  std::map<std::string, Json> options = {};  ///< by method, in place of its defaults
  ProgressSink* progress = nullptr;
};

/// One method. Errors are in standard deviations of each coordinate over the training samples, so that 1 is about what
/// the mean as forecast would have.
struct ComparedMethod {
  std::string name;
  std::string reason;  ///< why there are no forecasts; "" where all is well
  Cost cost;
  double training_seconds = 0;
  double step_nanoseconds = 0;  ///< mean time of one step within a roll-out, one thread
  double one_step = 0;          ///< mean squared error of forecasts by one sample
  std::vector<double> rmse;     ///< of all samples up to each horizon, over all roll-outs; infinite if one diverges
  double smape = 0;             ///< over the first Comparison::smape_horizon samples
  double valid = 0, valid_error = 0;  ///< mean valid samples, and the standard error of that mean
  std::int64_t still_valid = 0;       ///< roll-outs that were valid to their end: `valid` is then a lower bound
  std::int64_t diverged = 0;          ///< roll-outs that left all bounds
  Vector growth;                      ///< median over the roll-outs of the root mean squared error at each sample
  Matrix rollout;                     ///< the first roll-out, in the data's own units
};

struct Comparison {
  std::string title;
  std::vector<std::string> names;  ///< of the coordinates
  double dt = 1;
  std::optional<double> lyapunov = {};
  std::int64_t train_runs = 0, train_samples = 0, windows = 0, longest = 0, smape_horizon = 0;
  std::vector<std::int64_t> horizons;
  double limit = 0.5;
  Matrix truth;  ///< of the first roll-out
  std::vector<ComparedMethod> rows;

  /// Valid samples in Lyapunov times where the exponent is known, else as they are.
  double valid_time(double samples) const { return lyapunov ? samples * dt * *lyapunov : samples; }
};

/// Fits all methods and tests them. A method that fails or refuses has its reason in its row.
/// Error for an unknown method, bad data, horizons beyond the longest roll-out, or test runs too short for one.
Comparison compare(const Experiment& experiment, const CompareOptions& options);

/// The methods with forecasts, best first: by valid time where the exponent is known, else by the last horizon's error.
std::vector<const ComparedMethod*> best_first(const Comparison& comparison);

/// What the figures say, in sentences: the best method of each column, and where a simpler method does better than a
/// network.
std::vector<std::string> findings(const Comparison& comparison);

/// The methods with forecasts and those without, a row each.
Table comparison_table(const Comparison& comparison);

/// Why methods have no forecasts, then findings().
std::vector<std::string> comparison_remarks(const Comparison& comparison);

std::string comparison_text(const Comparison& comparison);
Json comparison_json(const Comparison& comparison);

struct ComparisonPlots {
  Plot phase, rollout, growth;
};
ComparisonPlots comparison_plots(const Comparison& comparison);

/// Draws them as phase.png, rollout.png and growth.png. Returns the paths. Error where nothing was forecast.
std::vector<std::filesystem::path> write_comparison_plots(const Comparison& comparison,
                                                          const std::filesystem::path& folder);

}  // namespace filigree::dynamics
