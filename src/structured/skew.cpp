#include "structured/skew.h"

#include <cmath>
#include <numbers>

namespace filigree::structured {

SkewProduct::SkewProduct(std::size_t n) : fft_(n), cos_(n), sin_(n) {
  for (std::size_t k = 0; k < n; ++k) {
    const double angle = std::numbers::pi * static_cast<double>(k) / (2 * static_cast<double>(n));
    cos_[k] = std::cos(angle);
    sin_[k] = -std::sin(angle);
  }
}

void SkewProduct::spectrum(const double* t, Split lambda, double* work) const {
  // With the first column c = a + ib and the factor -i on what wraps around, the real part is a_{i-j} below the diagonal
  // and b_{n+i-j} above it.
  const std::size_t n = size();
  for (std::size_t k = 0; k < n; ++k) {
    const double re = t[n - 1 - k], im = k == 0 ? 0 : t[2 * n - 1 - k];
    lambda.re[k] = cos_[k] * re - sin_[k] * im;
    lambda.im[k] = cos_[k] * im + sin_[k] * re;
  }
  fft_.forward(lambda, 1, work);
}

std::vector<double> SkewProduct::symbol(ConstSplit lambda) const {
  const std::size_t n = size();
  std::vector<double> re(lambda.re, lambda.re + n), im(lambda.im, lambda.im + n), work(work_size(1)), t(2 * n - 1);
  fft_.inverse({re.data(), im.data()}, 1, work.data());
  const double scale = 1 / static_cast<double>(n);
  for (std::size_t k = 0; k < n; ++k) {
    t[n - 1 - k] = scale * (cos_[k] * re[k] + sin_[k] * im[k]);
    if (k > 0) t[2 * n - 1 - k] = scale * (cos_[k] * im[k] - sin_[k] * re[k]);
  }
  return t;
}

void SkewProduct::twist(const double* __restrict x, Split u, std::size_t lanes) const {
  double* __restrict re = u.re, * __restrict im = u.im;
  for (std::size_t k = 0; k < size(); ++k) {
    const double c = cos_[k], s = sin_[k];
    for (std::size_t b = k * lanes; b < (k + 1) * lanes; ++b) {
      re[b] = c * x[b];
      im[b] = s * x[b];
    }
  }
}

void SkewProduct::analyse(const double* x, Split u, std::size_t lanes, double* work) const {
  twist(x, u, lanes);
  fft_.forward(u, lanes, work);
}

void SkewProduct::synthesise(Split v, double* y, std::size_t lanes, double* work) const {
  fft_.inverse(v, lanes, work);
  untwist(v, y, lanes);
}

void SkewProduct::untwist(ConstSplit v, double* __restrict y, std::size_t lanes) const {
  const double* __restrict re = v.re, * __restrict im = v.im;
  const double scale = 1 / static_cast<double>(size());
  for (std::size_t k = 0; k < size(); ++k) {
    const double c = scale * cos_[k], s = scale * sin_[k];
    for (std::size_t b = k * lanes; b < (k + 1) * lanes; ++b) y[b] = c * re[b] + s * im[b];
  }
}

void SkewProduct::scale(ConstSplit lambda, bool shared, bool conjugate, ConstSplit u, Split v,
                        std::size_t lanes) const {
  const double sign = conjugate ? -1 : 1;
  const double* __restrict ur = u.re, * __restrict ui = u.im;
  double* __restrict vr = v.re, * __restrict vi = v.im;
  if (shared) {
    for (std::size_t k = 0; k < size(); ++k) {
      const double lr = lambda.re[k], li = sign * lambda.im[k];
      for (std::size_t b = k * lanes; b < (k + 1) * lanes; ++b) {
        const double r = ur[b], i = ui[b];
        vr[b] = lr * r - li * i;
        vi[b] = lr * i + li * r;
      }
    }
    return;
  }
  for (std::size_t b = 0; b < size() * lanes; ++b) {
    const double lr = lambda.re[b], li = sign * lambda.im[b], r = ur[b], i = ui[b];
    vr[b] = lr * r - li * i;
    vi[b] = lr * i + li * r;
  }
}

void SkewProduct::gradient(ConstSplit analysed, ConstSplit u, Split grad, std::size_t lanes) const {
  const double* __restrict gr = analysed.re, * __restrict gi = analysed.im;
  const double* __restrict ur = u.re, * __restrict ui = u.im;
  double* __restrict re = grad.re, * __restrict im = grad.im;
  const double scale = 1 / static_cast<double>(size());
  for (std::size_t b = 0; b < size() * lanes; ++b) {
    re[b] = scale * (gr[b] * ur[b] + gi[b] * ui[b]);
    im[b] = scale * (gi[b] * ur[b] - gr[b] * ui[b]);
  }
}

}  // namespace filigree::structured
