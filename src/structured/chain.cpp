#include "structured/chain.h"

#include <algorithm>

#include "base/error.h"

namespace filigree::structured {
namespace {

/// Σ conj(a) b is what a gradient multiplies with; plain products make the forward pass.
void product(double ar, double ai, double br, double bi, double& re, double& im) {
  re = ar * br - ai * bi;
  im = ar * bi + ai * br;
}

}  // namespace

DftDiagonal::DftDiagonal(std::size_t n, bool conjugate) : n_(n), conjugate_(conjugate), fft_(2 * n) {}

void DftDiagonal::second(Split u, double* work) const {
  if (!conjugate_) return fft_.forward(u, 1, work);
  fft_.inverse(u, 1, work);
  const double scale = 1 / static_cast<double>(2 * n_);
  for (std::size_t k = 0; k < 2 * n_; ++k) u.re[k] *= scale, u.im[k] *= scale;
}

void DftDiagonal::second_adjoint(Split u, double* work) const {
  if (!conjugate_) return fft_.inverse(u, 1, work);
  fft_.forward(u, 1, work);
  const double scale = 1 / static_cast<double>(2 * n_);
  for (std::size_t k = 0; k < 2 * n_; ++k) u.re[k] *= scale, u.im[k] *= scale;
}

DftDiagonal::Factors DftDiagonal::hankel(const std::vector<double>& h) const {
  FILIGREE_ASSERT(conjugate_);
  if (h.size() != 2 * n_ - 1) fail("a {} × {} Hankel matrix has {} entries, not {}", n_, n_, 2 * n_ - 1, h.size());
  Factors factors{std::vector<double>(2 * n_), std::vector<double>(2 * n_), std::vector<double>(n_, 1.0),
                  std::vector<double>(n_, 0.0)};
  // First column of the circulant that holds the reversed rows: h_{n-1} … h_0, anything, h_{2n-2} … h_n.
  for (std::size_t k = 0; k < n_; ++k) factors.hat_re[k] = h[n_ - 1 - k];
  for (std::size_t k = 1; k < n_; ++k) factors.hat_re[n_ + k] = h[2 * n_ - 1 - k];
  std::vector<double> work(fft_.work_size(1));
  fft_.forward({factors.hat_re.data(), factors.hat_im.data()}, 1, work.data());
  return factors;
}

void DftDiagonal::multiply(const Factors& f, ConstSplit x, Split y, double* trace, double* work) const {
  const std::size_t r = 2 * n_;
  const Split u{trace, trace + r}, v{work, work + r};
  double* scratch = work + 2 * r;
  std::copy_n(x.re, n_, u.re);
  std::copy_n(x.im, n_, u.im);
  std::fill(u.re + n_, u.re + r, 0.0);
  std::fill(u.im + n_, u.im + r, 0.0);
  fft_.forward(u, 1, scratch);
  for (std::size_t k = 0; k < r; ++k) product(f.hat_re[k], f.hat_im[k], u.re[k], u.im[k], v.re[k], v.im[k]);
  second(v, scratch);
  for (std::size_t k = 0; k < n_; ++k) {
    product(f.check_re[k], f.check_im[k], v.re[n_ - 1 - k], v.im[n_ - 1 - k], y.re[k], y.im[k]);
  }
}

void DftDiagonal::multiply_transposed(const Factors& f, ConstSplit x, Split y, double* work) const {
  // F is symmetric, so the transpose of F_r^* / r is itself too.
  const std::size_t r = 2 * n_;
  const Split v{work, work + r};
  double* scratch = work + 2 * r;
  std::fill(v.re + n_, v.re + r, 0.0);
  std::fill(v.im + n_, v.im + r, 0.0);
  for (std::size_t k = 0; k < n_; ++k) {
    product(f.check_re[k], f.check_im[k], x.re[k], x.im[k], v.re[n_ - 1 - k], v.im[n_ - 1 - k]);
  }
  second(v, scratch);
  for (std::size_t k = 0; k < r; ++k) {
    const double re = v.re[k], im = v.im[k];
    product(f.hat_re[k], f.hat_im[k], re, im, v.re[k], v.im[k]);
  }
  fft_.forward(v, 1, scratch);
  std::copy_n(v.re, n_, y.re);
  std::copy_n(v.im, n_, y.im);
}

void DftDiagonal::backward(const Factors& f, ConstSplit g, const double* trace, Split gx, Factors& grad,
                           double* work) const {
  const std::size_t r = 2 * n_;
  const ConstSplit u{trace, trace + r};
  const Split v{work, work + r};
  double* scratch = work + 2 * r;
  // Once more what stood before ď.
  for (std::size_t k = 0; k < r; ++k) product(f.hat_re[k], f.hat_im[k], u.re[k], u.im[k], v.re[k], v.im[k]);
  second(v, scratch);
  for (std::size_t k = 0; k < n_; ++k) {
    double re = 0, im = 0;
    product(v.re[n_ - 1 - k], -v.im[n_ - 1 - k], g.re[k], g.im[k], re, im);
    grad.check_re[k] += re;
    grad.check_im[k] += im;
  }
  std::fill(v.re, v.re + r, 0.0);
  std::fill(v.im, v.im + r, 0.0);
  for (std::size_t k = 0; k < n_; ++k) {
    product(f.check_re[k], -f.check_im[k], g.re[k], g.im[k], v.re[n_ - 1 - k], v.im[n_ - 1 - k]);
  }
  second_adjoint(v, scratch);
  for (std::size_t k = 0; k < r; ++k) {
    const double gr = v.re[k], gi = v.im[k];
    double re = 0, im = 0;
    product(u.re[k], -u.im[k], gr, gi, re, im);
    grad.hat_re[k] += re;
    grad.hat_im[k] += im;
    product(f.hat_re[k], -f.hat_im[k], gr, gi, v.re[k], v.im[k]);
  }
  fft_.inverse(v, 1, scratch);
  std::copy_n(v.re, n_, gx.re);
  std::copy_n(v.im, n_, gx.im);
}

}  // namespace filigree::structured
