#include "dynamics/lorenz_valid_time.h"

#include <array>
#include <cmath>
#include <numeric>

#include "base/cancel.h"
#include "base/random.h"
#include "dynamics/metrics.h"

namespace filigree::dynamics {
namespace {

constexpr double kLyapunovExponent = 0.906416;
constexpr double kForecastTime = 50;
constexpr int kLog2SolverStep = 10;
constexpr int kLog2Duration = 13;

using State = std::array<double, 3>;

State lorenz(const State& s) { return {10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8.0 / 3.0 * s[2]}; }

State moved(const State& s, double by, const State& along) {
  return {s[0] + by * along[0], s[1] + by * along[1], s[2] + by * along[2]};
}

void runge_kutta_step(State& s, double h) {
  const State k1 = lorenz(s);
  const State k2 = lorenz(moved(s, h / 2, k1));
  const State k3 = lorenz(moved(s, h / 2, k2));
  const State k4 = lorenz(moved(s, h, k3));
  for (std::size_t i = 0; i < 3; ++i) s[i] += h / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
}

/// The truth at every sample of the wanted step.
Matrix lorenz_truth(int log2_step) {
  const double h = std::ldexp(1.0, -kLog2SolverStep);
  const int stride = 1 << (kLog2SolverStep - log2_step);
  const Eigen::Index samples = (Eigen::Index{1} << (kLog2Duration + log2_step)) + 1;
  State state{-8, 7, 27};
  const auto warm_up = static_cast<long>(std::round(0.1 * std::ldexp(1.0, kLog2Duration + kLog2SolverStep)));
  for (long i = 0; i < warm_up; ++i) runge_kutta_step(state, h);
  Matrix truth(samples, 3);
  for (Eigen::Index i = 0; i < samples; ++i) {
    truth.row(i) << state[0], state[1], state[2];
    for (int step = 0; step < stride; ++step) runge_kutta_step(state, h);
  }
  return truth;
}

}  // namespace

ValidTime lorenz_valid_time(const LorenzValidTimeSettings& settings) {
  const Matrix truth = lorenz_truth(settings.log2_step);
  const double dt = std::ldexp(1.0, -settings.log2_step);
  const auto horizon = static_cast<Eigen::Index>(kForecastTime / dt);
  const Eigen::Index window = settings.samples, places = truth.rows() - window - horizon;
  if (places < 1) {
    fail(
        "a window of {} samples of 2^-{} and {} time units of forecast do not fit into {} time units; use fewer "
        "samples",
        window, settings.log2_step, kForecastTime, std::ldexp(1.0, kLog2Duration));
  }
  ValidTime result;
  result.error_scale = spread(truth);
  Random random(settings.seed);
  Dataset data{{"x", "y", "z"}, {}, dt, {Trajectory{}}};
  for (int i = 0; i < settings.starts && !cancelled(); ++i) {
    const auto first = static_cast<Eigen::Index>(random.below(static_cast<std::uint64_t>(places)));
    data.runs[0].states = truth.middleRows(first, window);
    const ModelPtr model = fit_polynomial_propagator(data, settings.fit);
    const Matrix forecast = model->forecast(data.runs[0].states.bottomRows(1), horizon);
    const auto valid = valid_samples(forecast, truth.middleRows(first + window, horizon), 0.5 * result.error_scale);
    result.starts.push_back(static_cast<double>(valid) * dt * kLyapunovExponent);
  }
  const auto count = static_cast<double>(result.starts.size());
  result.mean = std::accumulate(result.starts.begin(), result.starts.end(), 0.0) / count;
  double square = 0;
  for (const double time : result.starts) square += (time - result.mean) * (time - result.mean);
  result.standard_error = std::sqrt(square / (count - 1) / count);
  return result;
}

}  // namespace filigree::dynamics
