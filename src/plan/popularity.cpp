#include "plan/popularity.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace filigree::plan {
namespace {

constexpr std::int64_t exact_terms = 2048;  // experts² top_k, to which the integral's cost is proportional
constexpr double least_weight = 1e-12;      // of the largest; so that every expert can be drawn in the end
constexpr std::uint64_t popularity_stream = std::uint64_t{1} << 32;

void normalize(std::vector<double>& values, double sum) {
  const double scale = sum / std::accumulate(values.begin(), values.end(), 0.0);
  for (double& value : values) value *= scale;
}

/// Chance that fewer than top_k of the experts but `left_out` have arrived, each with its own chance.
double chance_of_fewer(std::span<const double> arrived, std::size_t left_out, std::vector<double>& chance) {
  std::fill(chance.begin(), chance.end(), 0.0);  // chance[n] of n arrivals
  chance[0] = 1;
  for (std::size_t e = 0; e < arrived.size(); ++e) {
    if (e == left_out) continue;
    for (std::size_t n = chance.size() - 1; n > 0; --n) chance[n] += arrived[e] * (chance[n - 1] - chance[n]);
    chance[0] *= 1 - arrived[e];
  }
  return std::accumulate(chance.begin(), chance.end(), 0.0);
}

/// inclusion_e = ∫ weight_e exp(-weight_e t) P(fewer than top_k others before t) dt, by the trapezoidal rule in log t,
/// whose error falls exponentially with the step.
std::vector<double> integrate_inclusion(const std::vector<double>& weight, std::int64_t top_k) {
  constexpr double step = 0.25;
  const std::size_t num = weight.size();
  std::vector<double> inclusion(num), arrived(num), chance(static_cast<std::size_t>(top_k));
  for (double log_time = -14; log_time < 42; log_time += step) {
    const double time = std::exp(log_time);
    for (std::size_t e = 0; e < num; ++e) arrived[e] = -std::expm1(-weight[e] * time);
    double largest = 0;
    for (std::size_t e = 0; e < num; ++e) {
      const double fewer = chance_of_fewer(arrived, e, chance);
      largest = std::max(largest, fewer);
      inclusion[e] += step * weight[e] * time * (1 - arrived[e]) * fewer;
    }
    if (largest < 1e-12) break;
  }
  normalize(inclusion, static_cast<double>(top_k));
  return inclusion;
}

/// t with Σ (1 - exp(-weight_e t)) = top_k. The sum is concave in t, so that Newton's steps from the left never
/// overshoot.
double solve_time(const std::vector<double>& weight, double top_k) {
  double time = top_k;
  for (int iteration = 0; iteration < 200; ++iteration) {
    double sum = 0, slope = 0;
    for (const double w : weight) {
      const double waiting = std::exp(-w * time);
      sum += 1 - waiting;
      slope += w * waiting;
    }
    if (top_k - sum < 1e-7 * top_k) break;
    time += (top_k - sum) / slope;
  }
  return time;
}

/// Starts from inclusion_e = 1 - exp(-weight_e t). The last arrival is not always at t: with V the variance of the
/// number that arrived and G = d Σ inclusion / d log t, log t has the variance V / G². And expert e competes with the
/// others alone, whose last arrival is later by inclusion_e / G in log t. Both to second order, with y the mean number
/// of arrivals of e in its time: inclusion_e = 1 - exp(-y) + V / (2 G²) y (1 - y) exp(-y), y = weight_e t exp(inclusion_e / G).
std::vector<double> expand_inclusion(const std::vector<double>& weight, std::int64_t top_k) {
  const auto wanted = static_cast<double>(top_k);
  double time = solve_time(weight, wanted), variance = 0, growth = 0;
  std::vector<double> rate(weight.size()), inclusion(weight.size());  // rate: y / t
  for (std::size_t e = 0; e < weight.size(); ++e) {
    inclusion[e] = -std::expm1(-weight[e] * time);
    variance += inclusion[e] * (1 - inclusion[e]);
    growth += weight[e] * time * (1 - inclusion[e]);
  }
  for (std::size_t e = 0; e < weight.size(); ++e) rate[e] = weight[e] * std::exp(inclusion[e] / growth);
  const double half = 0.5 * variance / (growth * growth);
  for (int iteration = 0; iteration < 3; ++iteration) {
    double sum = 0, slope = 0;
    for (std::size_t e = 0; e < weight.size(); ++e) {
      const double y = rate[e] * time, waiting = std::exp(-y);
      inclusion[e] = std::clamp(1 - waiting + half * y * (1 - y) * waiting, 0.0, 1.0);
      sum += inclusion[e];
      slope += rate[e] * waiting;
    }
    if (iteration < 2 && slope > 0) time = std::max(0.5 * time, time + (wanted - sum) / slope);
  }
  normalize(inclusion, wanted);
  return inclusion;
}

}  // namespace

LayerPopularity popularity_from_weights(std::vector<double> weights, std::int64_t top_k) {
  const auto num = static_cast<std::int64_t>(weights.size());
  FILIGREE_ASSERT(top_k > 0 && top_k <= num);
  const double largest = *std::max_element(weights.begin(), weights.end());
  FILIGREE_ASSERT(largest > 0);
  for (double& weight : weights) weight = std::max(weight, least_weight * largest);
  normalize(weights, 1);
  LayerPopularity popularity{top_k, std::move(weights), {}};
  if (top_k == num) {
    popularity.inclusion.assign(popularity.weight.size(), 1.0);
  } else if (top_k == 1) {
    popularity.inclusion = popularity.weight;
  } else if (num * num * top_k <= exact_terms) {
    popularity.inclusion = integrate_inclusion(popularity.weight, top_k);
  } else {
    popularity.inclusion = expand_inclusion(popularity.weight, top_k);
  }
  for (double& chance : popularity.inclusion) chance = std::min(chance, 1.0);
  return popularity;
}

LayerPopularity popularity_from_counts(std::span<const std::int64_t> counts, std::int64_t top_k) {
  LayerPopularity popularity{top_k, {}, {}};
  const auto sum = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  FILIGREE_ASSERT(sum > 0);
  for (const std::int64_t count : counts) {
    const double inclusion = std::min(1.0, static_cast<double>(top_k) * static_cast<double>(count) / sum);
    popularity.inclusion.push_back(inclusion);
    popularity.weight.push_back(-std::log1p(-std::min(inclusion, 1 - 1e-9)));
  }
  const double largest = *std::max_element(popularity.weight.begin(), popularity.weight.end());
  for (double& weight : popularity.weight) weight = std::max(weight, least_weight * largest);
  normalize(popularity.weight, 1);
  return popularity;
}

Popularity::Popularity(const spec::Load& load, std::int64_t experts, std::int64_t top_k, std::int64_t layers)
    : load_(load), experts_(experts), top_k_(top_k), layers_(layers) {
  if (experts < 1 || layers < 1) fail("load: needs at least one expert and one layer with experts");
  if (top_k < 1 || top_k > experts) fail("load: a token cannot pick {} of {} experts", top_k, experts);
  if (!std::isfinite(load.parameter) || load.parameter < 0) {
    fail("load: parameter {} is out of range, expected a number that is not negative", load.parameter);
  }
  if (load.kind == spec::LoadKind::dirichlet && load.parameter == 0) {
    fail("load: kind 'dirichlet' needs a concentration; set parameter above 0 (large is even, small is uneven)");
  }
  if (load.samples < 1) fail("load: samples is {}, expected at least 1", load.samples);
  if (load.kind != spec::LoadKind::trace) return;
  if (load.trace.empty()) fail("load: kind 'trace' needs a file; set trace to a CSV with step, layer, expert, tokens");
  trace_ = read_router_trace(load.trace, experts);
  check_trace();
}

void Popularity::check_trace() const {
  const auto recorded = static_cast<std::int64_t>(trace_->layers().size());
  if (recorded != layers_) {
    fail("{}: has {} layers, but the model has {} with experts", load_.trace, recorded, layers_);
  }
  for (std::size_t step = 0; step < trace_->steps().size(); ++step) {
    for (std::size_t layer = 0; layer < trace_->layers().size(); ++layer) {
      const auto counts = trace_->counts(step, layer);
      const std::int64_t total = trace_->total(step, layer);
      const auto largest = std::max_element(counts.begin(), counts.end());
      // Each token picks an expert at most once.
      if (*largest <= total / top_k_) continue;
      fail(
          "{}: step {} layer {}: expert {} has {} of {} assignments, more than there are tokens if each picks {}; "
          "was the trace recorded with another top_k?",
          load_.trace, trace_->steps()[step], trace_->layers()[layer], largest - counts.begin(), *largest, total,
          top_k_);
    }
  }
}

std::vector<double> Popularity::draw_weights(std::int64_t layer) const {
  const auto num = static_cast<std::size_t>(experts_);
  Random random =
      Random(static_cast<std::uint64_t>(load_.seed)).fork(popularity_stream + static_cast<std::uint64_t>(layer));
  if (load_.kind == spec::LoadKind::dirichlet) return random.dirichlet(load_.parameter, num);
  if (load_.kind != spec::LoadKind::zipf) return std::vector<double>(num, 1.0);
  std::vector<double> weights = zipf_weights(num, load_.parameter);
  random.shuffle(weights);
  return weights;
}

LayerPopularity Popularity::layer(std::size_t step, std::int64_t layer) const {
  FILIGREE_ASSERT(step < steps() && layer >= 0 && layer < layers_);
  if (trace_) return popularity_from_counts(trace_->counts(step, static_cast<std::size_t>(layer)), top_k_);
  return popularity_from_weights(draw_weights(layer), top_k_);
}

}  // namespace filigree::plan
