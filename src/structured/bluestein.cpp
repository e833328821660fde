#include "structured/bluestein.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace filigree::structured {

Bluestein::Bluestein(std::size_t n) : n_(n), fft_(next_power_of_two(n == 0 ? 1 : 2 * n - 1)) {
  if (n == 0) fail("a Fourier transform needs a length of at least 1");
  chirp_re_.resize(n);
  chirp_im_.resize(n);
  for (std::size_t k = 0; k < n; ++k) {
    // k² modulo 2n keeps the angle small and so exact.
    const double angle = std::numbers::pi * static_cast<double>(k * k % (2 * n)) / static_cast<double>(n);
    chirp_re_[k] = std::cos(angle);
    chirp_im_[k] = -std::sin(angle);
  }
  const std::size_t m = fft_.size();
  kernel_re_.assign(m, 0);
  kernel_im_.assign(m, 0);
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t mirrored = k == 0 ? 0 : m - k;
    kernel_re_[k] = kernel_re_[mirrored] = chirp_re_[k] / static_cast<double>(m);
    kernel_im_[k] = kernel_im_[mirrored] = -chirp_im_[k] / static_cast<double>(m);
  }
  std::vector<double> work(fft_.work_size(1));
  fft_.forward({kernel_re_.data(), kernel_im_.data()}, 1, work.data());
}

void Bluestein::forward(Split x, double* work) const {
  const std::size_t m = fft_.size();
  const Split y{work, work + m};
  double* scratch = work + 2 * m;
  for (std::size_t k = 0; k < n_; ++k) {
    y.re[k] = chirp_re_[k] * x.re[k] - chirp_im_[k] * x.im[k];
    y.im[k] = chirp_re_[k] * x.im[k] + chirp_im_[k] * x.re[k];
  }
  std::fill(y.re + n_, y.re + m, 0.0);
  std::fill(y.im + n_, y.im + m, 0.0);
  fft_.forward(y, 1, scratch);
  for (std::size_t k = 0; k < m; ++k) {
    const double re = y.re[k];
    y.re[k] = kernel_re_[k] * re - kernel_im_[k] * y.im[k];
    y.im[k] = kernel_re_[k] * y.im[k] + kernel_im_[k] * re;
  }
  fft_.inverse(y, 1, scratch);
  for (std::size_t k = 0; k < n_; ++k) {
    x.re[k] = chirp_re_[k] * y.re[k] - chirp_im_[k] * y.im[k];
    x.im[k] = chirp_re_[k] * y.im[k] + chirp_im_[k] * y.re[k];
  }
}

}  // namespace filigree::structured
