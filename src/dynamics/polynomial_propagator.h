#pragma once

#include <cstdint>
#include <vector>

#include "dynamics/model.h"

/// The next sample as a polynomial of the present one, fitted by least squares. Schötz and Boers (arXiv 2507.09652;
/// chroetz/PolyProp) show that this solves noise-free chaos of few dimensions; they solve the normal equations of
/// monomials. Here a Householder QR decomposition of a Chebyshev basis keeps the digits that the normal equations lose,
/// and the fit is of the increment x(k+1) - x(k), whose rounding errors are smaller than those of x(k+1).
namespace filigree::dynamics {

struct PolynomialPropagatorOptions {
  int degree = 4;

  /// Fit the increment (true) or the next sample itself.
  bool increments = true;

  /// Rounds of iterative refinement of the least-squares solution, with residuals in extended precision.
  int refinements = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("degree", self.degree, "total degree of the polynomial", between(1, 30));
    v.optional("increments", self.increments, "fit the increment rather than the next sample");
    v.optional("refinements", self.refinements, "rounds of refinement with residuals in extended precision",
               between(0, 10));
  }
};

/// Fits the map over all pairs of neighbouring samples of all runs; controls are further inputs of the polynomial.
///
/// Error where there are fewer pairs than terms.
ModelPtr fit_polynomial_propagator(const Dataset& data, const PolynomialPropagatorOptions& options);

/// Reads what to_json() of the fitted model wrote.
ModelPtr load_polynomial_propagator(const Json& json, const std::string& where);

}  // namespace filigree::dynamics
