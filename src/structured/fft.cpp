#include "structured/fft.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/error.h"

namespace filigree::structured {
namespace {

/// exp(-2πi k / n) from the first octant, so that the symmetric values are equal to the last bit.
void unit_root(std::size_t k, std::size_t n, double& re, double& im) {
  const std::size_t eighth = 8 * k / n;  // 0 … 7
  const auto angle = [&](std::size_t from) {
    const double steps = 8 * static_cast<double>(k) - static_cast<double>(from * n);
    return steps / static_cast<double>(n) * (std::numbers::pi / 4);
  };
  double c = 0, s = 0;  // of the angle 2πk/n
  switch (eighth) {
    case 0:
      c = std::cos(angle(0)), s = std::sin(angle(0));
      break;
    case 1:
      c = std::sin(-angle(2)), s = std::cos(-angle(2));
      break;
    case 2:
      c = -std::sin(angle(2)), s = std::cos(angle(2));
      break;
    case 3:
      c = -std::cos(-angle(4)), s = std::sin(-angle(4));
      break;
    case 4:
      c = -std::cos(angle(4)), s = -std::sin(angle(4));
      break;
    case 5:
      c = -std::sin(-angle(6)), s = -std::cos(-angle(6));
      break;
    case 6:
      c = std::sin(angle(6)), s = -std::cos(angle(6));
      break;
    default:
      c = std::cos(-angle(8)), s = -std::sin(-angle(8));
      break;
  }
  re = c;
  im = -s;
}

void fill_roots(std::size_t n, std::vector<double>& re, std::vector<double>& im) {
  re.resize(n);
  im.resize(n);
  for (std::size_t k = 0; k < n; ++k) unit_root(k, n, re[k], im[k]);
}

/// The n roots exp(-2πi k / n).
struct Roots {
  std::size_t n;
  const double *cos, *sin;
};

/// The twiddles w^p, w^2p, w^3p of one radix-4 butterfly.
struct Twiddles {
  double c1, s1, c2, s2, c3, s3;
};

/// One radix-4 butterfly on `count` neighbours: inputs a … d stand `in` apart, outputs `out` apart.
inline void butterfly4(const double* __restrict xr, const double* __restrict xi, double* __restrict yr,
                       double* __restrict yi, std::size_t in, std::size_t out, std::size_t count, const Twiddles& w) {
#pragma GCC ivdep
  for (std::size_t q = 0; q < count; ++q) {
    const double ar = xr[q], ai = xi[q], br = xr[q + in], bi = xi[q + in];
    const double cr = xr[q + 2 * in], ci = xi[q + 2 * in], dr = xr[q + 3 * in], di = xi[q + 3 * in];
    const double apc_r = ar + cr, apc_i = ai + ci, amc_r = ar - cr, amc_i = ai - ci;
    const double bpd_r = br + dr, bpd_i = bi + di;
    const double jbmd_r = di - bi, jbmd_i = br - dr;  // i (b - d)
    const double t1r = amc_r - jbmd_r, t1i = amc_i - jbmd_i;
    const double t2r = apc_r - bpd_r, t2i = apc_i - bpd_i;
    const double t3r = amc_r + jbmd_r, t3i = amc_i + jbmd_i;
    yr[q] = apc_r + bpd_r;
    yi[q] = apc_i + bpd_i;
    yr[q + out] = w.c1 * t1r - w.s1 * t1i;
    yi[q + out] = w.c1 * t1i + w.s1 * t1r;
    yr[q + 2 * out] = w.c2 * t2r - w.s2 * t2i;
    yi[q + 2 * out] = w.c2 * t2i + w.s2 * t2r;
    yr[q + 3 * out] = w.c3 * t3r - w.s3 * t3i;
    yi[q + 3 * out] = w.c3 * t3i + w.s3 * t3r;
  }
}

inline void butterfly2(const double* __restrict xr, const double* __restrict xi, double* __restrict yr,
                       double* __restrict yi, std::size_t count) {
#pragma GCC ivdep
  for (std::size_t q = 0; q < count; ++q) {
    const double ar = xr[q], ai = xi[q], br = xr[q + count], bi = xi[q + count];
    yr[q] = ar + br;
    yi[q] = ai + bi;
    yr[q + count] = ar - br;
    yi[q + count] = ai - bi;
  }
}

/// Stockham's self-sorting transform (radix 4, a radix-2 step at the end where log2 n is odd). With a constant number
/// of lanes the innermost loops unroll. Works in x and y by turns and returns the one that holds the result.
template <std::size_t Lanes>
Split stockham(Split x, Split y, const Roots& roots, std::size_t lanes_given) {
  const std::size_t lanes = Lanes > 0 ? Lanes : lanes_given, n = roots.n;
  const double *cos = roots.cos, *sin = roots.sin;
  double *xr = x.re, *xi = x.im, *yr = y.re, *yi = y.im;
  std::size_t length = n, stride = lanes;
  std::size_t root = 1;  // n / length
  for (; length >= 4; length /= 4, stride *= 4, root *= 4) {
    const std::size_t quarter = length / 4;
    for (std::size_t p = 0; p < quarter; ++p) {
      const std::size_t k = p * root;
      const Twiddles w{cos[k], sin[k], cos[2 * k], sin[2 * k], cos[3 * k], sin[3 * k]};
      const double *ur = xr + stride * p, *ui = xi + stride * p;
      double *vr = yr + stride * 4 * p, *vi = yi + stride * 4 * p;
      if (Lanes > 0 && root == 1)
        butterfly4(ur, ui, vr, vi, Lanes * quarter, Lanes, Lanes, w);
      else
        butterfly4(ur, ui, vr, vi, stride * quarter, stride, stride, w);
    }
    std::swap(xr, yr);
    std::swap(xi, yi);
  }
  if (length == 2) {
    butterfly2(xr, xi, yr, yi, stride);
    std::swap(xr, yr);
    std::swap(xi, yi);
  }
  return {xr, xi};
}

Split run_stockham(Split x, Split y, const Roots& roots, std::size_t lanes) {
  switch (lanes) {
    case 1:
      return stockham<1>(x, y, roots, lanes);
    case 2:
      return stockham<2>(x, y, roots, lanes);
    case 4:
      return stockham<4>(x, y, roots, lanes);
    case 8:
      return stockham<8>(x, y, roots, lanes);
    case 16:
      return stockham<16>(x, y, roots, lanes);
    default:
      return stockham<0>(x, y, roots, lanes);
  }
}

void copy(ConstSplit from, Split to, std::size_t count) {
  if (from.re == to.re) return;
  std::copy_n(from.re, count, to.re);
  std::copy_n(from.im, count, to.im);
}

/// b = transpose of a, (rows, columns) to (columns, rows), in tiles that stay in the cache.
void transpose(const double* __restrict a, double* __restrict b, std::size_t rows, std::size_t columns) {
  constexpr std::size_t tile = 8;
  for (std::size_t i0 = 0; i0 < rows; i0 += tile) {
    for (std::size_t j0 = 0; j0 < columns; j0 += tile) {
      for (std::size_t i = i0; i < i0 + tile; ++i) {
        for (std::size_t j = j0; j < j0 + tile; ++j) b[j * rows + i] = a[i * columns + j];
      }
    }
  }
}

}  // namespace

Fft::Fft(std::size_t n) : n_(n) {
  if (!is_power_of_two(n)) fail("the length of this Fourier transform must be a power of two, not {}", n);
  fill_roots(n, cos_, sin_);
  if (n < 64) return;
  std::size_t half = 0;
  while ((std::size_t{1} << (2 * (half + 1))) <= n) ++half;
  columns_ = std::size_t{1} << half;
  rows_ = n / columns_;
  fill_roots(rows_, short_cos_[0], short_sin_[0]);
  fill_roots(columns_, short_cos_[1], short_sin_[1]);
  row_cos_.resize(n);
  row_sin_.resize(n);
  for (std::size_t k = 0; k < rows_; ++k) {
    for (std::size_t j = 0; j < columns_; ++j) {
      row_cos_[k * columns_ + j] = cos_[k * j];
      row_sin_[k * columns_ + j] = sin_[k * j];
    }
  }
}

/// j = j1 * columns + j2 and k = k1 + rows * k2: transform over j1, multiply by exp(-2πi j2 k1 / n), transform over j2
/// (Gentleman and Sande, 1966). Both passes have the other index as their lanes.
void Fft::four_step(Split x, double* work) const {
  const Split scratch{work, work + n_};
  const Split first = run_stockham(x, scratch, {rows_, short_cos_[0].data(), short_sin_[0].data()}, columns_);
  double* __restrict re = first.re, * __restrict im = first.im;
  const double *c = row_cos_.data(), *s = row_sin_.data();
#pragma GCC ivdep
  for (std::size_t i = 0; i < n_; ++i) {
    const double r = re[i];
    re[i] = c[i] * r - s[i] * im[i];
    im[i] = c[i] * im[i] + s[i] * r;
  }
  const Split turned = first.re == x.re ? scratch : x;
  transpose(first.re, turned.re, rows_, columns_);
  transpose(first.im, turned.im, rows_, columns_);
  copy(run_stockham(turned, first, {columns_, short_cos_[1].data(), short_sin_[1].data()}, rows_), x, n_);
}

void Fft::forward(Split x, std::size_t lanes, double* work) const {
  if (lanes == 1 && rows_ > 0) return four_step(x, work);
  const Split scratch{work, work + n_ * lanes};
  copy(run_stockham(x, scratch, {n_, cos_.data(), sin_.data()}, lanes), x, n_ * lanes);
}

std::size_t Fft::operations() const {
  std::size_t count = 0, length = n_;
  for (; length >= 4; length /= 4) count += (n_ / 4) * (16 + 3 * 6);
  if (length == 2) count += (n_ / 2) * 4;
  return count;
}

}  // namespace filigree::structured
