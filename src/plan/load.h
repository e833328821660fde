#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/popularity.h"
#include "spec/load.h"

/// Load of the devices that share experts, when the router is not balanced: Monte Carlo over tokens and layers
/// (Pangu Pro MoE, arXiv 2505.21411 §2.1: imbalance of device loads), with and without periodic expert placement.
///
///   1. For every layer take the popularity of its experts that the load states (plan/popularity.h).
///   2. Place the experts: in order, experts / ranks on each rank; or where re-placement finds that they should be.
///   3. Draw the experts of a micro-batch's tokens, `samples` times (plan/assignment.h).
///   4. Add up the experts' counts by rank; compare the largest with the mean.
///
/// Example: 4 experts, top-1, 2 ranks, 8 tokens that come out as {4, 2, 1, 1}. The ranks get 6 and 2, on average 4:
/// largest / mean = 1.5, imbalance_score = (6 - 2) / 8 = 0.5.
namespace filigree::plan {

/// The group of ranks that share one layer's experts.
struct ExpertGroup {
  std::int64_t experts = 1;
  std::int64_t top_k = 1;
  std::int64_t ranks = 1;   ///< each holds experts / ranks of them
  std::int64_t tokens = 1;  ///< of one micro-batch, over the whole group
  std::int64_t layers = 1;  ///< layers with experts; each has its own popularity
};

/// Loads over the mean, averaged over draws: 1 is perfect balance.
struct Imbalance {
  double mean_max = 1;   ///< mean over layers and draws of (largest rank load / mean rank load): what a layer waits for
  double worst_max = 1;  ///< largest seen
  double variation = 0;  ///< coefficient of variation of rank loads, averaged over layers and draws
  double memory_max = 1;  ///< largest load of one rank averaged over its layers: what activations must hold
  double drop_rate = 0;   ///< share of assignments dropped at `capacity_factor`
  double expert_max = 1;  ///< mean over layers of (largest expert load / mean expert load)
};

/// `placement`: experts are re-placed by a moving average of their load (plan/placement.h), which has found their
/// popularity; the noise of each micro-batch remains. For a trace the draws are spread over its steps.
/// `capacity_factor`: 0 drops nothing; else every rank cuts what its own tokens / ranks send to one expert at
/// ceil(capacity_factor * tokens / ranks * top_k / experts) (Switch Transformers, arXiv 2101.03961 §2.2); the expected
/// share is computed, not drawn. The loads are those before the cut.
/// Deterministic for a seed, with the same draws for every number of ranks and with or without placement.
/// Error for a group that cannot be, and for a trace that does not fit (layers, experts, counts that do not add up).
Imbalance imbalance(const spec::Load& load, const ExpertGroup& group, bool placement, double capacity_factor = 0);

/// The same for a popularity at hand, so that a trace is read once. It must have the group's experts, top_k and layers.
Imbalance imbalance(const Popularity& popularity, const ExpertGroup& group, bool placement, double capacity_factor = 0);

/// (largest - smallest rank load) / tokens (arXiv 2505.21411 §2.1).
double imbalance_score(std::span<const double> load_R, std::int64_t tokens);

/// Error where the ranks do not divide the experts, a token picks more experts than there are, or a number is below 1.
void check_group(const ExpertGroup& group);

}  // namespace filigree::plan
