#pragma once

#include <vector>

#include "structured/fft.h"

namespace filigree::structured {

/// The discrete Fourier transform of any length, by Bluestein's chirp: jk = (j² + k² - (k - j)²) / 2 turns it into a
/// convolution, done with powers of two (Bluestein, 1970). Conventions as Fft, one lane. Immutable.
class Bluestein {
 public:
  /// Error where n is 0.
  explicit Bluestein(std::size_t n);

  std::size_t size() const { return n_; }
  std::size_t work_size() const { return 2 * fft_.size() + fft_.work_size(1); }

  /// In place; `work` holds work_size() doubles.
  void forward(Split x, double* work) const;

  /// Conjugate transpose of forward; n times the inverse. The plain transpose is forward itself.
  void inverse(Split x, double* work) const { forward({x.im, x.re}, work); }

  std::size_t operations() const { return 2 * fft_.operations() + 6 * fft_.size() + 12 * n_; }

 private:
  std::size_t n_;
  Fft fft_;
  std::vector<double> chirp_re_, chirp_im_;    // exp(-iπ k² / n), k < n
  std::vector<double> kernel_re_, kernel_im_;  // transform of the conjugate chirp, divided by the length
};

}  // namespace filigree::structured
