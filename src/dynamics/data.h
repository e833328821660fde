#pragma once

#include <string>
#include <vector>

#include <Eigen/Core>

/// Measured or simulated runs of one system, as every method takes them.
namespace filigree::dynamics {

/// Samples in rows, coordinates in columns.
using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// One run: equally spaced samples of the states and, where the system is driven, of the controls.
struct Trajectory {
  Matrix states;         ///< (samples, coordinates)
  Matrix controls = {};  ///< (samples, controls); no columns where the system is not driven
  double start = 0;      ///< time of the first sample
  int environment = 0;   ///< which of several related systems made it (LEADS); 0 where there is one
};

/// Runs of one system, possibly of unequal lengths, with one time step.
struct Dataset {
  std::vector<std::string> names;          ///< of the coordinates
  std::vector<std::string> control_names;  ///< of the controls
  double dt = 1;                           ///< time between samples, > 0
  std::vector<Trajectory> runs;

  Eigen::Index dimension() const { return static_cast<Eigen::Index>(names.size()); }
  Eigen::Index num_controls() const { return static_cast<Eigen::Index>(control_names.size()); }
  Eigen::Index num_samples() const;

  /// Error unless there is a run, every run has the stated columns and at least `least` samples, all numbers are finite
  /// and dt > 0. The sentence names the run, row and column.
  void check(Eigen::Index least = 2) const;
};

/// Shift and scale of every coordinate: z = (x - mean) / scale.
struct Normaliser {
  Vector mean, scale;

  /// Mean and standard deviation over all samples; a constant coordinate gets scale 1.
  static Normaliser of(const Dataset& data);
  static Normaliser identity(Eigen::Index dimension);

  Matrix apply(const Matrix& states) const;  ///< rows are samples
  Matrix revert(const Matrix& states) const;
};

}  // namespace filigree::dynamics
