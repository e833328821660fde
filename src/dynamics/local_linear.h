#pragma once

#include "dynamics/delay.h"

/// Local-linear forecasting: at every step a weighted linear fit of the increments of the nearest delay vectors
/// (Farmer, Sidorowich: Predicting chaotic time series, 1987).
namespace filigree::dynamics {

struct LocalLinearOptions {
  Delay delay{5, 5, 1, LagPattern::uniform};
  std::int64_t neighbours = 20;
  double ridge = 1e-6;  ///< on the slopes, relative to the total weight
  double margin = 0.1;  ///< forecasts stay in the range of the data, widened by this part of it

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("delay", self.delay, "delay vector");
    v.optional("neighbours", self.neighbours, "nearest delay vectors of each fit", at_least(2));
    v.optional("ridge", self.ridge, "on the slopes, relative to the total weight", positive);
    v.optional("margin", self.margin, "forecasts stay in the range widened by this part of it", non_negative);
  }
};

/// Weights are (1 - d²/D²)², D being the distance of the first vector that is left out.
/// Error as delay_pairs(), or where there are fewer pairs than neighbours.
ModelPtr fit_local_linear(const Dataset& data, const LocalLinearOptions& options);
ModelPtr load_local_linear(const Json& json, const std::string& where);

}  // namespace filigree::dynamics
