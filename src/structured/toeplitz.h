#pragma once

#include <span>
#include <vector>

#include <Eigen/Core>

#include "structured/skew.h"

/// Products with matrices that are constant along diagonals, in O(n log n), for any n.
namespace filigree::structured {

/// Scratch for one caller; grows to what is needed and is then reused, so that a product allocates nothing.
class Workspace {
 public:
  double* get(std::size_t count) {
    if (buffer_.size() < count) buffer_.resize(count);
    return buffer_.data();
  }

 private:
  std::vector<double> buffer_;
};

/// T_ij = t_{n - 1 - i + j}: 2n - 1 numbers. Lengths that are not powers of two are padded.
class Toeplitz {
 public:
  /// Error where the number of entries is even.
  explicit Toeplitz(const Eigen::VectorXd& symbol);

  Eigen::Index size() const { return n_; }

  /// y = T x; x and y have n numbers and may be the same.
  void multiply(const double* x, double* y, Workspace& workspace) const { apply(x, y, false, workspace); }
  /// y = T^T x.
  void multiply_transposed(const double* x, double* y, Workspace& workspace) const { apply(x, y, true, workspace); }

  /// Gradient of a loss with respect to the symbol, where y = T x was used and g is the gradient with respect to y.
  Eigen::VectorXd gradient(const Eigen::VectorXd& x, const Eigen::VectorXd& g, Workspace& workspace) const;

  Eigen::VectorXd operator*(const Eigen::VectorXd& x) const;

  std::size_t parameters() const { return static_cast<std::size_t>(2 * n_ - 1); }
  std::size_t operations() const { return skew_.operations(); }

 private:
  void apply(const double* x, double* y, bool transposed, Workspace& workspace) const;
  void load(const double* x, double* padded) const;

  Eigen::Index n_;
  SkewProduct skew_;
  std::vector<double> lambda_;  // real parts, imaginary parts
};

/// H_ij = h_{i + j}: 2n - 1 numbers; symmetric, so its transpose is itself.
class Hankel {
 public:
  explicit Hankel(const Eigen::VectorXd& symbol) : toeplitz_(symbol) {}
  Eigen::Index size() const { return toeplitz_.size(); }
  /// y = H x; x and y may be the same.
  void multiply(const double* x, double* y, Workspace& workspace) const;
  Eigen::VectorXd gradient(const Eigen::VectorXd& x, const Eigen::VectorXd& g, Workspace& workspace) const;
  Eigen::VectorXd operator*(const Eigen::VectorXd& x) const;
  std::size_t parameters() const { return toeplitz_.parameters(); }
  std::size_t operations() const { return toeplitz_.operations(); }

 private:
  Toeplitz toeplitz_;
};

/// C_ij = c_{(i - j) mod n}: n numbers.
class Circulant {
 public:
  /// Error where there is no entry.
  explicit Circulant(const Eigen::VectorXd& column);
  Eigen::Index size() const { return toeplitz_.size(); }
  void multiply(const double* x, double* y, Workspace& workspace) const { toeplitz_.multiply(x, y, workspace); }
  void multiply_transposed(const double* x, double* y, Workspace& workspace) const {
    toeplitz_.multiply_transposed(x, y, workspace);
  }
  Eigen::VectorXd gradient(const Eigen::VectorXd& x, const Eigen::VectorXd& g, Workspace& workspace) const;
  Eigen::VectorXd operator*(const Eigen::VectorXd& x) const { return toeplitz_ * x; }
  std::size_t parameters() const { return static_cast<std::size_t>(size()); }
  std::size_t operations() const { return toeplitz_.operations(); }

 private:
  Toeplitz toeplitz_;
};

}  // namespace filigree::structured
