#pragma once

#include "dynamics/delay.h"

/// Polynomials of delay vectors by ridge regression: the next-generation reservoir (Gauthier, Bollt, Griffith, Barbosa:
/// Next generation reservoir computing, 2021; quantinfo/ng-rc-paper-code: NG-RC Lorenz prediction). Their Lorenz case
/// is count 2, spacing 1, degree 2, ridge 2.5e-6, normalise false: 28 features.
namespace filigree::dynamics {

struct DelayPolynomialOptions {
  Delay delay{2, 1, 1, LagPattern::uniform};
  std::int64_t degree = 2;
  double ridge = 2.5e-6;   ///< added to the diagonal of the features' Gram matrix (a sum over pairs, not a mean)
  bool normalise = true;   ///< features of z = (x - mean) / deviation rather than of x
  std::int64_t every = 1;  ///< every n-th pair is kept
  double margin = 0.5;     ///< forecasts stay in the range of the data, widened by this part of it

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("delay", self.delay, "delay vector");
    v.optional("degree", self.degree, "total degree of the polynomials", between(1, 12));
    v.optional("ridge", self.ridge, "added to the diagonal of the features' Gram matrix", non_negative);
    v.optional("normalise", self.normalise, "features of normalised coordinates");
    v.optional("every", self.every, "every n-th pair is kept", at_least(1));
    v.optional("margin", self.margin, "forecasts stay in the range widened by this part of it", non_negative);
  }
};

/// Number of features: (inputs + degree)! / (inputs! degree!), the constant included.
double delay_polynomial_features(std::int64_t inputs, std::int64_t degree);

/// Solves the ridge problem by QR of the features with √ridge · 1 below, so that no digits are lost to their Gram
/// matrix. Error as delay_pairs(), or where there are more features than pairs and no ridge, or above 5,000 features.
ModelPtr fit_delay_polynomial(const Dataset& data, const DelayPolynomialOptions& options);
ModelPtr load_delay_polynomial(const Json& json, const std::string& where);

}  // namespace filigree::dynamics
