#include "plan/placement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "plan/assignment.h"

namespace filigree::plan {
namespace {

constexpr std::uint64_t drift_stream = std::uint64_t{2} << 32;

std::int64_t slots_per_rank(std::int64_t experts, std::int64_t ranks) {
  if (ranks < 1 || experts < 1 || experts % ranks != 0) {
    fail("placement: {} experts cannot be shared equally by {} ranks; choose a divisor", experts, ranks);
  }
  return experts / ranks;
}

/// Largest over mean of the ranks' loads.
double largest_over_mean(std::span<const double> load_E, std::span<const std::int32_t> rank_of, std::int64_t ranks) {
  const std::vector<double> loads = rank_loads(load_E, rank_of, ranks);
  const double sum = std::accumulate(loads.begin(), loads.end(), 0.0);
  return *std::max_element(loads.begin(), loads.end()) * static_cast<double>(ranks) / sum;
}

/// Log-popularity of one layer that wanders at constant spread.
class Drift {
 public:
  Drift(const std::vector<double>& weight, double rate) : keep_(1 - rate) {
    for (const double w : weight) log_weight_.push_back(std::log(w));
    const auto num = static_cast<double>(weight.size());
    mean_ = std::accumulate(log_weight_.begin(), log_weight_.end(), 0.0) / num;
    double squares = 0;
    for (const double value : log_weight_) squares += (value - mean_) * (value - mean_);
    kick_ = std::sqrt(squares / num * (1 - keep_ * keep_));
  }

  void step(Random& random) {
    for (double& value : log_weight_) value = mean_ + keep_ * (value - mean_) + kick_ * fast_normal(random);
  }

  std::vector<double> weights() const {
    const double largest = *std::max_element(log_weight_.begin(), log_weight_.end());
    std::vector<double> weights;
    for (const double value : log_weight_) weights.push_back(std::exp(value - largest));
    return weights;
  }

 private:
  double keep_, mean_ = 0, kick_ = 0;
  std::vector<double> log_weight_;
};

void check_settings(const DriftSettings& settings) {
  if (settings.tokens < 1 || settings.micro_batches < 1 || settings.steps < 1) {
    fail("placement: tokens ({}), micro-batches ({}) and steps ({}) must be at least 1", settings.tokens,
         settings.micro_batches, settings.steps);
  }
  if (!(settings.drift >= 0 && settings.drift <= 1)) {
    fail("placement: drift is {}, expected a share of a step between 0 and 1", settings.drift);
  }
}

void simulate_layer(const Popularity& popularity, const DriftSettings& settings, std::int64_t layer,
                    PlacementSimulation& result) {
  const bool recorded = popularity.steps() > 1;
  Random random =
      Random(static_cast<std::uint64_t>(settings.seed)).fork(drift_stream + static_cast<std::uint64_t>(layer));
  Placement placement(popularity.experts(), settings.ranks, settings.options);
  const std::vector<std::int32_t> in_order = place_in_order(popularity.experts(), settings.ranks);
  Drift drift(popularity.layer(0, layer).weight, settings.drift);
  std::vector<double> count_E(in_order.size()), rest_E(in_order.size());
  for (std::int64_t step = 0; step < settings.steps; ++step) {
    if (const auto plan = placement.maybe_migrate(step)) {
      ++result.migrations;
      result.moved += plan->moved;
    }
    const auto index = static_cast<std::size_t>(step);
    const AssignmentSampler sampler(recorded ? popularity.layer(index % popularity.steps(), layer)
                                             : popularity_from_weights(drift.weights(), popularity.top_k()));
    sampler.draw(settings.tokens, random, count_E);
    result.without_S[index] += largest_over_mean(count_E, in_order, settings.ranks);
    result.with_S[index] += largest_over_mean(count_E, placement.rank_of(), settings.ranks);
    if (settings.micro_batches > 1) {
      sampler.draw(settings.tokens * (settings.micro_batches - 1), random, rest_E);
      for (std::size_t e = 0; e < count_E.size(); ++e) count_E[e] += rest_E[e];
    }
    placement.observe(count_E);
    drift.step(random);
  }
}

}  // namespace

std::vector<std::int32_t> place_greedily(std::span<const double> load_E, std::int64_t ranks) {
  const std::int64_t slots = slots_per_rank(static_cast<std::int64_t>(load_E.size()), ranks);
  std::vector<std::size_t> order(load_E.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return load_E[a] > load_E[b]; });
  const auto num_ranks = static_cast<std::size_t>(ranks);
  std::vector<double> load_R(num_ranks, 0.0);
  std::vector<std::int64_t> held_R(num_ranks, 0);
  std::vector<std::int32_t> rank_of(load_E.size());
  for (const std::size_t expert : order) {
    const std::size_t rank = static_cast<std::size_t>(std::min_element(load_R.begin(), load_R.end()) - load_R.begin());
    rank_of[expert] = static_cast<std::int32_t>(rank);
    load_R[rank] += load_E[expert];
    if (++held_R[rank] == slots) load_R[rank] = std::numeric_limits<double>::infinity();  // full
  }
  return rank_of;
}

std::vector<std::int32_t> place_in_order(std::int64_t experts, std::int64_t ranks) {
  const std::int64_t slots = slots_per_rank(experts, ranks);
  std::vector<std::int32_t> rank_of;
  for (std::int64_t expert = 0; expert < experts; ++expert)
    rank_of.push_back(static_cast<std::int32_t>(expert / slots));
  return rank_of;
}

std::vector<double> rank_loads(std::span<const double> load_E, std::span<const std::int32_t> rank_of,
                               std::int64_t ranks) {
  FILIGREE_ASSERT(load_E.size() == rank_of.size());
  std::vector<double> load_R(static_cast<std::size_t>(ranks), 0.0);
  for (std::size_t e = 0; e < load_E.size(); ++e) load_R[static_cast<std::size_t>(rank_of[e])] += load_E[e];
  return load_R;
}

double coefficient_of_variation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const auto num = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / num;
  if (mean <= 0) return 0;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (num - 1)) / mean;
}

Placement::Placement(std::int64_t experts, std::int64_t ranks, PlacementOptions options)
    : ranks_(ranks), options_(options), rank_of_(place_in_order(experts, ranks)) {
  if (!(options.memory >= 0 && options.memory < 1)) {
    fail("placement: memory of the moving average is {}, expected at least 0 and below 1", options.memory);
  }
  if (!(options.least_drop >= 0)) fail("placement: least drop is {}, expected 0 or more", options.least_drop);
  if (options.period < 1) fail("placement: period is {} steps, expected at least 1", options.period);
  predicted_.assign(rank_of_.size(), 0.0);
}

void Placement::observe(std::span<const double> count_E) {
  FILIGREE_ASSERT(count_E.size() == predicted_.size());
  for (std::size_t e = 0; e < predicted_.size(); ++e) {
    predicted_[e] = options_.memory * predicted_[e] + (1 - options_.memory) * count_E[e];
  }
}

std::optional<PlacementPlan> Placement::propose() const {
  PlacementPlan plan{place_greedily(predicted_, ranks_)};
  plan.variation_before = coefficient_of_variation(rank_loads(predicted_, rank_of_, ranks_));
  plan.variation_after = coefficient_of_variation(rank_loads(predicted_, plan.rank_of, ranks_));
  for (std::size_t e = 0; e < rank_of_.size(); ++e) plan.moved += plan.rank_of[e] != rank_of_[e];
  if (plan.moved == 0 || plan.variation_before - plan.variation_after < options_.least_drop) return std::nullopt;
  return plan;
}

std::optional<PlacementPlan> Placement::maybe_migrate(std::int64_t step) {
  if (step <= 0 || step % options_.period != 0) return std::nullopt;
  auto plan = propose();
  if (plan) apply(*plan);
  return plan;
}

void Placement::apply(const PlacementPlan& plan) {
  FILIGREE_ASSERT(plan.rank_of.size() == rank_of_.size());
  rank_of_ = plan.rank_of;
}

std::vector<std::vector<std::int32_t>> settled_placements(const Popularity& popularity, std::int64_t layer,
                                                          std::int64_t ranks) {
  Placement placement(popularity.experts(), ranks);
  std::vector<std::vector<std::int32_t>> placements;
  for (std::size_t step = 0; step < popularity.steps(); ++step) {
    const LayerPopularity now = popularity.layer(step, layer);
    if (step == 0) placement.observe(now.inclusion);
    if (const auto plan = placement.propose()) placement.apply(*plan);
    placements.push_back(placement.rank_of());
    placement.observe(now.inclusion);
  }
  return placements;
}

PlacementSimulation simulate_placement(const Popularity& popularity, const DriftSettings& settings) {
  check_settings(settings);
  const auto steps = static_cast<std::size_t>(settings.steps);
  PlacementSimulation result;
  result.without_S.assign(steps, 0.0);
  result.with_S.assign(steps, 0.0);
  for (std::int64_t layer = 0; layer < popularity.layers(); ++layer)
    simulate_layer(popularity, settings, layer, result);
  const auto layers = static_cast<double>(popularity.layers());
  for (double& value : result.without_S) value /= layers;
  for (double& value : result.with_S) value /= layers;
  const auto num = static_cast<double>(steps);
  result.mean_without = std::accumulate(result.without_S.begin(), result.without_S.end(), 0.0) / num;
  result.mean_with = std::accumulate(result.with_S.begin(), result.with_S.end(), 0.0) / num;
  return result;
}

}  // namespace filigree::plan
