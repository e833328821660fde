#include "dynamics/polynomial_basis.h"

#include <cmath>

#include <Eigen/Eigenvalues>

#include "base/error.h"

namespace filigree::dynamics {

Box Box::around(const Matrix& samples) {
  const Eigen::Index inputs = samples.cols();
  Box box{samples.colwise().mean().transpose(), Matrix::Identity(inputs, inputs)};
  const Matrix centred = samples.rowwise() - box.centre.transpose();
  // Coordinates of very different size would hide the small ones in the covariance, so each gets size 1 first.
  Vector size = centred.colwise().norm().transpose();
  for (double& value : size) {
    if (!(value > 0)) value = 1;
  }
  const Matrix scaled = centred.array().rowwise() / size.transpose().array();
  const Eigen::SelfAdjointEigenSolver<Matrix> axes(scaled.transpose() * scaled);
  box.transform = axes.eigenvectors().rowwise().reverse().transpose() * size.cwiseInverse().asDiagonal();
  Vector middle(inputs);
  for (Eigen::Index i = 0; i < inputs; ++i) {
    const Vector along = centred * box.transform.row(i).transpose();
    const double low = along.minCoeff(), high = along.maxCoeff();
    const double half = (high - low) / 2;
    middle[i] = (low + high) / 2;
    if (half > 0) {
      box.transform.row(i) /= half;
      middle[i] /= half;
    }
  }
  box.centre += box.transform.partialPivLu().solve(middle);
  return box;
}

PolynomialBasis::PolynomialBasis(Box box, int degree) : box_(std::move(box)), degree_(degree) {
  FILIGREE_ASSERT(degree >= 0 && box_.transform.rows() == box_.centre.size());
  FILIGREE_ASSERT(box_.transform.cols() == box_.centre.size());
  steps_.reserve(static_cast<std::size_t>(count(inputs(), degree)));
  steps_.push_back({0, 0});
  add_terms(0, 0, degree);
}

void PolynomialBasis::add_terms(Eigen::Index parent, Eigen::Index coordinate, int left) {
  for (Eigen::Index j = coordinate; j < inputs(); ++j) {
    for (int order = 1; order <= left; ++order) {
      const Eigen::Index index = terms();
      steps_.push_back({parent, j * (degree_ + 1) + order});
      add_terms(index, j + 1, left - order);
    }
  }
}

double PolynomialBasis::count(Eigen::Index inputs, int degree) {
  double terms = 1;
  for (int i = 1; i <= degree; ++i) terms *= static_cast<double>(inputs + i) / i;
  return std::round(terms);
}

void PolynomialBasis::evaluate(const double* point, double* values, double* scratch) const {
  const Eigen::Index size = inputs(), orders = degree_ + 1;
  double* shifted = scratch + size * orders;
  for (Eigen::Index j = 0; j < size; ++j) shifted[j] = point[j] - box_.centre[j];
  for (Eigen::Index j = 0; j < size; ++j) {
    double z = 0;
    for (Eigen::Index k = 0; k < size; ++k) z += box_.transform(j, k) * shifted[k];
    double* chebyshev = scratch + j * orders;
    chebyshev[0] = 1;
    if (degree_ > 0) chebyshev[1] = z;
    for (int order = 2; order <= degree_; ++order) {
      chebyshev[order] = 2 * z * chebyshev[order - 1] - chebyshev[order - 2];
    }
  }
  values[0] = 1;
  for (std::size_t i = 1; i < steps_.size(); ++i) values[i] = values[steps_[i].parent] * scratch[steps_[i].factor];
}

Matrix PolynomialBasis::design(const Matrix& samples) const {
  Matrix matrix(samples.rows(), terms());
  Vector point(inputs()), values(terms()), scratch(scratch_size());
  for (Eigen::Index i = 0; i < samples.rows(); ++i) {
    point = samples.row(i).transpose();
    evaluate(point.data(), values.data(), scratch.data());
    matrix.row(i) = values.transpose();
  }
  return matrix;
}

}  // namespace filigree::dynamics
