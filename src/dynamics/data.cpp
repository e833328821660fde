#include "dynamics/data.h"

#include <cmath>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

void check_finite(const Matrix& values, const std::vector<std::string>& names, std::size_t run) {
  for (Eigen::Index row = 0; row < values.rows(); ++row) {
    for (Eigen::Index column = 0; column < values.cols(); ++column) {
      if (std::isfinite(values(row, column))) continue;
      fail("run {}, sample {}: {} is not a finite number; fill or remove such samples first", run + 1, row + 1,
           names[static_cast<std::size_t>(column)]);
    }
  }
}

}  // namespace

Eigen::Index Dataset::num_samples() const {
  Eigen::Index total = 0;
  for (const Trajectory& run : runs) total += run.states.rows();
  return total;
}

void Dataset::check(Eigen::Index least) const {
  if (runs.empty()) fail("the data has no run");
  if (!(dt > 0) || !std::isfinite(dt)) fail("the time step must be greater than 0, not {}", dt);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Trajectory& run = runs[i];
    if (run.states.cols() != dimension()) {
      fail("run {} has {} coordinates where the data names {}", i + 1, run.states.cols(), dimension());
    }
    if (num_controls() > 0 && (run.controls.cols() != num_controls() || run.controls.rows() != run.states.rows())) {
      fail("run {} must have one value of each of the {} controls for every sample", i + 1, num_controls());
    }
    if (run.states.rows() < least) {
      fail("run {} has {} samples; at least {} are needed", i + 1, run.states.rows(), least);
    }
    check_finite(run.states, names, i);
    if (num_controls() > 0) check_finite(run.controls, control_names, i);
  }
}

Normaliser Normaliser::identity(Eigen::Index dimension) { return {Vector::Zero(dimension), Vector::Ones(dimension)}; }

Normaliser Normaliser::of(const Dataset& data) {
  const double count = static_cast<double>(data.num_samples());
  Normaliser result{Vector::Zero(data.dimension()), Vector::Zero(data.dimension())};
  for (const Trajectory& run : data.runs) result.mean += run.states.colwise().sum().transpose();
  result.mean /= count;
  for (const Trajectory& run : data.runs) {
    result.scale += (run.states.rowwise() - result.mean.transpose()).colwise().squaredNorm().transpose();
  }
  for (double& scale : result.scale) {
    scale = std::sqrt(scale / count);
    if (!(scale > 0)) scale = 1;
  }
  return result;
}

Matrix Normaliser::apply(const Matrix& states) const {
  return (states.rowwise() - mean.transpose()).array().rowwise() / scale.transpose().array();
}

Matrix Normaliser::revert(const Matrix& states) const {
  return (states.array().rowwise() * scale.transpose().array()).matrix().rowwise() + mean.transpose();
}

}  // namespace filigree::dynamics
