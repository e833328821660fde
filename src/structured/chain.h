#pragma once

#include <vector>

#include "structured/fft.h"

namespace filigree::structured {

/// The published weight of one block, as written: diag(ď) Ĩ J^T F_r diag(d̂) F_r J, r = 2n, J the zero padding from n to
/// r and Ĩ the reversal of rows (StNN, arXiv 2503.23697; LeviLingsch/StNN: train_pendulum.py). The exact Hankel matrix
/// needs F_r^* / r in the second place, which `conjugate` chooses. Complex, one lane; n a power of two.
class DftDiagonal {
 public:
  /// The two diagonals, or the gradients with respect to them.
  struct Factors {
    std::vector<double> hat_re, hat_im;      ///< d̂, r numbers
    std::vector<double> check_re, check_im;  ///< ď, n numbers
  };

  explicit DftDiagonal(std::size_t n, bool conjugate);

  std::size_t size() const { return n_; }
  std::size_t work_size() const { return 4 * n_ + fft_.work_size(1); }

  /// Factors that make the chain the Hankel matrix of h (2n - 1 numbers); needs `conjugate`.
  Factors hankel(const std::vector<double>& h) const;

  /// y = chain · x; `trace` (2r doubles) keeps F_r J x for the gradient.
  void multiply(const Factors& factors, ConstSplit x, Split y, double* trace, double* work) const;

  /// y = chain^T · x, the plain transpose.
  void multiply_transposed(const Factors& factors, ConstSplit x, Split y, double* work) const;

  /// From g = dL/dRe y + i dL/dIm y: the same for x (into gx) and for the factors (added to `grad`).
  void backward(const Factors& factors, ConstSplit g, const double* trace, Split gx, Factors& grad, double* work) const;

  /// Real numbers in the two diagonals.
  std::size_t parameters() const { return 2 * (2 * n_ + n_); }
  std::size_t operations() const { return 2 * fft_.operations() + 6 * 2 * n_ + 6 * n_; }

 private:
  void second(Split u, double* work) const;          // F_r or F_r^* / r
  void second_adjoint(Split u, double* work) const;  // its conjugate transpose

  std::size_t n_;
  bool conjugate_;
  Fft fft_;
};

}  // namespace filigree::structured
