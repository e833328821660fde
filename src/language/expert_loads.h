#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "base/json.h"
#include "moe/router.h"

/// How busy the experts of a model in training are. L layers with experts, E experts.
namespace filigree::language {

class ExpertLoads {
 public:
  /// Adds the pairs of one pass, whose routings come in the order of the layers. Does not wait for the device.
  void count(const std::vector<moe::Routing>& routings);

  bool empty() const { return !load_LE_.defined(); }

  /// The pairs since the last take(), int64 on their device; undefined where there were none.
  at::Tensor take();

 private:
  at::Tensor load_LE_;
};

/// Standard deviation over mean, of each layer.
std::vector<double> load_variations(const at::Tensor& load_LE);

/// Adds "expert_load_variation", and "expert_load_ratio": the busiest expert over the mean, in the worst layer.
void add_load_metrics(Json& line, const at::Tensor& load_LE);

}  // namespace filigree::language
