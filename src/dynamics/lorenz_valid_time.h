#pragma once

#include <cstdint>
#include <vector>

#include "dynamics/polynomial_propagator.h"

/// How long a polynomial propagator follows Lorenz-63, by the protocol of arXiv 2507.09652 (chroetz/PolyProp).
namespace filigree::dynamics {

/// The truth is the classical Runge–Kutta method in float64 with step 2^-10 from (-8, 7, 27), 2^13 time units after a
/// warm-up of a tenth of that. A window of it, ending at a random place, trains the propagator; the truth that follows
/// is forecast for 50 time units. The data and all learned arithmetic are float64.
///
/// The truth is thus itself a map with rounding errors. Two such solvers that round differently part after 32.1
/// Lyapunov times on average, which no method can be expected to exceed.
struct LorenzValidTimeSettings {
  int samples = 8192;  ///< in the training window
  int log2_step = 8;   ///< time between samples is 2^-log2_step
  int starts = 100;
  std::uint64_t seed = 1;
  PolynomialPropagatorOptions fit{.degree = 7};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("samples", self.samples, "in the training window", between(32, 65536));
    v.optional("log2_step", self.log2_step, "time between samples is 2^-log2_step", between(4, 10));
    v.optional("starts", self.starts, "windows to average over", between(2, 10000));
    v.optional("seed", self.seed, "of the places of the windows");
    v.optional("fit", self.fit, "of the propagator");
  }
};

/// In Lyapunov times: the last time before the error reaches half of the attractor's root mean squared radius 14.77,
/// times the exponent 0.906416.
struct ValidTime {
  double mean = 0;
  double standard_error = 0;
  std::vector<double> starts;  ///< one for each
  double error_scale = 0;      ///< root mean squared distance of the truth from its mean, here 14.77
};

/// Error where the window and the forecast do not fit into the truth, or the fit refuses.
ValidTime lorenz_valid_time(const LorenzValidTimeSettings& settings);

}  // namespace filigree::dynamics
