#include "plan/imbalance_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "plan/assignment.h"
#include "plan/placement.h"

namespace filigree::plan {
namespace {

constexpr std::size_t num_finite = 22;              // 2^0 … 2^21 tokens
constexpr std::size_t num_tokens = num_finite + 1;  // and without end
constexpr std::int64_t draws_per_layer = 16;
constexpr std::int64_t layers_together = 64;  // tables are made for multiples of this, so that few are made
constexpr std::size_t max_tables = 64;
constexpr std::uint64_t table_stream = std::uint64_t{3} << 32;

/// tokens^-1/2 at the table's columns.
const std::array<double, num_tokens> inverse_root = [] {
  std::array<double, num_tokens> x{};
  for (std::size_t i = 0; i < num_finite; ++i) x[i] = std::exp2(-0.5 * static_cast<double>(i));
  return x;
}();

/// Fills the table layer by layer.
class TableBuilder {
 public:
  TableBuilder(const Popularity& popularity, bool placement, const std::vector<std::int64_t>& divisors)
      : popularity_(popularity), placement_(placement), divisors_(divisors) {
    const auto experts = static_cast<std::size_t>(popularity.experts());
    sum_.assign(divisors.size() * num_tokens, 0.0);
    count_E_.resize(experts);
    exact_E_.resize(experts);
    normal_E_.resize(experts);
    running_E_.resize(experts + 1);
  }

  /// Adds the draws of one layer; sums of largest / mean by slot and tokens.
  const std::vector<double>& add_layer(std::int64_t layer) {
    if (placement_) place(layer);
    Random random = Random(static_cast<std::uint64_t>(popularity_.load().seed))
                        .fork(table_stream + static_cast<std::uint64_t>(layer));
    const auto steps = static_cast<std::int64_t>(popularity_.steps());
    std::unique_ptr<AssignmentSampler> sampler;
    std::int64_t current = -1;
    for (std::int64_t draw = 0; draw < num_draws(); ++draw) {
      const std::int64_t step = draw * steps / num_draws();
      if (step != current)
        sampler = std::make_unique<AssignmentSampler>(popularity_.layer(static_cast<std::size_t>(step), layer));
      current = step;
      add_draw(*sampler, static_cast<std::size_t>(step), random);
    }
    return sum_;
  }

  std::int64_t num_draws() const {
    return std::clamp(static_cast<std::int64_t>(popularity_.steps()), draws_per_layer, 4 * draws_per_layer);
  }

 private:
  void place(std::int64_t layer) {
    held_.assign(divisors_.size(), {});
    for (std::size_t slot = 0; slot < divisors_.size(); ++slot) {
      for (const std::vector<std::int32_t>& rank_of : settled_placements(popularity_, layer, divisors_[slot])) {
        std::vector<std::uint32_t> held(rank_of.size());
        std::iota(held.begin(), held.end(), 0u);
        std::stable_sort(held.begin(), held.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return rank_of[a] < rank_of[b]; });
        held_[slot].push_back(std::move(held));
      }
    }
  }

  void add_draw(const AssignmentSampler& sampler, std::size_t step, Random& random) {
    std::fill(exact_E_.begin(), exact_E_.end(), 0.0);
    for (double& z : normal_E_) z = fast_normal(random);
    std::int64_t drawn = 0;
    for (std::size_t column = 0; column < num_finite; ++column) {
      const std::int64_t tokens = std::int64_t{1} << column;
      if (sampler.is_exact(tokens)) {
        sampler.add_exact(tokens - drawn, random, exact_E_);
        drawn = tokens;
        add_counts(exact_E_, column, step, static_cast<double>(tokens));
      } else {
        sampler.approximate(static_cast<double>(tokens), normal_E_, count_E_);
        add_counts(count_E_, column, step, static_cast<double>(tokens));
      }
    }
    add_counts(sampler.popularity().inclusion, num_finite, step, 1);
  }

  void add_counts(const std::vector<double>& count_E, std::size_t column, std::size_t step, double tokens) {
    if (!placement_) {
      for (std::size_t e = 0; e < count_E.size(); ++e) running_E_[e + 1] = running_E_[e] + count_E[e];
    }
    const double total = tokens * static_cast<double>(popularity_.top_k());
    for (std::size_t slot = 0; slot < divisors_.size(); ++slot) {
      const double largest = placement_ ? largest_placed(count_E, slot, step) : largest_in_order(slot);
      sum_[slot * num_tokens + column] += largest * static_cast<double>(divisors_[slot]) / total;
    }
  }

  double largest_in_order(std::size_t slot) const {
    const std::size_t each = (running_E_.size() - 1) / static_cast<std::size_t>(divisors_[slot]);
    double largest = 0;
    for (std::size_t end = each; end < running_E_.size(); end += each) {
      largest = std::max(largest, running_E_[end] - running_E_[end - each]);
    }
    return largest;
  }

  double largest_placed(const std::vector<double>& count_E, std::size_t slot, std::size_t step) const {
    const auto& by_step = held_[slot];
    const std::vector<std::uint32_t>& held = by_step[std::min(step, by_step.size() - 1)];
    const std::size_t each = held.size() / static_cast<std::size_t>(divisors_[slot]);
    double largest = 0;
    for (std::size_t begin = 0; begin < held.size(); begin += each) {
      double load = 0;
      for (std::size_t i = begin; i < begin + each; ++i) load += count_E[held[i]];
      largest = std::max(largest, load);
    }
    return largest;
  }

  const Popularity& popularity_;
  bool placement_;
  const std::vector<std::int64_t>& divisors_;
  std::vector<std::vector<std::vector<std::uint32_t>>> held_;  // slot, step: experts of rank 0, of rank 1, …
  std::vector<double> sum_;                                    // slot, tokens
  std::vector<double> count_E_, exact_E_, normal_E_, running_E_;
};

}  // namespace

ImbalanceTable::ImbalanceTable(const Popularity& popularity, bool placement)
    : experts_(popularity.experts()), layers_(popularity.layers()) {
  slot_of_ranks_.assign(static_cast<std::size_t>(experts_) + 1, -1);
  for (std::int64_t ranks = 1; ranks <= experts_; ++ranks) {
    if (experts_ % ranks != 0) continue;
    slot_of_ranks_[static_cast<std::size_t>(ranks)] = static_cast<std::int32_t>(divisors_.size());
    divisors_.push_back(ranks);
  }
  if (popularity.load().kind == spec::LoadKind::balanced) return;
  const auto num_layers = static_cast<std::size_t>(layers_);
  values_.resize(divisors_.size() * num_tokens * num_layers);
  TableBuilder builder(popularity, placement, divisors_);
  for (std::size_t layer = 0; layer < num_layers; ++layer) {
    const std::vector<double>& sum = builder.add_layer(static_cast<std::int64_t>(layer));
    const double draws = static_cast<double>(layer + 1) * static_cast<double>(builder.num_draws());
    for (std::size_t i = 0; i < sum.size(); ++i) {
      values_[i * num_layers + layer] = static_cast<float>(std::max(1.0, sum[i] / draws));
    }
  }
}

double ImbalanceTable::mean_max(std::int64_t ranks, std::int64_t tokens, std::int64_t layers) const {
  FILIGREE_ASSERT(tokens > 0 && layers > 0 && layers <= layers_);
  const std::int32_t slot = ranks > 0 && ranks <= experts_ ? slot_of_ranks_[static_cast<std::size_t>(ranks)] : -1;
  if (slot < 0) fail("load: {} experts cannot be shared equally by {} ranks; choose a divisor", experts_, ranks);
  if (values_.empty() || ranks == 1) return 1;
  const auto octave = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(tokens)) - 1);
  const std::size_t column = std::min(octave, num_finite - 1);
  const double x = 1 / std::sqrt(static_cast<double>(tokens));
  const double left = inverse_root[column], right = inverse_root[column + 1];
  const double share = (left - x) / (left - right);
  const auto stride = static_cast<std::size_t>(layers_);
  const float* value =
      &values_[(static_cast<std::size_t>(slot) * num_tokens + column) * stride + static_cast<std::size_t>(layers - 1)];
  return (1 - share) * static_cast<double>(value[0]) + share * static_cast<double>(value[stride]);
}

namespace {

/// A table and what it was made for.
struct CachedTable {
  spec::Load load;
  std::int64_t experts = 0, top_k = 0;
  bool placement = false;
  std::shared_ptr<const ImbalanceTable> table;

  bool serves(const spec::Load& other, const ExpertGroup& group, bool with_placement) const {
    return experts == group.experts && top_k == group.top_k && placement == with_placement && load.kind == other.kind &&
           load.parameter == other.parameter && load.seed == other.seed && table->layers() >= group.layers &&
           load.trace == other.trace && (load.kind != spec::LoadKind::trace || table->layers() == group.layers);
  }
};

CachedTable make_table(const spec::Load& load, const ExpertGroup& group, bool placement) {
  std::int64_t layers = group.layers;
  // A trace tells its layers; drawn popularities are the same for the first layers of any number.
  if (load.kind != spec::LoadKind::trace) layers = (layers + layers_together - 1) / layers_together * layers_together;
  const Popularity popularity(load, group.experts, group.top_k, layers);
  return {load, group.experts, group.top_k, placement, std::make_shared<ImbalanceTable>(popularity, placement)};
}

CachedTable find_table(const spec::Load& load, const ExpertGroup& group, bool placement) {
  static std::mutex mutex;
  static std::vector<CachedTable> tables;
  static std::size_t oldest = 0;
  const std::lock_guard lock(mutex);
  for (const CachedTable& cached : tables) {
    if (cached.serves(load, group, placement)) return cached;
  }
  CachedTable made = make_table(load, group, placement);
  if (tables.size() < max_tables) {
    tables.push_back(made);
  } else {
    tables[oldest++ % max_tables] = made;
  }
  return made;
}

}  // namespace

double quick_imbalance(const spec::Load& load, const ExpertGroup& group, bool placement) {
  check_group(group);
  if (load.kind == spec::LoadKind::balanced) return 1;
  thread_local CachedTable last;  // so that repeated calls take no lock
  if (last.table == nullptr || !last.serves(load, group, placement)) last = find_table(load, group, placement);
  return last.table->mean_max(group.ranks, group.tokens, group.layers);
}

}  // namespace filigree::plan
