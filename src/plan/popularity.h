#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/router_trace.h"
#include "spec/load.h"

/// How popular the experts of each layer are, before any token is drawn.
namespace filigree::plan {

/// Experts of one layer. A token draws its top_k experts one after another, without replacement, with chances
/// proportional to `weight` (the same as the top_k of log(weight) + Gumbel noise).
struct LayerPopularity {
  std::int64_t top_k = 1;
  std::vector<double> weight;     ///< of the first draw; sums to 1
  std::vector<double> inclusion;  ///< chance that a token has this expert among its top_k; sums to top_k
};

/// From draw weights (>= 0, at least one positive; at least top_k of them). The chances of inclusion come from waiting
/// times: let expert e arrive at a time ~ Exp(weight_e); the first top_k to arrive are drawn. For few experts the
/// integral over that time is done. Beyond, it is expanded about the time t that satisfies
/// Σ (1 - exp(-weight_e t)) = top_k; the chances of popular experts are then right to about 1 %.
LayerPopularity popularity_from_weights(std::vector<double> weights, std::int64_t top_k);

/// From measured counts of assignments: inclusion_e = top_k count_e / sum, weight_e ~ -log(1 - inclusion_e).
/// No count may exceed sum / top_k.
LayerPopularity popularity_from_counts(std::span<const std::int64_t> counts, std::int64_t top_k);

/// The popularity that a spec::Load states for every layer of a model; for a trace, also at every recorded step.
class Popularity {
 public:
  /// Reads the trace where the load names one. Error where a parameter is missing or out of range, and where the
  /// trace has other experts, layers or top_k.
  Popularity(const spec::Load& load, std::int64_t experts, std::int64_t top_k, std::int64_t layers);

  const spec::Load& load() const { return load_; }
  std::int64_t experts() const { return experts_; }
  std::int64_t top_k() const { return top_k_; }
  std::int64_t layers() const { return layers_; }

  /// Recorded steps of a trace; 1 for every other kind.
  std::size_t steps() const { return trace_ ? trace_->steps().size() : 1; }

  /// Of one layer, 0 … layers - 1, at one recorded step. Drawn from the load's seed and the layer's number alone.
  LayerPopularity layer(std::size_t step, std::int64_t layer) const;

 private:
  void check_trace() const;
  std::vector<double> draw_weights(std::int64_t layer) const;

  spec::Load load_;
  std::int64_t experts_, top_k_, layers_;
  std::optional<RouterTrace> trace_;
};

}  // namespace filigree::plan
