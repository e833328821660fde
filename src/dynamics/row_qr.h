#pragma once

#include "dynamics/data.h"

namespace filigree::dynamics {

/// The triangular factor of a tall matrix given block by block: A = Q R without ever holding A or Q. Householder
/// reflections on [R; block] (Golub, Van Loan: Matrix Computations, 4th ed., §5.1.8), so that least squares from R is as
/// accurate as from A itself, which the normal equations AᵀA are not.
class RowQr {
 public:
  explicit RowQr(Eigen::Index columns) : r_(Matrix::Zero(columns, columns)) {}

  /// Takes further rows; (any, columns). The block is used as work space and destroyed. Blocks of about 30 kB are
  /// fastest.
  void add(Eigen::Ref<Matrix> block);

  /// Takes the rows of another factor.
  void add(const RowQr& other);

  /// (columns, columns), upper triangular; RᵀR = AᵀA. The signs of its rows are arbitrary.
  const Matrix& r() const { return r_; }
  Eigen::Index rows() const { return rows_; }

  /// How many rows a block should have.
  static Eigen::Index block_rows(Eigen::Index columns);

 private:
  Matrix r_;
  Eigen::Index rows_ = 0;
};

/// The least squares problem min |Θ X - Y|² (+ ridge |X|²) from the triangular factor of [Θ Y].
struct Regression {
  Matrix r;         ///< (features, features), upper triangular, RᵀR = ΘᵀΘ
  Matrix rhs;       ///< (features, targets), Rᵀ rhs = ΘᵀY
  Vector unseen;    ///< (targets), squared norm of the part of Y that no combination of features explains
  Vector variance;  ///< (targets), sum of squared distances of Y from its mean; empty where it was not counted
  Eigen::Index rows = 0;

  static Regression from(const RowQr& factor, Eigen::Index features);

  Eigen::Index features() const { return r.cols(); }
  Eigen::Index targets() const { return rhs.cols(); }

  /// Squared norm of Θ x - y of one target.
  double squared_error(const Eigen::Ref<const Vector>& x, Eigen::Index target) const;

  /// Least squares on the given features: (support.size()); by column-pivoted QR, so that dependent features get 0
  /// rather than anything.
  Vector solve(const std::vector<Eigen::Index>& support, Eigen::Index target, double ridge) const;

  /// Euclidean norm of every column of Θ.
  Vector column_norms() const { return r.colwise().norm().transpose(); }
};

/// Least squares X of A X = B for a tall A given whole: (columns of A, columns of B).
Matrix least_squares(const Matrix& a, const Matrix& b);

}  // namespace filigree::dynamics
