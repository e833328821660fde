#include "plan/load.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "plan/assignment.h"
#include "plan/placement.h"

namespace filigree::plan {
namespace {

/// Expected part of a binomial (trials, chance) above the capacity.
double expected_overflow(double trials, double chance, double capacity) {
  const double mean = trials * chance, variance = mean * (1 - chance);
  if (variance > 100) {  // as a normal
    const double sigma = std::sqrt(variance), z = (mean - capacity) / sigma;
    const double below = 0.5 * std::erfc(-z / std::numbers::sqrt2);
    const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
    return std::max(0.0, (mean - capacity) * below + sigma * density);
  }
  if (chance >= 1) return std::max(0.0, mean - capacity);
  // E(N - C)+ = E N - C + E(C - N)+, the last a sum of few terms.
  double exactly = std::exp(trials * std::log1p(-chance)), unused = 0;
  for (double n = 0; n < capacity && n <= trials; ++n) {
    unused += (capacity - n) * exactly;
    exactly *= (trials - n) / (n + 1) * chance / (1 - chance);
  }
  return std::max(0.0, mean - capacity + unused);
}

/// Share of a layer's assignments that are dropped.
double drop_share(std::span<const double> inclusion, const ExpertGroup& group, double capacity_factor) {
  const double tokens = std::ceil(static_cast<double>(group.tokens) / static_cast<double>(group.ranks));
  const double assignments = tokens * static_cast<double>(group.top_k);
  const double capacity = std::ceil(capacity_factor * assignments / static_cast<double>(group.experts) - 1e-9);
  double dropped = 0;
  for (const double chance : inclusion) dropped += expected_overflow(tokens, chance, capacity);
  return dropped / assignments;
}

/// One layer at one recorded step.
struct LayerDraws {
  AssignmentSampler sampler;
  std::vector<std::int32_t> rank_of;
};

/// Draws micro-batches and gathers what Imbalance reports.
class MonteCarlo {
 public:
  MonteCarlo(const Popularity& popularity, const ExpertGroup& group, double capacity_factor)
      : popularity_(popularity), group_(group), capacity_factor_(capacity_factor) {
    count_E_.resize(static_cast<std::size_t>(group.experts));
    total_ = static_cast<double>(group.tokens) * static_cast<double>(group.top_k);
    sum_ = {0, 0, 0, 0, 0, 0};
  }

  Imbalance run(bool placement) {
    place(placement);
    const std::int64_t samples = popularity_.load().samples;
    const auto steps = static_cast<std::int64_t>(popularity_.steps());
    const Random random(static_cast<std::uint64_t>(popularity_.load().seed));
    std::int64_t current = -1;
    for (std::int64_t sample = 0; sample < samples; ++sample) {
      const std::int64_t step = std::min(sample, samples - 1) * steps / samples;
      if (step != current) prepare(static_cast<std::size_t>(step));
      current = step;
      Random stream = random.fork(static_cast<std::uint64_t>(sample));
      draw_sample(stream);
    }
    return result(static_cast<double>(samples), static_cast<double>(num_prepared_));
  }

 private:
  void place(bool placement) {
    const std::vector<std::vector<std::int32_t>> in_order{place_in_order(group_.experts, group_.ranks)};
    for (std::int64_t layer = 0; layer < group_.layers; ++layer) {
      placements_.push_back(placement ? settled_placements(popularity_, layer, group_.ranks) : in_order);
    }
  }

  void prepare(std::size_t step) {
    layers_.clear();
    for (std::int64_t layer = 0; layer < group_.layers; ++layer) {
      const auto& placements = placements_[static_cast<std::size_t>(layer)];
      layers_.push_back(
          {AssignmentSampler(popularity_.layer(step, layer)), placements[std::min(step, placements.size() - 1)]});
      if (capacity_factor_ > 0) {
        sum_.drop_rate += drop_share(layers_.back().sampler.popularity().inclusion, group_, capacity_factor_);
      }
    }
    ++num_prepared_;
  }

  void draw_sample(Random& random) {
    const auto ranks = static_cast<std::size_t>(group_.ranks);
    const double per_rank = static_cast<double>(group_.ranks) / total_;
    const double per_expert = static_cast<double>(group_.experts) / total_;
    std::vector<double> over_layers_R(ranks, 0.0), load_R(ranks);
    for (const LayerDraws& layer : layers_) {
      layer.sampler.draw(group_.tokens, random, count_E_);
      std::fill(load_R.begin(), load_R.end(), 0.0);
      for (std::size_t e = 0; e < count_E_.size(); ++e)
        load_R[static_cast<std::size_t>(layer.rank_of[e])] += count_E_[e];
      for (std::size_t r = 0; r < ranks; ++r) over_layers_R[r] += load_R[r];
      const double largest = *std::max_element(load_R.begin(), load_R.end()) * per_rank;
      sum_.mean_max += largest;
      sum_.worst_max = std::max(sum_.worst_max, largest);
      sum_.variation += coefficient_of_variation(load_R);
      sum_.expert_max += *std::max_element(count_E_.begin(), count_E_.end()) * per_expert;
    }
    sum_.memory_max += *std::max_element(over_layers_R.begin(), over_layers_R.end()) * per_rank;
  }

  Imbalance result(double samples, double steps) const {
    const auto layers = static_cast<double>(group_.layers);
    Imbalance mean;
    mean.worst_max = std::max(1.0, sum_.worst_max);
    mean.mean_max = std::max(1.0, sum_.mean_max / (samples * layers));
    mean.variation = sum_.variation / (samples * layers);
    mean.memory_max = std::max(1.0, sum_.memory_max / (samples * layers));
    mean.expert_max = std::max(1.0, sum_.expert_max / (samples * layers));
    mean.drop_rate = sum_.drop_rate / (steps * layers);
    if (group_.ranks == 1) mean.mean_max = mean.worst_max = mean.memory_max = 1;  // but for rounding
    return mean;
  }

  const Popularity& popularity_;
  const ExpertGroup& group_;
  double capacity_factor_;
  double total_ = 0;
  std::int64_t num_prepared_ = 0;
  std::vector<std::vector<std::vector<std::int32_t>>> placements_;  // layer, step, expert
  std::vector<LayerDraws> layers_;
  std::vector<double> count_E_;
  Imbalance sum_;
};

}  // namespace

void check_group(const ExpertGroup& group) {
  if (group.experts < 1 || group.ranks < 1 || group.tokens < 1 || group.layers < 1) {
    fail("load: experts ({}), ranks ({}), tokens ({}) and layers ({}) must be at least 1", group.experts, group.ranks,
         group.tokens, group.layers);
  }
  if (group.top_k < 1 || group.top_k > group.experts) {
    fail("load: a token cannot pick {} of {} experts", group.top_k, group.experts);
  }
  if (group.experts % group.ranks != 0) {
    fail("load: {} experts cannot be shared equally by {} ranks; choose a divisor", group.experts, group.ranks);
  }
}

Imbalance imbalance(const Popularity& popularity, const ExpertGroup& group, bool placement, double capacity_factor) {
  check_group(group);
  if (!(capacity_factor >= 0) || !std::isfinite(capacity_factor)) {
    fail("load: capacity factor is {}, expected 0 (drop nothing) or more", capacity_factor);
  }
  FILIGREE_ASSERT(popularity.experts() == group.experts && popularity.top_k() == group.top_k &&
                  popularity.layers() == group.layers);
  if (popularity.load().kind == spec::LoadKind::balanced) {
    Imbalance even;
    if (capacity_factor > 0) even.drop_rate = std::max(0.0, 1 - capacity_factor);
    return even;
  }
  return MonteCarlo(popularity, group, capacity_factor).run(placement);
}

Imbalance imbalance(const spec::Load& load, const ExpertGroup& group, bool placement, double capacity_factor) {
  check_group(group);
  return imbalance(Popularity(load, group.experts, group.top_k, group.layers), group, placement, capacity_factor);
}

double imbalance_score(std::span<const double> load_R, std::int64_t tokens) {
  FILIGREE_ASSERT(!load_R.empty() && tokens > 0);
  const auto [smallest, largest] = std::minmax_element(load_R.begin(), load_R.end());
  return (*largest - *smallest) / static_cast<double>(tokens);
}

}  // namespace filigree::plan
