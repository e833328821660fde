#include "dynamics/sampled_flow.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>

namespace filigree::dynamics {
namespace {

namespace odeint = boost::numeric::odeint;
using State = std::vector<double>;

constexpr std::int64_t kMostSteps = 100'000;  // within one sample, and per sample on average beyond the first ones

bool finite(const State& state) {
  return std::all_of(state.begin(), state.end(), [](double x) { return std::isfinite(x); });
}

}  // namespace

SampledFlow sample_flow(const Field& field, const Vector& start, const FlowOptions& options) {
  SampledFlow flow;
  flow.states.setConstant(options.steps, start.size(), std::numeric_limits<double>::quiet_NaN());
  State state(start.begin(), start.end());
  auto stepper = odeint::make_controlled<odeint::runge_kutta_dopri5<State>>(options.tolerance, options.tolerance);
  const auto counted = [&](const State& x, State& derivative, double t) {
    ++flow.evaluations;
    field(x, derivative, t);
  };
  double t = 0, step = options.dt;
  std::int64_t budget = kMostSteps;
  for (Eigen::Index i = 0; i < options.steps; ++i) {
    const double end = static_cast<double>(i + 1) * options.dt;
    budget += 200;
    while (t < end) {
      // Of a last piece shorter than rounding nothing is left to integrate.
      if (end - t <= 1e-13 * end) break;
      double trial = std::min(step, end - t);
      const bool cut = trial < step;
      const auto outcome = stepper.try_step(counted, state, t, trial);
      if (--budget < 0 || !finite(state) || !(trial > 1e-14 * options.dt)) return flow;
      // A step that was cut to land on the sample says nothing against the longer one.
      step = outcome == odeint::success && cut ? std::max(step, trial) : trial;
    }
    t = end;
    for (Eigen::Index j = 0; j < start.size(); ++j) flow.states(i, j) = state[static_cast<std::size_t>(j)];
  }
  return flow;
}

void interpolate_rows(const Matrix& rows, double time, double* out) {
  const Eigen::Index count = std::min<Eigen::Index>(4, rows.rows());
  const Eigen::Index first =
      std::clamp<Eigen::Index>(static_cast<Eigen::Index>(std::floor(time)) - 1, 0, rows.rows() - count);
  for (Eigen::Index c = 0; c < rows.cols(); ++c) out[c] = 0;
  for (Eigen::Index i = 0; i < count; ++i) {
    double weight = 1;
    for (Eigen::Index j = 0; j < count; ++j) {
      if (j != i) weight *= (time - static_cast<double>(first + j)) / static_cast<double>(i - j);
    }
    for (Eigen::Index c = 0; c < rows.cols(); ++c) out[c] += weight * rows(first + i, c);
  }
}

}  // namespace filigree::dynamics
