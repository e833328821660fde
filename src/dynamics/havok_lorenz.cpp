#include "dynamics/havok_lorenz.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "dynamics/sampled_flow.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

Vector lorenz_x(Index samples) {
  const Field field = [](const std::vector<double>& x, std::vector<double>& d, double) {
    d[0] = 10 * (x[1] - x[0]);
    d[1] = x[0] * (28 - x[2]) - x[1];
    d[2] = x[0] * x[1] - 8.0 / 3 * x[2];
  };
  Vector x(samples);
  x(0) = -8;
  x.tail(samples - 1) = sample_flow(field, Vector{{-8.0, 8.0, 27.0}}, {1e-12, 0.001, samples - 1}).states.col(0);
  return x;
}

/// Root mean squared error of the simulated series by the standard deviation of the measured one.
double simulation_error(const HavokModel& model, const Vector& series) {
  const Matrix v = model.delay_coordinates(series);
  const Vector start = v.row(0).head(model.rank() - 1).transpose();
  const Matrix simulated = model.simulate_with_forcing(start, v.col(model.rank() - 1));
  const Vector x = model.newest_samples(simulated), truth = series.tail(x.size());
  return (x - truth).norm() / (truth.array() - truth.mean()).matrix().norm();
}

}  // namespace

HavokLorenzResult run_havok_lorenz(const HavokLorenzOptions& options) {
  const Vector x = lorenz_x(options.training + options.testing);
  const Dataset data{{"x"}, {}, 0.001, {{x.head(options.training)}}};
  const auto begin = std::chrono::steady_clock::now();
  HavokLorenzResult result{identify_havok(data, options.havok), 0, {}, 0, {}, 0};
  result.fit_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const HavokModel& model = result.model;
  const Matrix training = model.delay_coordinates(x.head(options.training));
  result.histogram_threshold = forcing_threshold(training.col(model.rank() - 1), options.havok.tail);
  result.simulation_error = simulation_error(model, x.head(std::min<Index>(options.training, 10'000)));
  // The window that ends at the first test sample begins in the training part.
  const Vector tested = x.tail(options.testing);
  const Vector forcing =
      model.delay_coordinates(x.tail(options.testing + options.havok.window - 1)).col(model.rank() - 1);
  const std::vector<Index> switches = lobe_switches(tested);
  result.alarms = judge_alarms(forcing, switches, options.alarm);
  SwitchAlarmOptions histogram = options.alarm;
  histogram.threshold = result.histogram_threshold;
  result.histogram_alarms = judge_alarms(forcing, switches, histogram);
  return result;
}

}  // namespace filigree::dynamics
