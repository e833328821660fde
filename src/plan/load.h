#pragma once

#include <cstdint>
#include <vector>

#include "spec/load.h"

/// Load of the devices that share experts, when the router is not balanced: Monte Carlo over tokens and layers
/// (Pangu Pro MoE, arXiv 2505.21411 §2.1: imbalance of device loads), with and without periodic expert placement.
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
  double mean_max = 1;       ///< mean over layers and draws of (largest rank load / mean rank load): what a layer waits for
  double worst_max = 1;      ///< largest seen
  double variation = 0;      ///< coefficient of variation of rank loads
  double memory_max = 1;     ///< largest load of one rank averaged over its layers: what activations must hold
  double drop_rate = 0;      ///< share of assignments dropped at `capacity_factor`
  double expert_max = 1;     ///< mean over layers of (largest expert load / mean expert load)
};

/// `placement`: experts are re-placed by a moving average of their load (see plan/placement.h).
/// Deterministic for a seed. Error for a trace that does not fit (layers, experts, counts that do not add up).
Imbalance imbalance(const spec::Load& load, const ExpertGroup& group, bool placement, double capacity_factor = 0);

}  // namespace filigree::plan
