#pragma once

#include <cstddef>
#include <vector>

/// The discrete Fourier transform of lengths that are powers of two, vectorised and free of allocation.
///
/// Complex numbers are split: one array of real parts, one of imaginary parts. Sign and scale: X_k = Σ_j x_j
/// exp(-2πi jk / n), nothing divided; the inverse is `inverse` divided by n.
namespace filigree::structured {

/// Whether n is 1, 2, 4, 8, …
constexpr bool is_power_of_two(std::size_t n) { return n > 0 && (n & (n - 1)) == 0; }

/// The smallest power of two that is at least n.
constexpr std::size_t next_power_of_two(std::size_t n) {
  std::size_t power = 1;
  while (power < n) power *= 2;
  return power;
}

/// A split complex array: element k of lane b stands at index k * lanes + b. `lanes` independent transforms run side by
/// side, which is what fills the processor's vector registers.
struct Split {
  double* re = nullptr;
  double* im = nullptr;
};
struct ConstSplit {
  const double* re = nullptr;
  const double* im = nullptr;
  ConstSplit() = default;
  ConstSplit(const double* real, const double* imaginary) : re(real), im(imaginary) {}
  ConstSplit(const Split& split) : re(split.re), im(split.im) {}  // NOLINT: a view of what may be written
};

/// Precomputed twiddle factors for one length. Immutable, so that threads may share it.
///
///     Fft fft(16);
///     std::vector<double> re(16, 1.0), im(16, 0.0), work(fft.work_size(1));
///     fft.forward({re.data(), im.data()}, 1, work.data());   // re = {16, 0, …, 0}
class Fft {
 public:
  /// Error where n is not a power of two.
  explicit Fft(std::size_t n);

  std::size_t size() const { return n_; }

  /// Doubles of scratch that a transform of so many lanes needs.
  std::size_t work_size(std::size_t lanes) const { return 2 * n_ * lanes; }

  /// In place.
  void forward(Split x, std::size_t lanes, double* work) const;

  /// Conjugate transpose of forward, in place: n times the inverse. Since F is symmetric, its plain transpose is
  /// forward itself.
  void inverse(Split x, std::size_t lanes, double* work) const { forward({x.im, x.re}, lanes, work); }

  /// Additions and multiplications of one transform, by counting the loops that run; a long single one has n - 1
  /// twiddles more.
  std::size_t operations() const;

 private:
  void four_step(Split x, double* work) const;

  std::size_t n_;
  std::vector<double> cos_, sin_;  // exp(-2πi k / n), k < n
  // A single long transform is two passes of short ones over lanes: n = rows * columns.
  std::size_t rows_ = 0, columns_ = 0;
  std::vector<double> row_cos_, row_sin_;            // twiddles between the passes, (rows, columns)
  std::vector<double> short_cos_[2], short_sin_[2];  // for the lengths rows and columns
};

}  // namespace filigree::structured
