#pragma once

#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "base/visit.h"
#include "dynamics/data.h"

namespace filigree::dynamics {

enum class Differentiation { finite_difference, savitzky_golay };

struct DerivativeOptions {
  Differentiation method = Differentiation::finite_difference;
  int order = 2;    ///< of accuracy of finite differences; inside, an odd order is raised to the next even one
  int end_order = 0;  ///< of one-sided differences at both ends; 0: the same
  int window = 11;  ///< samples under the Savitzky–Golay polynomial, odd
  int degree = 3;   ///< of that polynomial

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("derivative", self.method, "how the derivative is taken from samples");
    v.optional("derivative_order", self.order, "order of accuracy of finite differences", between(1, 12));
    v.optional("derivative_end_order", self.end_order, "order at both ends; 0: the same", between(0, 12));
    v.optional("smoothing_window", self.window, "samples under the Savitzky-Golay polynomial, odd", between(3, 999));
    v.optional("smoothing_degree", self.degree, "degree of the Savitzky-Golay polynomial", between(1, 12));
  }

  /// Samples that a run must have. Error where window or degree cannot be.
  Eigen::Index least_samples() const;
};

/// Weights w with Σ w_i f(x_i) ≈ the `derivative`-th derivative of f at `at`, exact for polynomials of degree
/// below the number of points (Fornberg: Generation of finite difference formulas on arbitrarily spaced grids, 1988).
Vector stencil_weights(std::span<const double> points, double at, int derivative);

/// The first derivative of every column by time: (samples, coordinates) to the same.
///
/// Finite differences of order q: centred with q + 1 points inside, the same number of points one-sided at both ends, as
/// dynamicslab/pysindy: differentiation/finite_difference.py does (its first releases took order 3 at the ends of order
/// 2). Savitzky–Golay: the derivative of the polynomial that
/// fits the window around the sample in the least squares sense; at the ends, of the first or last window's polynomial.
/// Error where there are fewer samples than the stencil.
Matrix differentiate(const Eigen::Ref<const Matrix>& states, double dt, const DerivativeOptions& options);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::Differentiation> {
  using E = filigree::dynamics::Differentiation;
  static constexpr std::array<std::pair<E, std::string_view>, 2> table{
      {{E::finite_difference, "finite_difference"}, {E::savitzky_golay, "savitzky_golay"}}};
};
