#include "plan/assignment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace filigree::plan {
namespace {

constexpr double exact_below = 4;  // assignments per expert

/// 256 layers of equal area under exp(-x²/2); edge[i] is the right end of layer i, falling; layer 0 has the tail.
struct Ziggurat {
  static constexpr std::size_t layers = 256;
  static constexpr double start = 3.6541528853610088;  // of the tail
  static constexpr double area = 0.00492867323399141;  // of each layer
  std::array<double, layers + 1> edge{}, height{};

  Ziggurat() {
    const auto density = [](double x) { return std::exp(-0.5 * x * x); };
    edge[0] = area / density(start);
    edge[1] = start;
    for (std::size_t i = 2; i < layers; ++i) {
      edge[i] = std::sqrt(-2 * std::log(area / edge[i - 1] + density(edge[i - 1])));
    }
    edge[layers] = 0;
    for (std::size_t i = 0; i <= layers; ++i) height[i] = density(edge[i]);
  }
};

const Ziggurat ziggurat;

/// Beyond the last edge (Marsaglia, 1964).
double draw_tail(Random& random) {
  while (true) {
    const double x = -std::log(1 - random.uniform()) / Ziggurat::start;
    const double y = -std::log(1 - random.uniform());
    if (2 * y > x * x) return Ziggurat::start + x;
  }
}

/// c such that c_e (1 - c_e / Σ c) is the variance of one token's pick.
std::vector<double> solve_spread(std::span<const double> inclusion) {
  std::vector<double> c;
  for (const double p : inclusion) c.push_back(p * (1 - p));
  for (int iteration = 0; iteration < 8; ++iteration) {
    const double sum = std::accumulate(c.begin(), c.end(), 0.0);
    if (sum <= 0) break;
    for (std::size_t e = 0; e < c.size(); ++e) {
      c[e] = inclusion[e] * (1 - inclusion[e]) / std::max(0.5, 1 - c[e] / sum);
    }
  }
  return c;
}

}  // namespace

double fast_normal(Random& random) {
  while (true) {
    const std::uint64_t bits = random();
    const std::size_t layer = bits & (Ziggurat::layers - 1);
    const double u = static_cast<double>(static_cast<std::int64_t>(bits) >> 11) * 0x1.0p-52;  // in [-1, 1)
    const double x = u * ziggurat.edge[layer];
    if (std::abs(x) < ziggurat.edge[layer + 1]) return x;
    if (layer == 0) return u < 0 ? -draw_tail(random) : draw_tail(random);
    const double low = ziggurat.height[layer], high = ziggurat.height[layer + 1];
    if (low + (high - low) * random.uniform() < std::exp(-0.5 * x * x)) return x;
  }
}

AssignmentSampler::AssignmentSampler(LayerPopularity popularity) : popularity_(std::move(popularity)) {
  FILIGREE_ASSERT(popularity_.inclusion.size() == experts() &&
                  popularity_.top_k <= static_cast<std::int64_t>(experts()));
  share_ = solve_spread(popularity_.inclusion);
  const double sum = std::accumulate(share_.begin(), share_.end(), 0.0);
  for (std::size_t e = 0; e < experts(); ++e) {
    spread_.push_back(std::sqrt(share_[e]));
    skew_.push_back(share_[e] > 0 ? (1 - 2 * popularity_.inclusion[e]) / 6 : 0);
    share_[e] = sum > 0 ? share_[e] / sum : 0;
  }
  build_alias();
}

void AssignmentSampler::build_alias() {
  const std::size_t num = experts();
  threshold_.resize(num);
  alias_.resize(num);
  std::vector<std::uint32_t> small, large;
  for (std::size_t e = 0; e < num; ++e) {
    threshold_[e] = popularity_.weight[e] * static_cast<double>(num);
    alias_[e] = static_cast<std::uint32_t>(e);
    (threshold_[e] < 1 ? small : large).push_back(static_cast<std::uint32_t>(e));
  }
  while (!small.empty() && !large.empty()) {
    const std::uint32_t poor = small.back(), rich = large.back();
    small.pop_back();
    alias_[poor] = rich;
    threshold_[rich] -= 1 - threshold_[poor];
    if (threshold_[rich] >= 1) continue;
    large.pop_back();
    small.push_back(rich);
  }
  for (const std::uint32_t e : small) threshold_[e] = 1;  // rounding left a crumb
}

std::size_t AssignmentSampler::draw_one(Random& random) const {
  const double at = random.uniform() * static_cast<double>(experts());
  const auto slot = static_cast<std::size_t>(at);
  const std::size_t other = alias_[slot];  // read at once: a branch would often be mispredicted
  return at - static_cast<double>(slot) < threshold_[slot] ? slot : other;
}

bool AssignmentSampler::is_exact(std::int64_t tokens) const {
  return static_cast<double>(tokens * popularity_.top_k) < exact_below * static_cast<double>(experts());
}

void AssignmentSampler::draw(std::int64_t tokens, Random& random, std::span<double> count_E) const {
  if (is_exact(tokens)) {
    std::fill(count_E.begin(), count_E.end(), 0.0);
    return add_exact(tokens, random, count_E);
  }
  for (double& count : count_E) count = fast_normal(random);
  approximate(static_cast<double>(tokens), count_E, count_E);
}

void AssignmentSampler::add_exact(std::int64_t tokens, Random& random, std::span<double> count_E) const {
  std::vector<std::int64_t> last_token(experts(), -1);
  std::vector<double> left(experts());
  for (std::int64_t token = 0; token < tokens; ++token) {
    int refused = 0;
    for (std::int64_t k = 0; k < popularity_.top_k;) {
      std::size_t expert = 0;
      if (refused < 64) {
        expert = draw_one(random);
      } else {  // the few popular ones are taken: draw among the others
        for (std::size_t e = 0; e < experts(); ++e) left[e] = last_token[e] == token ? 0 : popularity_.weight[e];
        expert = random.weighted(left);
      }
      if (last_token[expert] == token) {
        ++refused;
        continue;
      }
      last_token[expert] = token;
      count_E[expert] += 1;
      ++k;
    }
  }
}

void AssignmentSampler::approximate(double tokens, std::span<const double> normal_E, std::span<double> count_E) const {
  const double root = std::sqrt(tokens);
  double surplus = -tokens * static_cast<double>(popularity_.top_k);
  for (std::size_t e = 0; e < experts(); ++e) {
    const double z = normal_E[e];
    const double count = tokens * popularity_.inclusion[e] + root * spread_[e] * z + skew_[e] * (z * z - 1);
    count_E[e] = std::max(count, 0.0);
    surplus += count_E[e];
  }
  for (std::size_t e = 0; e < experts(); ++e) count_E[e] -= surplus * share_[e];
}

}  // namespace filigree::plan
