#include "dynamics/row_qr.h"

#include <algorithm>
#include <cmath>

#include <Eigen/QR>

#include "base/error.h"

namespace filigree::dynamics {

Eigen::Index RowQr::block_rows(Eigen::Index columns) {
  return std::max<Eigen::Index>(64, std::min<Eigen::Index>(512, 4096 / std::max<Eigen::Index>(1, columns) / 8 * 8));
}

void RowQr::add(Eigen::Ref<Matrix> block) {
  const Eigen::Index columns = r_.cols();
  FILIGREE_ASSERT(block.cols() == columns);
  rows_ += block.rows();
  for (Eigen::Index k = 0; k < columns; ++k) {
    auto v = block.col(k);
    const double tail = v.squaredNorm();
    if (tail == 0) continue;
    const double alpha = r_(k, k);
    const double beta = -std::copysign(std::sqrt(alpha * alpha + tail), alpha);
    const double tau = (beta - alpha) / beta;
    v *= 1 / (alpha - beta);
    r_(k, k) = beta;
    for (Eigen::Index j = k + 1; j < columns; ++j) {
      const double w = tau * (r_(k, j) + v.dot(block.col(j)));
      r_(k, j) -= w;
      block.col(j) -= w * v;
    }
  }
}

void RowQr::add(const RowQr& other) {
  const Eigen::Index before = rows_;
  Matrix rows = other.r_;
  add(rows);
  rows_ = before + other.rows_;
}

Regression Regression::from(const RowQr& factor, Eigen::Index features) {
  const Matrix& all = factor.r();
  const Eigen::Index targets = all.cols() - features;
  Regression result;
  result.r = all.topLeftCorner(features, features);
  result.rhs = all.topRightCorner(features, targets);
  result.unseen = all.bottomRightCorner(targets, targets).colwise().squaredNorm().transpose();
  result.rows = factor.rows();
  return result;
}

double Regression::squared_error(const Eigen::Ref<const Vector>& x, Eigen::Index target) const {
  return (r * x - rhs.col(target)).squaredNorm() + unseen(target);
}

Vector Regression::solve(const std::vector<Eigen::Index>& support, Eigen::Index target, double ridge) const {
  const Eigen::Index count = static_cast<Eigen::Index>(support.size());
  if (count == 0) return Vector();
  const Eigen::Index extra = ridge > 0 ? count : 0;
  Matrix a = Matrix::Zero(r.rows() + extra, count);
  for (Eigen::Index j = 0; j < count; ++j) a.col(j).head(r.rows()) = r.col(support[static_cast<std::size_t>(j)]);
  if (extra > 0) a.bottomRows(extra).diagonal().setConstant(std::sqrt(ridge));
  // Columns of unit length: the rank is then judged by their directions, not by their units.
  Vector scale = a.colwise().norm().transpose();
  for (double& s : scale) s = s > 0 ? 1 / s : 0;
  a = a * scale.asDiagonal();
  Vector b = Vector::Zero(a.rows());
  b.head(r.rows()) = rhs.col(target);
  Eigen::ColPivHouseholderQR<Matrix> qr(a);
  return scale.asDiagonal() * Vector(qr.solve(b));
}

Matrix least_squares(const Matrix& a, const Matrix& b) {
  return Eigen::ColPivHouseholderQR<Matrix>(a).solve(b);
}

}  // namespace filigree::dynamics
