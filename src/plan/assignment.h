#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "plan/popularity.h"

/// Draws how many of a micro-batch's tokens each expert gets.
namespace filigree::plan {

/// Standard normal by the ziggurat method with 256 layers (Marsaglia, Tsang: The ziggurat method for generating random
/// variables, 2000; with a double from bits other than the layer's, as Doornik advises, 2005). Several times as fast
/// as Random::normal(), which sets the speed of large draws.
double fast_normal(Random& random);

/// The draws of one layer.
class AssignmentSampler {
 public:
  explicit AssignmentSampler(LayerPopularity popularity);

  const LayerPopularity& popularity() const { return popularity_; }
  std::size_t experts() const { return popularity_.weight.size(); }

  /// Whether draw() takes tokens one by one: below 4 assignments per expert on average.
  bool is_exact(std::int64_t tokens) const;

  /// Fills count_E, which sums to tokens * top_k; by add_exact where is_exact, else by approximate.
  void draw(std::int64_t tokens, Random& random, std::span<double> count_E) const;

  /// Token by token: each picks top_k distinct experts. Adds to count_E.
  void add_exact(std::int64_t tokens, Random& random, std::span<double> count_E) const;

  /// From one standard normal per expert:
  ///   1. count_e = tokens inclusion_e + s_e z_e + (1 - 2 inclusion_e) (z_e² - 1) / 6, at least 0: the quantile of a
  ///      binomial by the Cornish–Fisher expansion to its skewness, with s_e² = tokens c_e;
  ///   2. take c_e / Σ c of the surplus over tokens * top_k from each, which makes the counts add up and gives them the
  ///      covariance tokens (diag(c) - c c' / Σ c) of sampling without replacement, with c_e such that each variance
  ///      is that of a binomial (Deville, Tillé: Variance approximation under balanced sampling, 2005).
  void approximate(double tokens, std::span<const double> normal_E, std::span<double> count_E) const;

 private:
  void build_alias();
  std::size_t draw_one(Random& random) const;

  LayerPopularity popularity_;
  std::vector<double> spread_;        // sqrt(c_e)
  std::vector<double> skew_;          // (1 - 2 inclusion_e) / 6
  std::vector<double> share_;         // c_e / Σ c, 0 where nothing is random
  std::vector<double> threshold_;     // alias method (Walker, 1977): keep the slot below this, else
  std::vector<std::uint32_t> alias_;  // take this one
};

}  // namespace filigree::plan
