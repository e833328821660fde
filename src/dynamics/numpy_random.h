#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

/// The random numbers that numpy draws, bit for bit, so that published data sets can be made again. All other random
/// numbers come from base/random.h.
namespace filigree::dynamics {

/// numpy.random.default_rng(seed): PCG64 (O'Neill: PCG, a family of simple fast space-efficient statistically good
/// algorithms for random number generation, 2014) seeded through SeedSequence (O'Neill: Developing a seed_seq
/// alternative, 2015).
class NumpyGenerator {
 public:
  explicit NumpyGenerator(std::uint64_t seed);

  /// 64 random bits.
  std::uint64_t raw();

  /// As Generator.uniform(low, high).
  double uniform(double low, double high);

  /// As Generator.choice(n, count, replace=False), for n <= 10000 (numpy takes another way for larger ones).
  std::vector<std::int64_t> choice(std::int64_t n, std::int64_t count);

 private:
  __extension__ using Wide = unsigned __int128;

  std::uint32_t raw32();
  std::uint64_t up_to(std::uint32_t largest);

  Wide state_ = 0, increment_ = 0;
  bool has_half_ = false;
  std::uint32_t half_ = 0;
};

/// numpy.random.seed(seed) and numpy.random.random(): the Mersenne twister.
class NumpyLegacy {
 public:
  explicit NumpyLegacy(std::uint32_t seed) : twister_(seed) {}

  /// Uniform in [0, 1), 53 bits.
  double random();

 private:
  std::mt19937 twister_;
};

}  // namespace filigree::dynamics
