#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "plan/popularity.h"

/// Periodic expert placement: every layer's experts are shared out over the ranks again as their loads drift.
/// After Ascend/MindSpeed: docs/features/moe_expert_load_balance_placeemnt.md and
/// mindspeed/core/transformer/moe/expert_placement/{planner,executor}.py. For each layer:
///
///   1. After every step predict each expert's load by a moving average: ELP <- θ ELP + (1 - θ) EL, θ = 0.9, where EL
///      counts the step's assignments.
///   2. Every 50 steps share the experts out: the one with the largest ELP that is left goes to the least loaded rank
///      that has a free slot (the first of equals); every rank has experts / ranks slots.
///   3. Compare the coefficient of variation (standard deviation / mean) of the ranks' predicted loads, now and after.
///      Move only where it falls by at least 0.08.
///
/// Example: the loads {8, 6, 3, 3, 2, 2} on two ranks. In order, the ranks hold {8, 6, 3} = 17 and {3, 2, 2} = 7; the
/// coefficient of variation is 7.07 / 12 = 0.589. Shared out again: 8 to rank 0, 6 to rank 1, 3 to rank 1 (6 < 8),
/// 3 to rank 0 (8 < 9), 2 to rank 1 (9 < 11), which is full; 2 to rank 0. They hold {8, 3, 2} = 13 and {6, 3, 2} = 11,
/// variation 0.118: worth it. Experts 1, 2, 3 and 5 move: rank_of becomes {0, 1, 1, 0, 1, 0}.
namespace filigree::plan {

struct PlacementOptions {
  double memory = 0.9;       ///< θ of the moving average
  double least_drop = 0.08;  ///< of the coefficient of variation, to be worth a move
  std::int64_t period = 50;  ///< steps between decisions
};

/// A move that pays.
struct PlacementPlan {
  std::vector<std::int32_t> rank_of;  ///< by expert
  std::int64_t moved = 0;             ///< experts that change their rank, each with weights and optimizer state
  double variation_before = 0;        ///< of the ranks' predicted loads
  double variation_after = 0;
};

/// Step 2 alone. Error where the ranks do not divide the experts.
std::vector<std::int32_t> place_greedily(std::span<const double> load_E, std::int64_t ranks);

/// Experts in order, experts / ranks on each rank. Error where the ranks do not divide the experts.
std::vector<std::int32_t> place_in_order(std::int64_t experts, std::int64_t ranks);

/// Sums of experts' loads by rank.
std::vector<double> rank_loads(std::span<const double> load_E, std::span<const std::int32_t> rank_of,
                               std::int64_t ranks);

/// Sample standard deviation over mean; 0 for fewer than two values or for nothing but zeros.
double coefficient_of_variation(std::span<const double> values);

/// The placement of one layer's experts.
class Placement {
 public:
  /// Starts in order. Error where the ranks do not divide the experts or an option is out of range.
  Placement(std::int64_t experts, std::int64_t ranks, PlacementOptions options = {});

  /// Step 1: assignments to each expert in one step, over all ranks that hold copies.
  void observe(std::span<const double> count_E);

  /// Steps 2 and 3 at any time; changes nothing. Nothing where it does not pay or nothing was observed.
  std::optional<PlacementPlan> propose() const;

  /// Steps 2 and 3 where `step` is a positive multiple of the period: moves, and says what moved.
  std::optional<PlacementPlan> maybe_migrate(std::int64_t step);

  /// Takes a plan as the current placement.
  void apply(const PlacementPlan& plan);

  const std::vector<std::int32_t>& rank_of() const { return rank_of_; }
  const std::vector<double>& predicted() const { return predicted_; }

 private:
  std::int64_t ranks_;
  PlacementOptions options_;
  std::vector<double> predicted_;
  std::vector<std::int32_t> rank_of_;
};

/// Placements that a load leads to in one layer, one for each recorded step (one in all where there is no trace).
/// A stated popularity is taken as what the moving average has found. For a trace, step i uses the moving average
/// over the steps before it, and a decision is taken at each; the first uses its own counts, as if training had been
/// there for a while.
std::vector<std::vector<std::int32_t>> settled_placements(const Popularity& popularity, std::int64_t layer,
                                                          std::int64_t ranks);

/// Assumed, for lack of published measurements of how popularity drifts: the logarithm of every expert's popularity
/// follows a random walk that keeps the spread it starts with; `drift` is the share forgotten per step, so that after
/// 1 / drift steps little is left of an order. (A walk without that pull would grow more uneven without end.)
struct DriftSettings {
  std::int64_t ranks = 1;
  std::int64_t tokens = 1;         ///< of one micro-batch, over the ranks that share the experts
  std::int64_t micro_batches = 1;  ///< of one step, over all replicas: what the moving average sees
  std::int64_t steps = 500;
  double drift = 0.002;
  std::int64_t seed = 0;
  PlacementOptions options;
};

struct PlacementSimulation {
  std::vector<double> without_S;  ///< mean over layers of largest rank load / mean, by step, experts in order
  std::vector<double> with_S;     ///< the same with periodic placement
  double mean_without = 1, mean_with = 1;
  std::int64_t migrations = 0;  ///< moves, summed over layers
  std::int64_t moved = 0;       ///< experts moved, summed over layers and moves
};

/// Trains for a while with drifting popularity: one micro-batch of every step is measured with and without placement.
/// The recorded steps of a trace take the place of the drift, over and over where there are fewer than `steps`.
/// Error as for Placement, and for settings that are not positive.
PlacementSimulation simulate_placement(const Popularity& popularity, const DriftSettings& settings);

}  // namespace filigree::plan
