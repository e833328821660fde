#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/visit.h"

/// Activation functions over many numbers at once, written so that the compiler turns their loops into vector code.
/// Accurate to about two units in the last place.
namespace filigree::dynamics {

/// How a structured layer bends its values: tanh, or the sine, which suits angles and phases (Sitzmann and others:
/// Implicit neural representations with periodic activation functions, 2020).
enum class Bend { tanh, sine };

namespace vectorised {

/// exp(x) - 1 for |x| <= 700: x = k ln 2 + r, a polynomial for r, then 2^k by its exponent bits.
inline double expm1(double x) {
  constexpr double shift = 6755399441055744.0;  // 1.5 · 2^52: adding it rounds to a whole number
  const double t = x * 1.4426950408889634 + shift;
  const double k = t - shift;
  const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  double p = 1.6059043836821613e-10;  // 1/13!
  p = p * r + 2.08767569878681e-09;
  p = p * r + 2.505210838544172e-08;
  p = p * r + 2.755731922398589e-07;
  p = p * r + 2.7557319223985893e-06;
  p = p * r + 2.48015873015873e-05;
  p = p * r + 1.984126984126984e-04;
  p = p * r + 1.388888888888889e-03;
  p = p * r + 8.333333333333333e-03;
  p = p * r + 4.1666666666666664e-02;
  p = p * r + 1.6666666666666666e-01;
  p = p * r + 0.5;
  p = p * r * r + r;
  const double power = std::bit_cast<double>((std::bit_cast<std::uint64_t>(t) + 1023) << 52);
  return power * p + (power - 1);
}

inline double tanh(double x) {
  const double clipped = x > 20 ? 20 : x < -20 ? -20 : x;
  const double e = expm1(2 * clipped);
  return e / (e + 2);
}

/// sin(x) for |x| < 1e5: x = kπ + r, an odd polynomial for r, the sign by the last bit of k.
inline double sin(double x) {
  constexpr double shift = 6755399441055744.0;
  const double t = x * 0.31830988618379067 + shift;
  const double k = t - shift;
  const double r =
      ((x - k * 3.14159265160560607910e+00) - k * 1.98418714791870343106e-09) - k * 1.14423774522196636802e-17;
  const double s = r * r;
  double p = 1.9572941063391263e-20;  // 1/21!
  p = p * s - 8.22063524662433e-18;
  p = p * s + 2.8114572543455206e-15;
  p = p * s - 7.647163731819816e-13;
  p = p * s + 1.605904383682161e-10;
  p = p * s - 2.505210838544172e-08;
  p = p * s + 2.7557319223985893e-06;
  p = p * s - 1.984126984126984e-04;
  p = p * s + 8.333333333333333e-03;
  p = p * s - 1.6666666666666666e-01;
  const double y = p * s * r + r;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(y) ^ (std::bit_cast<std::uint64_t>(t) << 63));
}

/// cos(x) = sin(x + π/2), reduced before the sum so that no digit is lost.
inline double cos(double x) {
  constexpr double shift = 6755399441055744.0;
  const double t = (x * 0.31830988618379067 + 0.5) + shift;
  const double k = (t - shift) - 0.5;
  const double r =
      ((x - k * 3.14159265160560607910e+00) - k * 1.98418714791870343106e-09) - k * 1.14423774522196636802e-17;
  const double s = r * r;
  double p = 1.9572941063391263e-20;
  p = p * s - 8.22063524662433e-18;
  p = p * s + 2.8114572543455206e-15;
  p = p * s - 7.647163731819816e-13;
  p = p * s + 1.605904383682161e-10;
  p = p * s - 2.505210838544172e-08;
  p = p * s + 2.7557319223985893e-06;
  p = p * s - 1.984126984126984e-04;
  p = p * s + 8.333333333333333e-03;
  p = p * s - 1.6666666666666666e-01;
  const double y = p * s * r + r;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(y) ^ (std::bit_cast<std::uint64_t>(t) << 63));
}

}  // namespace vectorised

/// y = f(x), `count` numbers; in place where y = x.
inline void bend(Bend kind, const double* x, double* y, std::size_t count) {
  if (kind == Bend::tanh) {
    for (std::size_t i = 0; i < count; ++i) y[i] = vectorised::tanh(x[i]);
  } else {
    for (std::size_t i = 0; i < count; ++i) y[i] = vectorised::sin(x[i]);
  }
}

/// g becomes g · f'(x), with y = f(x).
inline void bend_backward(Bend kind, const double* x, const double* y, double* g, std::size_t count) {
  if (kind == Bend::tanh) {
    for (std::size_t i = 0; i < count; ++i) g[i] *= 1 - y[i] * y[i];
  } else {
    for (std::size_t i = 0; i < count; ++i) g[i] *= vectorised::cos(x[i]);
  }
}

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::Bend> {
  static constexpr std::array<std::pair<filigree::dynamics::Bend, std::string_view>, 2> table{
      {{filigree::dynamics::Bend::tanh, "tanh"}, {filigree::dynamics::Bend::sine, "sine"}}};
};
