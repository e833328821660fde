#pragma once

#include <vector>

#include "dynamics/data.h"

/// Products of Chebyshev polynomials in a box around the data: a basis of all polynomials up to a total degree whose
/// values stay within [-1, 1], so that neither the fit nor the evaluation loses digits as powers of raw coordinates do.
namespace filigree::dynamics {

/// z = transform · (x - centre), with every z of the data it was made from in [-1, 1].
struct Box {
  Vector centre;     ///< (inputs)
  Matrix transform;  ///< (inputs, inputs)

  /// The principal axes of the samples (rows), each scaled by the largest distance along it. A direction in which the
  /// samples do not vary is scaled by 1.
  static Box around(const Matrix& samples);
};

/// All products T_i(z_1) · T_j(z_2) · … with i + j + … <= degree.
class PolynomialBasis {
 public:
  PolynomialBasis(Box box, int degree);

  Eigen::Index inputs() const { return box_.centre.size(); }
  Eigen::Index terms() const { return static_cast<Eigen::Index>(steps_.size()); }
  int degree() const { return degree_; }
  const Box& box() const { return box_; }

  /// Number of terms of a basis: (inputs + degree)! / (inputs! degree!).
  static double count(Eigen::Index inputs, int degree);

  /// Values of all terms at one point. scratch: at least scratch_size() numbers.
  void evaluate(const double* point, double* values, double* scratch) const;
  Eigen::Index scratch_size() const { return inputs() * (degree_ + 2); }

  /// (samples, terms) for samples in rows.
  Matrix design(const Matrix& samples) const;

 private:
  /// A term is an earlier term times the polynomial of one coordinate.
  struct Step {
    Eigen::Index parent;
    Eigen::Index factor;  ///< coordinate · (degree + 1) + order
  };
  void add_terms(Eigen::Index parent, Eigen::Index coordinate, int left);

  Box box_;
  int degree_;
  std::vector<Step> steps_;
};

}  // namespace filigree::dynamics
