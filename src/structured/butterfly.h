#pragma once

#include <vector>

#include "structured/fft.h"

namespace filigree::structured {

/// A product of log2 n sparse factors, each n/2 complex 2 × 2 matrices, behind the bit-reversal permutation: the shape of
/// the fast Fourier transform with numbers that can be learned (Dao and others: Learning fast algorithms for linear
/// transforms using butterfly factorizations, ICML 2019). It starts as the Fourier transform itself.
///
/// `twiddles` learns w in [[1, w], [1, -w]], 2 numbers a butterfly; `full` learns all entries, 8 numbers.
class Butterfly {
 public:
  enum class Kind { twiddles, full };

  Butterfly(std::size_t n, Kind kind);

  std::size_t size() const { return n_; }
  std::size_t num_stages() const { return stages_; }

  /// Learned real numbers: n log2 n, or 4 n log2 n. Stage by stage, butterfly by butterfly; of each the real parts and
  /// imaginary parts of w, or of a, b, c, d in [[a, b], [c, d]].
  std::size_t parameters() const { return stages_ * (n_ / 2) * per_butterfly(); }
  std::size_t operations() const { return stages_ * (n_ / 2) * (kind_ == Kind::full ? 28 : 10); }

  /// The numbers of the Fourier transform.
  std::vector<double> fourier() const;

  /// Doubles that keep the input of every stage: what the gradient needs.
  std::size_t trace_size(std::size_t lanes) const { return 2 * stages_ * n_ * lanes; }

  /// x becomes B x (or B^T x). `trace` may be null where no gradient is wanted. `work`: 2 n lanes doubles.
  void multiply(const double* numbers, Split x, std::size_t lanes, double* trace, double* work) const;
  void multiply_transposed(const double* numbers, Split x, std::size_t lanes, double* trace, double* work) const;

  /// g = dL/dRe y + i dL/dIm y becomes the same for x; the gradients of the numbers are added to `grad`, lane by lane:
  /// (parameters, lanes).
  void backward(const double* numbers, Split g, std::size_t lanes, const double* trace, double* grad,
                double* work) const;
  void backward_transposed(const double* numbers, Split g, std::size_t lanes, const double* trace, double* grad,
                           double* work) const;

 private:
  std::size_t per_butterfly() const { return kind_ == Kind::full ? 8 : 2; }
  struct Stage;
  void permute(Split x, std::size_t lanes, double* work) const;
  void stage_forward(const Stage& stage, bool transposed) const;
  void stage_backward(const Stage& stage, bool transposed) const;

  std::size_t n_, stages_ = 0;
  Kind kind_;
  std::vector<std::size_t> reversed_;
};

}  // namespace filigree::structured
