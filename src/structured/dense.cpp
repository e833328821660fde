#include "structured/dense.h"

#include <cmath>
#include <complex>
#include <numbers>

#include "base/error.h"

namespace filigree::structured {
namespace {

std::complex<double> root(Eigen::Index k, Eigen::Index n) {
  return std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n));
}

Eigen::Index half_length(const Eigen::VectorXd& symbol) {
  if (symbol.size() % 2 == 0) {
    fail("an n × n Hankel or Toeplitz matrix has 2n - 1 different entries, an odd number; got {}", symbol.size());
  }
  return (symbol.size() + 1) / 2;
}

}  // namespace

Eigen::MatrixXcd dft_matrix(Eigen::Index n) {
  Eigen::MatrixXcd f(n, n);
  for (Eigen::Index j = 0; j < n; ++j) {
    for (Eigen::Index k = 0; k < n; ++k) f(j, k) = root(j * k, n);
  }
  return f;
}

Eigen::MatrixXcd dft_by_factors(Eigen::Index r) {
  if (r == 1) return Eigen::MatrixXcd::Ones(1, 1);
  if (r % 2 != 0) fail("the factors of the Fourier matrix need a power of two, not a length with the odd part {}", r);
  const Eigen::Index n = r / 2;
  Eigen::MatrixXcd h = Eigen::MatrixXcd::Zero(r, r);
  for (Eigen::Index k = 0; k < n; ++k) {
    h(k, k) = h(k, n + k) = 1;
    h(n + k, k) = root(k, r);
    h(n + k, n + k) = -root(k, r);
  }
  const Eigen::MatrixXcd half = dft_by_factors(n);
  Eigen::MatrixXcd both = Eigen::MatrixXcd::Zero(r, r);
  both.topLeftCorner(n, n) = half;
  both.bottomRightCorner(n, n) = half;
  const Eigen::MatrixXcd product = both * h;
  Eigen::MatrixXcd result(r, r);  // P^T: the first half goes to the even rows
  for (Eigen::Index k = 0; k < n; ++k) {
    result.row(2 * k) = product.row(k);
    result.row(2 * k + 1) = product.row(n + k);
  }
  return result;
}

Eigen::MatrixXd circulant_matrix(const Eigen::VectorXd& column) {
  const Eigen::Index n = column.size();
  return Eigen::MatrixXd::NullaryExpr(n, n, [&](Eigen::Index i, Eigen::Index j) { return column((i - j + n) % n); });
}

Eigen::MatrixXd toeplitz_matrix(const Eigen::VectorXd& symbol) {
  const Eigen::Index n = half_length(symbol);
  return Eigen::MatrixXd::NullaryExpr(n, n, [&](Eigen::Index i, Eigen::Index j) { return symbol(n - 1 - i + j); });
}

Eigen::MatrixXd hankel_matrix(const Eigen::VectorXd& symbol) {
  const Eigen::Index n = half_length(symbol);
  return Eigen::MatrixXd::NullaryExpr(n, n, [&](Eigen::Index i, Eigen::Index j) { return symbol(i + j); });
}

}  // namespace filigree::structured
