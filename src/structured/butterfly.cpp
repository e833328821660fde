#include "structured/butterfly.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace filigree::structured {
namespace {

struct Complex {
  double re = 0, im = 0;
};
Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
Complex operator-(Complex a) { return {-a.re, -a.im}; }
Complex conj(Complex a) { return {a.re, -a.im}; }

/// [[a, b], [c, d]].
struct Two {
  Complex a, b, c, d;
};

Two load(const double* numbers, bool full) {
  if (full)
    return {{numbers[0], numbers[1]}, {numbers[2], numbers[3]}, {numbers[4], numbers[5]}, {numbers[6], numbers[7]}};
  const Complex w{numbers[0], numbers[1]};
  return {{1, 0}, w, {1, 0}, -w};
}

Two transposed_of(const Two& m) { return {m.a, m.c, m.b, m.d}; }

void add(double* grad, std::size_t lanes, Complex value) {
  grad[0] += value.re;
  grad[lanes] += value.im;
}

}  // namespace

/// One stage at work: butterflies of two elements `half` apart.
struct Butterfly::Stage {
  const double* numbers;  // of its first butterfly
  Split x;                // what it transforms; in the backward pass the gradient
  ConstSplit input;       // backward pass: its input in the forward pass
  double* grad;           // backward pass: (numbers, lanes)
  std::size_t half, lanes;
};

Butterfly::Butterfly(std::size_t n, Kind kind) : n_(n), kind_(kind), reversed_(n) {
  if (!is_power_of_two(n)) fail("the size of a butterfly must be a power of two, not {}", n);
  while ((std::size_t{1} << stages_) < n) ++stages_;
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t bit = 0; bit < stages_; ++bit) reversed_[k] |= ((k >> bit) & 1) << (stages_ - 1 - bit);
  }
}

std::vector<double> Butterfly::fourier() const {
  std::vector<double> numbers;
  numbers.reserve(parameters());
  for (std::size_t half = 1; half < n_; half *= 2) {
    for (std::size_t pair = 0; pair < n_ / 2; ++pair) {
      const double angle = -std::numbers::pi * static_cast<double>(pair % half) / static_cast<double>(half);
      const double c = std::cos(angle), s = std::sin(angle);
      if (kind_ == Kind::full)
        numbers.insert(numbers.end(), {1, 0, c, s, 1, 0, -c, -s});
      else
        numbers.insert(numbers.end(), {c, s});
    }
  }
  return numbers;
}

void Butterfly::permute(Split x, std::size_t lanes, double* work) const {
  for (double* part : {x.re, x.im}) {
    std::copy_n(part, n_ * lanes, work);
    for (std::size_t k = 0; k < n_; ++k) std::copy_n(work + reversed_[k] * lanes, lanes, part + k * lanes);
  }
}

void Butterfly::stage_forward(const Stage& s, bool transposed) const {
  for (std::size_t pair = 0; pair < n_ / 2; ++pair) {
    Two m = load(s.numbers + pair * per_butterfly(), kind_ == Kind::full);
    if (transposed) m = transposed_of(m);
    const std::size_t first = (pair / s.half * 2 * s.half + pair % s.half) * s.lanes, second = first + s.half * s.lanes;
    for (std::size_t l = 0; l < s.lanes; ++l) {
      const Complex p{s.x.re[first + l], s.x.im[first + l]}, q{s.x.re[second + l], s.x.im[second + l]};
      const Complex top = m.a * p + m.b * q, bottom = m.c * p + m.d * q;
      s.x.re[first + l] = top.re, s.x.im[first + l] = top.im;
      s.x.re[second + l] = bottom.re, s.x.im[second + l] = bottom.im;
    }
  }
}

void Butterfly::stage_backward(const Stage& s, bool transposed) const {
  const bool full = kind_ == Kind::full;
  for (std::size_t pair = 0; pair < n_ / 2; ++pair) {
    Two m = load(s.numbers + pair * per_butterfly(), full);
    if (transposed) m = transposed_of(m);
    const std::size_t first = (pair / s.half * 2 * s.half + pair % s.half) * s.lanes, second = first + s.half * s.lanes;
    double* grad = s.grad + pair * per_butterfly() * s.lanes;
    for (std::size_t l = 0; l < s.lanes; ++l) {
      const Complex p{s.input.re[first + l], s.input.im[first + l]}, q{s.input.re[second + l], s.input.im[second + l]};
      const Complex g{s.x.re[first + l], s.x.im[first + l]}, h{s.x.re[second + l], s.x.im[second + l]};
      Two d{g * conj(p), g * conj(q), h * conj(p), h * conj(q)};
      if (transposed) d = transposed_of(d);
      if (full) {
        add(grad + l, s.lanes, d.a), add(grad + 2 * s.lanes + l, s.lanes, d.b);
        add(grad + 4 * s.lanes + l, s.lanes, d.c), add(grad + 6 * s.lanes + l, s.lanes, d.d);
      } else {
        add(grad + l, s.lanes, d.b + -d.d);
      }
      const Complex gp = conj(m.a) * g + conj(m.c) * h, gq = conj(m.b) * g + conj(m.d) * h;
      s.x.re[first + l] = gp.re, s.x.im[first + l] = gp.im;
      s.x.re[second + l] = gq.re, s.x.im[second + l] = gq.im;
    }
  }
}

void Butterfly::multiply(const double* numbers, Split x, std::size_t lanes, double* trace, double* work) const {
  permute(x, lanes, work);
  const std::size_t count = n_ * lanes, step = n_ / 2 * per_butterfly();
  for (std::size_t i = 0; i < stages_; ++i) {
    if (trace) {
      std::copy_n(x.re, count, trace + 2 * i * count);
      std::copy_n(x.im, count, trace + (2 * i + 1) * count);
    }
    stage_forward({numbers + i * step, x, {}, nullptr, std::size_t{1} << i, lanes}, false);
  }
}

void Butterfly::multiply_transposed(const double* numbers, Split x, std::size_t lanes, double* trace,
                                    double* work) const {
  const std::size_t count = n_ * lanes, step = n_ / 2 * per_butterfly();
  for (std::size_t i = stages_; i-- > 0;) {
    if (trace) {
      std::copy_n(x.re, count, trace + 2 * i * count);
      std::copy_n(x.im, count, trace + (2 * i + 1) * count);
    }
    stage_forward({numbers + i * step, x, {}, nullptr, std::size_t{1} << i, lanes}, true);
  }
  permute(x, lanes, work);
}

void Butterfly::backward(const double* numbers, Split g, std::size_t lanes, const double* trace, double* grad,
                         double* work) const {
  const std::size_t count = n_ * lanes, step = n_ / 2 * per_butterfly();
  for (std::size_t i = stages_; i-- > 0;) {
    const ConstSplit input{trace + 2 * i * count, trace + (2 * i + 1) * count};
    stage_backward({numbers + i * step, g, input, grad + i * step * lanes, std::size_t{1} << i, lanes}, false);
  }
  permute(g, lanes, work);  // bit reversal is its own inverse
}

void Butterfly::backward_transposed(const double* numbers, Split g, std::size_t lanes, const double* trace,
                                    double* grad, double* work) const {
  permute(g, lanes, work);
  const std::size_t count = n_ * lanes, step = n_ / 2 * per_butterfly();
  for (std::size_t i = 0; i < stages_; ++i) {
    const ConstSplit input{trace + 2 * i * count, trace + (2 * i + 1) * count};
    stage_backward({numbers + i * step, g, input, grad + i * step * lanes, std::size_t{1} << i, lanes}, true);
  }
}

}  // namespace filigree::structured
