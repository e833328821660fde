#include "structured/toeplitz.h"

#include <algorithm>

#include "base/error.h"

namespace filigree::structured {
namespace {

std::size_t padded_size(const Eigen::VectorXd& symbol) {
  if (symbol.size() % 2 == 0) {
    fail("an n × n Hankel or Toeplitz matrix has 2n - 1 different entries, an odd number; got {}", symbol.size());
  }
  return next_power_of_two(static_cast<std::size_t>((symbol.size() + 1) / 2));
}

/// The Toeplitz symbol of a circulant: t_{n - 1 - i + j} = c_{(i - j) mod n}.
Eigen::VectorXd circulant_symbol(const Eigen::VectorXd& column) {
  const Eigen::Index n = column.size();
  if (n == 0) fail("a circulant matrix needs at least one entry");
  Eigen::VectorXd symbol(2 * n - 1);
  for (Eigen::Index k = 0; k < symbol.size(); ++k) symbol(k) = column((2 * n - 1 - k) % n);
  return symbol;
}

}  // namespace

Toeplitz::Toeplitz(const Eigen::VectorXd& symbol)
    : n_((symbol.size() + 1) / 2), skew_(padded_size(symbol)), lambda_(2 * skew_.size()) {
  const std::size_t padded = skew_.size(), n = static_cast<std::size_t>(n_);
  std::vector<double> t(2 * padded - 1, 0.0), work(skew_.work_size(1));
  std::copy(symbol.begin(), symbol.end(), t.begin() + static_cast<std::ptrdiff_t>(padded - n));
  skew_.spectrum(t.data(), {lambda_.data(), lambda_.data() + padded}, work.data());
}

void Toeplitz::load(const double* x, double* padded) const {
  std::copy_n(x, n_, padded);
  std::fill(padded + n_, padded + skew_.size(), 0.0);
}

void Toeplitz::apply(const double* x, double* y, bool transposed, Workspace& workspace) const {
  const std::size_t n = skew_.size();
  double* buffer = workspace.get(3 * n + skew_.work_size(1));
  const Split u{buffer, buffer + n};
  double *real = buffer + 2 * n, *work = buffer + 3 * n;
  load(x, real);
  skew_.analyse(real, u, 1, work);
  skew_.scale({lambda_.data(), lambda_.data() + n}, true, transposed, u, u, 1);
  skew_.synthesise(u, real, 1, work);
  std::copy_n(real, n_, y);
}

Eigen::VectorXd Toeplitz::operator*(const Eigen::VectorXd& x) const {
  if (x.size() != n_) fail("a {} × {} matrix cannot multiply a vector of {}", n_, n_, x.size());
  Workspace workspace;
  Eigen::VectorXd y(n_);
  multiply(x.data(), y.data(), workspace);
  return y;
}

/// dL/dt_k = Σ g_i x_j over i, j with n - 1 - i + j = k: a correlation. It is what the gradient with respect to λ becomes
/// when λ is written through t, and every t_k enters λ by a unitary transform, times n.
Eigen::VectorXd Toeplitz::gradient(const Eigen::VectorXd& x, const Eigen::VectorXd& g, Workspace& workspace) const {
  const std::size_t n = skew_.size();
  double* buffer = workspace.get(7 * n + skew_.work_size(1));
  const Split u{buffer, buffer + n}, v{buffer + 2 * n, buffer + 3 * n}, grad{buffer + 4 * n, buffer + 5 * n};
  double *real = buffer + 6 * n, *work = buffer + 7 * n;
  load(x.data(), real);
  skew_.analyse(real, u, 1, work);
  load(g.data(), real);
  skew_.analyse(real, v, 1, work);
  skew_.gradient(v, u, grad, 1);
  const std::vector<double> t = skew_.symbol(grad);
  Eigen::VectorXd result(2 * n_ - 1);
  for (Eigen::Index k = 0; k < result.size(); ++k) {
    result(k) = static_cast<double>(n) * t[static_cast<std::size_t>(k) + n - static_cast<std::size_t>(n_)];
  }
  return result;
}

void Hankel::multiply(const double* x, double* y, Workspace& workspace) const {
  toeplitz_.multiply(x, y, workspace);
  std::reverse(y, y + size());
}

Eigen::VectorXd Hankel::gradient(const Eigen::VectorXd& x, const Eigen::VectorXd& g, Workspace& workspace) const {
  return toeplitz_.gradient(x, g.reverse(), workspace);
}

Eigen::VectorXd Hankel::operator*(const Eigen::VectorXd& x) const { return (toeplitz_ * x).reverse(); }

Circulant::Circulant(const Eigen::VectorXd& column) : toeplitz_(circulant_symbol(column)) {}

Eigen::VectorXd Circulant::gradient(const Eigen::VectorXd& x, const Eigen::VectorXd& g, Workspace& workspace) const {
  const Eigen::VectorXd symbol = toeplitz_.gradient(x, g, workspace);
  Eigen::VectorXd column = Eigen::VectorXd::Zero(size());
  for (Eigen::Index k = 0; k < symbol.size(); ++k) column((2 * size() - 1 - k) % size()) += symbol(k);
  return column;
}

}  // namespace filigree::structured
