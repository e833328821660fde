#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

/// Random numbers that are the same on every machine and with every standard library: no std distribution is used.
namespace filigree {

/// One step of splitmix64: advances the state and returns 64 mixed bits (Steele, Lea, Flood: Fast splittable
/// pseudorandom number generators, OOPSLA 2014).
std::uint64_t splitmix64(std::uint64_t& state);

/// xoshiro256** (Blackman, Vigna: Scrambled linear pseudorandom number generators, 2021), seeded through splitmix64.
/// Usable where the standard library asks for a uniform random bit generator.
class Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t seed);

  /// A generator for one part of the work, given by its number. It depends on the seed and the number alone, not on
  /// what was drawn before, so that parts may run in any order.
  Random fork(std::uint64_t stream) const;

  /// 64 random bits.
  std::uint64_t operator()();

  static constexpr std::uint64_t min() { return 0; }
  static constexpr std::uint64_t max() { return std::numeric_limits<std::uint64_t>::max(); }

  /// Uniform in [0, 1), 53 bits.
  double uniform();

  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Uniform among 0 … n - 1, without bias; n > 0.
  std::uint64_t below(std::uint64_t n);

  /// Standard normal (Marsaglia's polar method).
  double normal();

  /// Gamma with this shape > 0 and scale 1 (Marsaglia, Tsang: A simple method for generating gamma variables, 2000).
  double gamma(double shape);

  /// n shares >= 0 that sum to 1, from the symmetric Dirichlet distribution with concentration alpha > 0: large alpha
  /// gives nearly equal shares, small alpha a few large ones.
  std::vector<double> dirichlet(double alpha, std::size_t n);

  /// As above with one concentration for each share.
  std::vector<double> dirichlet(std::span<const double> alphas);

  /// An index drawn with probability proportional to its weight; weights >= 0 with a positive sum.
  std::size_t weighted(std::span<const double> weights);

  /// Every order equally likely (Fisher–Yates).
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[static_cast<std::size_t>(below(i))]);
  }

 private:
  double log_gamma(double shape);

  std::uint64_t seed_;
  std::uint64_t state_[4];
  double spare_normal_ = 0;
  bool has_spare_normal_ = false;
};

/// n weights proportional to 1 / rank^s, largest first, summing to 1. s = 0 gives equal weights.
std::vector<double> zipf_weights(std::size_t n, double s);

}  // namespace filigree
