#pragma once

#include "dynamics/delay.h"

/// Forecasting by analogs: the next increment is the mean of what followed the nearest delay vectors, near ones
/// weighing more (Lorenz: Atmospheric predictability as revealed by naturally occurring analogues, 1969).
namespace filigree::dynamics {

struct AnalogOptions {
  Delay delay{6, 4, 1, LagPattern::uniform};
  std::int64_t neighbours = 4;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("delay", self.delay, "delay vector");
    v.optional("neighbours", self.neighbours, "nearest delay vectors that are averaged", at_least(1));
  }
};

/// Error as delay_pairs(), or where there are fewer pairs than neighbours.
ModelPtr fit_analog(const Dataset& data, const AnalogOptions& options);
ModelPtr load_analog(const Json& json, const std::string& where);

}  // namespace filigree::dynamics
