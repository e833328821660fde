#pragma once

#include <cmath>

#include "dynamics/sampled_flow.h"

namespace filigree::dynamics::test {

/// The Lorenz system (σ = 10, ρ = 28, β = 8/3), integrated at a tolerance of 1e-12.
inline void lorenz_field(const std::vector<double>& x, std::vector<double>& d, double) {
  d[0] = 10 * (x[1] - x[0]);
  d[1] = x[0] * (28 - x[2]) - x[1];
  d[2] = x[0] * x[1] - 8.0 / 3 * x[2];
}

/// Samples, the start among them.
inline Matrix flow_samples(const Field& field, const Vector& start, double dt, Eigen::Index samples) {
  Matrix states(samples, start.size());
  states.row(0) = start.transpose();
  states.bottomRows(samples - 1) = sample_flow(field, start, {1e-12, dt, samples - 1}).states;
  return states;
}

inline Dataset lorenz(double dt, Eigen::Index samples, const Vector& start = Vector{{-8.0, 8.0, 27.0}}) {
  return {{"x", "y", "z"}, {}, dt, {{flow_samples(lorenz_field, start, dt, samples)}}};
}

}  // namespace filigree::dynamics::test
