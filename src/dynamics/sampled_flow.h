#pragma once

#include <functional>

#include "dynamics/data.h"

namespace filigree::dynamics {

/// The right-hand side of x' = f(x, t): reads x, writes its derivative.
using Field = std::function<void(const std::vector<double>& x, std::vector<double>& derivative, double t)>;

struct FlowOptions {
  double tolerance = 1e-12;  ///< relative and absolute
  double dt = 1;             ///< between samples
  Eigen::Index steps = 0;    ///< samples wanted
};

struct SampledFlow {
  Matrix states;                 ///< (steps, coordinates), the start not among them; NaN from where it diverges
  std::int64_t evaluations = 0;  ///< of the field
};

/// Samples of the solution at dt, 2 dt, …; Dormand–Prince 5(4) with step control that lands on every sample. Where the
/// solution is no longer finite, or needs steps so short that it would not end, the remaining rows are NaN.
SampledFlow sample_flow(const Field& field, const Vector& start, const FlowOptions& options);

/// Values between samples by the cubic through the four nearest (fewer where there are fewer); beyond the last row by
/// extrapolation. `time` counts in samples from row 0; writes one number a column.
void interpolate_rows(const Matrix& rows, double time, double* out);

}  // namespace filigree::dynamics
