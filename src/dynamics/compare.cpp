#include "dynamics/compare.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "dynamics/methods.h"
#include "dynamics/metrics.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;
using Clock = std::chrono::steady_clock;

constexpr double kTestTimes = 80, kRolloutTimes = 40, kWarmUpTimes = 10;  // Lyapunov times
constexpr Index kLongestRollout = 20000;
constexpr Index kHistory = 100;
constexpr Index kOneSteps = 2000;
constexpr std::int64_t kSmapeHorizon = 200;  // that of the dysts benchmark

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Where a roll-out begins: row `first` of the run is its first sample.
struct Origin {
  std::size_t run;
  Index first;
};

std::vector<Origin> origins_of(const Experiment& experiment, std::int64_t windows) {
  std::vector<Origin> origins;
  const auto runs = static_cast<std::int64_t>(experiment.test.runs.size());
  const std::int64_t each = std::max<std::int64_t>(1, windows / runs);
  for (std::size_t r = 0; r < experiment.test.runs.size(); ++r) {
    const Index last = experiment.test.runs[r].states.rows() - experiment.longest;
    if (last < experiment.begin) continue;
    const std::int64_t count = std::min<std::int64_t>(each, last - experiment.begin + 1);
    for (std::int64_t i = 0; i < count; ++i) {
      const Index first =
          count == 1 ? experiment.begin : experiment.begin + (last - experiment.begin) * i / (count - 1);
      origins.push_back({r, first});
    }
    if (static_cast<std::int64_t>(origins.size()) >= windows) break;
  }
  if (origins.empty()) {
    fail("{}: no test run has the {} samples of a roll-out after the {} of its history; ask for shorter roll-outs",
         experiment.title, experiment.longest, experiment.begin);
  }
  return origins;
}

std::vector<std::int64_t> horizons_of(const Experiment& experiment, const CompareOptions& options) {
  std::vector<std::int64_t> horizons = options.horizons;
  if (horizons.empty()) {
    std::vector<double> wanted{10, 100, static_cast<double>(experiment.longest)};
    if (experiment.lyapunov) {
      wanted = {1, 5, 10};
      for (double& time : wanted) time = std::round(time / (*experiment.lyapunov * experiment.train.dt));
    }
    for (const double samples : wanted) {
      if (samples >= 1 && samples <= static_cast<double>(experiment.longest)) {
        horizons.push_back(static_cast<std::int64_t>(samples));
      }
    }
    if (horizons.empty()) horizons.push_back(experiment.longest);
  }
  std::sort(horizons.begin(), horizons.end());
  horizons.erase(std::unique(horizons.begin(), horizons.end()), horizons.end());
  if (horizons.front() < 1 || horizons.back() > experiment.longest) {
    fail("{}: horizons must be between 1 and the {} samples of the longest roll-out, not {}", experiment.title,
         experiment.longest, horizons.front() < 1 ? horizons.front() : horizons.back());
  }
  return horizons;
}

/// Tests one fitted model.
class Tester {
 public:
  Tester(const Experiment& experiment, const Comparison& comparison, std::vector<Origin> origins)
      : experiment_(experiment),
        comparison_(comparison),
        origins_(std::move(origins)),
        normaliser_(Normaliser::of(experiment.train)) {}

  void operator()(const Model& model, ComparedMethod& row) const {
    if (model.history() > origins_.front().first) {
      fail("it needs {} samples before a forecast, and the test gives {}", model.history(), origins_.front().first);
    }
    std::vector<Matrix> errors;
    double seconds = 0, steps = 0;
    std::vector<double> valid;
    double smape_sum = 0;
    for (const Origin& origin : origins_) {
      const Trajectory& run = experiment_.test.runs[origin.run];
      const Clock::time_point start = Clock::now();
      Matrix forecast = predict(model, run, origin.first, experiment_.longest);
      seconds += seconds_since(start);
      const Matrix truth = run.states.middleRows(origin.first, experiment_.longest);
      const Index horizon = static_cast<Index>(comparison_.smape_horizon);
      smape_sum += smape(forecast.topRows(horizon), truth.topRows(horizon));
      Matrix error = normaliser_.apply(forecast) - normaliser_.apply(truth);
      const double limit = comparison_.limit * std::sqrt(static_cast<double>(error.cols()));
      const Index good = valid_samples(error, Matrix::Zero(error.rows(), error.cols()), limit);
      valid.push_back(static_cast<double>(good));
      row.still_valid += good == experiment_.longest ? 1 : 0;
      const Index finite = finite_rows(forecast);
      row.diverged += finite < experiment_.longest ? 1 : 0;
      steps += static_cast<double>(std::max<Index>(finite, 1));
      if (errors.empty()) row.rollout = std::move(forecast);
      errors.push_back(std::move(error));
    }
    row.step_nanoseconds = 1e9 * seconds / steps;
    row.smape = smape_sum / static_cast<double>(origins_.size());
    set_valid(valid, row);
    set_errors(errors, row);
    row.one_step = one_step(model);
  }

 private:
  static Index finite_rows(const Matrix& matrix) {
    Index rows = 0;
    while (rows < matrix.rows() && matrix.row(rows).allFinite()) ++rows;
    return rows;
  }

  static Matrix predict(const Model& model, const Trajectory& run, Index first, Index steps) {
    Matrix controls;
    if (run.controls.cols() > 0) controls = run.controls.middleRows(first - 1, steps);
    return model.forecast(run.states.middleRows(first - model.history(), model.history()), steps, controls);
  }

  static void set_valid(const std::vector<double>& valid, ComparedMethod& row) {
    const auto count = static_cast<double>(valid.size());
    double squares = 0;
    for (const double one : valid) row.valid += one / count;
    for (const double one : valid) squares += (one - row.valid) * (one - row.valid);
    row.valid_error = count > 1 ? std::sqrt(squares / (count - 1) / count) : 0;
  }

  void set_errors(const std::vector<Matrix>& errors, ComparedMethod& row) const {
    for (const std::int64_t horizon : comparison_.horizons) {
      double squares = 0;
      for (const Matrix& error : errors) squares += error.topRows(horizon).squaredNorm() / static_cast<double>(horizon);
      squares /= static_cast<double>(errors.size()) * static_cast<double>(errors.front().cols());
      row.rmse.push_back(std::isfinite(squares) ? std::sqrt(squares) : std::numeric_limits<double>::infinity());
    }
    row.growth.resize(experiment_.longest);
    std::vector<double> at(errors.size());
    for (Index i = 0; i < experiment_.longest; ++i) {
      for (std::size_t w = 0; w < errors.size(); ++w) {
        const double mean = errors[w].row(i).squaredNorm() / static_cast<double>(errors[w].cols());
        at[w] = std::isfinite(mean) ? std::sqrt(mean) : std::numeric_limits<double>::infinity();
      }
      const auto middle = at.begin() + static_cast<std::ptrdiff_t>(at.size() / 2);
      std::nth_element(at.begin(), middle, at.end());
      row.growth[i] = *middle;
    }
  }

  double one_step(const Model& model) const {
    double sum = 0, count = 0;
    const Index samples = experiment_.test.num_samples();
    const Index stride = std::max<Index>(1, samples / kOneSteps);
    for (const Trajectory& run : experiment_.test.runs) {
      for (Index first = std::max(experiment_.begin, model.history()); first < run.states.rows(); first += stride) {
        const Matrix forecast = predict(model, run, first, 1);
        sum += mean_squared_error(normaliser_.apply(forecast), normaliser_.apply(run.states.middleRows(first, 1)));
        ++count;
      }
    }
    return sum / count;
  }

  const Experiment& experiment_;
  const Comparison& comparison_;
  std::vector<Origin> origins_;
  Normaliser normaliser_;
};

ComparedMethod compare_one(const Method& method, const Experiment& experiment, const CompareOptions& options,
                           const Tester& test) {
  ComparedMethod row;
  row.name = method.name;
  FitSettings settings;
  settings.seed = options.seed;
  const auto own = options.options.find(method.name);
  if (own != options.options.end()) settings.options = own->second;
  settings.options = suited_options(method, std::move(settings.options), experiment.train);
  try {
    const Clock::time_point start = Clock::now();
    const ModelPtr model = method.fit(experiment.train, settings);
    row.training_seconds = seconds_since(start);
    row.cost = model->cost();
    test(*model, row);
  } catch (const Error& error) {
    row.reason = error.what();
  }
  return row;
}

}  // namespace

Experiment split_data(const Dataset& data, double share, std::string title) {
  data.check(2);
  if (!(share > 0 && share < 1)) fail("{}: the share of the test must be between 0 and 1, not {}", title, share);
  Experiment experiment;
  experiment.title = std::move(title);
  experiment.train = data;
  experiment.test = data;
  if (data.runs.size() == 1) {
    const Index samples = data.runs.front().states.rows();
    const auto test = static_cast<Index>(std::ceil(share * static_cast<double>(samples)));
    const Index train = samples - test;
    if (train < 2 || test < 2) {
      fail("{}: {} samples are too few to learn from {} and test on {}", experiment.title, samples, train, test);
    }
    Trajectory& run = experiment.train.runs.front();
    run.states = run.states.topRows(train).eval();
    if (run.controls.rows() > 0) run.controls = run.controls.topRows(train).eval();
    experiment.begin = train;
    experiment.longest = std::max<Index>(1, test / 2);
    return experiment;
  }
  const auto runs = static_cast<Index>(data.runs.size());
  const auto test = std::clamp<Index>(static_cast<Index>(std::ceil(share * static_cast<double>(runs))), 1, runs - 1);
  experiment.train.runs.resize(static_cast<std::size_t>(runs - test));
  experiment.test.runs.erase(experiment.test.runs.begin(), experiment.test.runs.begin() + (runs - test));
  Index shortest = experiment.test.runs.front().states.rows();
  for (const Trajectory& run : experiment.test.runs) shortest = std::min(shortest, run.states.rows());
  experiment.begin = std::clamp<Index>(shortest / 4, 1, kHistory);
  experiment.longest = std::max<Index>(1, shortest - experiment.begin);
  return experiment;
}

Experiment simulate_experiment(const System& base, const SimulateOptions& options) {
  const System system = with_parameters(base, options.parameters);
  // A changed parameter changes the exponent, which is then not known.
  const bool chaotic = system.lyapunov && *system.lyapunov > 0 && options.parameters.empty();
  SimulateOptions more = options;
  if (chaotic && options.runs == 1) {
    const double time = 1 / *system.lyapunov, dt = options.dt.value_or(system.dt);
    if (more.warm_up == 0) more.warm_up = kWarmUpTimes * time;
    const auto samples = [&](double times) {
      return std::clamp<Index>(static_cast<Index>(std::ceil(times * time / dt)), 2, 2 * kLongestRollout);
    };
    const Index test = samples(kTestTimes);
    more.samples += test;
    const double share = static_cast<double>(test) / static_cast<double>(more.samples);
    Experiment experiment = split_data(simulate(base, more), share, system.name);
    experiment.lyapunov = system.lyapunov;
    experiment.longest = std::min({samples(kRolloutTimes), experiment.longest, kLongestRollout});
    return experiment;
  }
  if (options.runs == 1) {
    more.samples += std::max<std::int64_t>(2, options.samples / 4);
  } else {
    more.runs += std::max(1, options.runs / 4);
  }
  const double share = options.runs == 1 ? 1 - static_cast<double>(options.samples) / static_cast<double>(more.samples)
                                         : 1 - static_cast<double>(options.runs) / static_cast<double>(more.runs);
  // A little less, so that rounding up gives just the surplus.
  Experiment experiment = split_data(simulate(base, more), share * (1 - 1e-9), system.name);
  if (chaotic) experiment.lyapunov = system.lyapunov;
  return experiment;
}

Comparison compare(const Experiment& experiment, const CompareOptions& options) {
  experiment.train.check(2);
  experiment.test.check(2);
  if (options.windows < 1) fail("the number of roll-outs must be at least 1, not {}", options.windows);
  std::vector<const Method*> methods;
  for (const std::string& name : options.methods.empty() ? method_names() : options.methods) {
    methods.push_back(&find_method(name));
  }
  std::vector<Origin> origins = origins_of(experiment, options.windows);
  Comparison result;
  result.title = experiment.title;
  result.names = experiment.train.names;
  result.dt = experiment.train.dt;
  result.lyapunov = experiment.lyapunov;
  result.train_runs = static_cast<std::int64_t>(experiment.train.runs.size());
  result.train_samples = experiment.train.num_samples();
  result.windows = static_cast<std::int64_t>(origins.size());
  result.longest = experiment.longest;
  result.smape_horizon = std::min<std::int64_t>(kSmapeHorizon, experiment.longest);
  result.horizons = horizons_of(experiment, options);
  result.limit = options.limit;
  result.truth = experiment.test.runs[origins.front().run].states.middleRows(origins.front().first, experiment.longest);
  const Tester tester(experiment, result, std::move(origins));
  Progress progress(options.progress, static_cast<std::int64_t>(methods.size()), "methods");
  for (const Method* method : methods) {
    if (cancelled()) break;
    result.rows.push_back(compare_one(*method, experiment, options, tester));
    progress.advance();
  }
  return result;
}

}  // namespace filigree::dynamics
