#include "dynamics/simulate.h"

#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace filigree::dynamics {
namespace {

Vector checked_vector(const std::vector<double>& values, const System& system, std::string_view what) {
  if (static_cast<Eigen::Index>(values.size()) != system.dimension()) {
    fail("{}: the {} has {} numbers where the system has {} coordinates", system.name, what, values.size(),
         system.dimension());
  }
  for (const double value : values) {
    if (!std::isfinite(value)) fail("{}: the {} holds a number that is not finite", system.name, what);
  }
  return Eigen::Map<const Vector>(values.data(), static_cast<Eigen::Index>(values.size()));
}

/// Starts of all runs; one where the runs shall be pieces of one solution.
std::vector<Vector> starts_of(const System& system, const SimulateOptions& options, Random& random) {
  std::vector<Vector> starts;
  if (!options.starts.empty()) {
    for (const auto& start : options.starts) starts.push_back(checked_vector(start, system, "start"));
    return starts;
  }
  if (!options.start.empty()) return {checked_vector(options.start, system, "start")};
  Vector low = system.low, high = system.high;
  const bool given = !options.low.empty() || !options.high.empty();
  if (given) {
    low = checked_vector(options.low, system, "lower corner");
    high = checked_vector(options.high, system, "upper corner");
    if ((low.array() > high.array()).any()) {
      fail("{}: the lower corner of the box must not be above the upper", system.name);
    }
  }
  if (low.size() == 0 || (!given && options.runs == 1)) return {system.start};
  for (int i = 0; i < options.runs; ++i) {
    Vector start(low.size());
    for (Eigen::Index j = 0; j < low.size(); ++j) start[j] = random.uniform(low[j], high[j]);
    starts.push_back(std::move(start));
  }
  return starts;
}

void add_noise(Dataset& data, double level, Random& random) {
  const Vector scale = Normaliser::of(data).scale * level;
  for (Trajectory& run : data.runs) {
    for (Eigen::Index i = 0; i < run.states.rows(); ++i) {
      for (Eigen::Index j = 0; j < run.states.cols(); ++j) run.states(i, j) += scale[j] * random.normal();
    }
  }
}

}  // namespace

Dataset simulate(const System& base, const SimulateOptions& options) {
  const System system = with_parameters(base, options.parameters);
  const double dt = options.dt.value_or(system.dt);
  if (options.runs < 1) fail("{}: the number of runs must be at least 1, not {}", system.name, options.runs);
  Random random(options.seed);
  const std::vector<Vector> starts = starts_of(system, options, random);
  const std::size_t runs = options.starts.empty() ? static_cast<std::size_t>(options.runs) : starts.size();
  const Flow flow = system.flow();
  Dataset data{system.coordinates, {}, dt, {}};
  double time = 0;
  Vector state;
  for (std::size_t i = 0; i < runs; ++i) {
    if (i < starts.size()) {
      state = starts[i];
      time = 0;
    }
    if (options.warm_up > 0) {
      // A warm-up is a whole number of samples, so that explicit time stays on the grid.
      const auto samples = static_cast<Eigen::Index>(std::ceil(options.warm_up / dt)) + 1;
      state = integrate(flow, state, {time, dt, samples}, options.integrate, system.name).bottomRows(1).transpose();
      time += static_cast<double>(samples - 1) * dt;
    }
    const bool more = i + 1 < runs && i + 1 >= starts.size();
    const Matrix states =
        integrate(flow, state, {time, dt, options.samples + (more ? 1 : 0)}, options.integrate, system.name);
    data.runs.push_back({states.topRows(options.samples), {}, time, 0});
    state = states.bottomRows(1).transpose();
    time += static_cast<double>(options.samples) * dt;
  }
  if (options.noise > 0) add_noise(data, options.noise, random);
  return data;
}

}  // namespace filigree::dynamics
