#include "dynamics/derivative.h"

#include <cmath>
#include <vector>

#include "base/error.h"
#include "dynamics/row_qr.h"

namespace filigree::dynamics {
namespace {

/// One weight vector for every place within a window of `points` samples: column `p` gives the derivative at place p.
Matrix window_weights(const DerivativeOptions& options, int points) {
  Matrix weights(points, points);
  std::vector<double> places;
  for (int i = 0; i < points; ++i) places.push_back(i);
  if (options.method == Differentiation::finite_difference) {
    for (int p = 0; p < points; ++p) weights.col(p) = stencil_weights(places, p, 1);
    return weights;
  }
  // Places scaled to [-1, 1] keep the powers well conditioned.
  const double half = 0.5 * (points - 1);
  Matrix powers(points, options.degree + 1), slopes = Matrix::Zero(options.degree + 1, points);
  for (int i = 0; i < points; ++i) {
    const double s = (i - half) / half;
    for (int d = 0; d <= options.degree; ++d) powers(i, d) = std::pow(s, d);
    for (int d = 1; d <= options.degree; ++d) slopes(d, i) = d * std::pow(s, d - 1) / half;
  }
  const Matrix fit = least_squares(powers, Matrix::Identity(points, points));
  return fit.transpose() * slopes;
}

}  // namespace

Vector stencil_weights(std::span<const double> points, double at, int derivative) {
  const int count = static_cast<int>(points.size());
  FILIGREE_ASSERT(count > derivative);
  Matrix c = Matrix::Zero(count, derivative + 1);
  double c1 = 1, c4 = points[0] - at;
  c(0, 0) = 1;
  for (int i = 1; i < count; ++i) {
    const int most = std::min(i, derivative);
    double c2 = 1;
    const double c5 = c4;
    c4 = points[static_cast<std::size_t>(i)] - at;
    for (int j = 0; j < i; ++j) {
      const double c3 = points[static_cast<std::size_t>(i)] - points[static_cast<std::size_t>(j)];
      c2 *= c3;
      if (j == i - 1) {
        for (int k = most; k >= 1; --k) c(i, k) = c1 * (k * c(i - 1, k - 1) - c5 * c(i - 1, k)) / c2;
        c(i, 0) = -c1 * c5 * c(i - 1, 0) / c2;
      }
      for (int k = most; k >= 1; --k) c(j, k) = (c4 * c(j, k) - k * c(j, k - 1)) / c3;
      c(j, 0) = c4 * c(j, 0) / c3;
    }
    c1 = c2;
  }
  return c.col(derivative);
}

Eigen::Index DerivativeOptions::least_samples() const {
  if (end_order > 0 && end_order + 1 < (order + 1) / 2) {
    fail("the order {} at the ends is too low beside order {} inside", end_order, order);
  }
  if (method == Differentiation::finite_difference) return std::max(order + order % 2, end_order) + 1;
  if (window % 2 == 0) fail("the smoothing window must be an odd number of samples, not {}", window);
  if (degree >= window) fail("the smoothing degree {} must be less than the window of {} samples", degree, window);
  return window;
}

Matrix differentiate(const Eigen::Ref<const Matrix>& states, double dt, const DerivativeOptions& options) {
  const Eigen::Index least = options.least_samples(), count = states.rows();
  if (count < least) fail("the derivative needs runs of at least {} samples, there are {}", least, count);
  const bool differences = options.method == Differentiation::finite_difference;
  const int points = differences ? options.order + options.order % 2 + 1 : options.window;
  const int end_points = differences && options.end_order > 0 ? options.end_order + 1 : points;
  const Matrix weights = window_weights(options, points) / dt, end_weights = window_weights(options, end_points) / dt;
  const Eigen::Index half = points / 2, inner = count - 2 * half;
  Matrix result(count, states.cols());
  for (Eigen::Index c = 0; c < states.cols(); ++c) {
    const auto x = states.col(c);
    for (Eigen::Index p = 0; p < half; ++p) {
      const Eigen::Index place = std::min<Eigen::Index>(p, end_points - 1);
      result(p, c) = end_weights.col(place).dot(x.head(end_points));
      result(count - 1 - p, c) = end_weights.col(end_points - 1 - place).dot(x.tail(end_points));
    }
    auto inside = result.col(c).segment(half, inner);
    inside.setZero();
    for (Eigen::Index i = 0; i < points; ++i) {
      if (weights(i, half) != 0) inside += weights(i, half) * x.segment(i, inner);
    }
  }
  return result;
}

}  // namespace filigree::dynamics
