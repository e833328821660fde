#include "dynamics/numpy_random.h"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

/// Eight 32-bit words for PCG64's state and stream, from a seed of up to 64 bits.
class SeedSequence {
 public:
  explicit SeedSequence(std::uint64_t seed) {
    const std::array<std::uint32_t, 4> entropy{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                                               0, 0};
    for (std::size_t i = 0; i < pool_.size(); ++i) pool_[i] = hash(entropy[i]);
    for (std::size_t from = 0; from < pool_.size(); ++from) {
      for (std::size_t to = 0; to < pool_.size(); ++to) {
        if (from != to) pool_[to] = mix(pool_[to], hash(pool_[from]));
      }
    }
  }

  std::array<std::uint64_t, 4> words() const {
    std::uint32_t multiplier = 0x8b51f9ddu;
    std::array<std::uint64_t, 4> words{};
    for (std::size_t i = 0; i < 8; ++i) {
      std::uint32_t value = pool_[i % pool_.size()] ^ multiplier;
      multiplier *= 0x58f38dedu;
      value *= multiplier;
      value ^= value >> 16;
      words[i / 2] |= static_cast<std::uint64_t>(value) << (32 * (i % 2));
    }
    return words;
  }

 private:
  std::uint32_t hash(std::uint32_t value) {
    value ^= multiplier_;
    multiplier_ *= 0x931e8875u;
    value *= multiplier_;
    return value ^ (value >> 16);
  }

  static std::uint32_t mix(std::uint32_t x, std::uint32_t y) {
    const std::uint32_t result = 0xca01f9ddu * x - 0x4973f715u * y;
    return result ^ (result >> 16);
  }

  std::uint32_t multiplier_ = 0x43b0d7e5u;
  std::array<std::uint32_t, 4> pool_{};
};

}  // namespace

NumpyGenerator::NumpyGenerator(std::uint64_t seed) {
  const auto words = SeedSequence(seed).words();
  increment_ = (((static_cast<Wide>(words[2]) << 64) | words[3]) << 1) | 1u;
  state_ = 0;
  raw();
  state_ += (static_cast<Wide>(words[0]) << 64) | words[1];
  raw();
}

std::uint64_t NumpyGenerator::raw() {
  constexpr Wide multiplier = (static_cast<Wide>(0x2360ED051FC65DA4u) << 64) | 0x4385DF649FCCF645u;
  state_ = state_ * multiplier + increment_;
  const std::uint64_t folded = static_cast<std::uint64_t>(state_ >> 64) ^ static_cast<std::uint64_t>(state_);
  return std::rotr(folded, static_cast<int>(state_ >> 122));
}

double NumpyGenerator::uniform(double low, double high) {
  // Rounded before the sum, as numpy does; a fused multiplication would give other last digits.
  const volatile double scaled = (high - low) * (static_cast<double>(raw() >> 11) * 0x1.0p-53);
  return low + scaled;
}

std::uint32_t NumpyGenerator::raw32() {
  if (std::exchange(has_half_, false)) return half_;
  const std::uint64_t bits = raw();
  has_half_ = true;
  half_ = static_cast<std::uint32_t>(bits >> 32);
  return static_cast<std::uint32_t>(bits);
}

/// Uniform among 0 … largest (Lemire: Fast random integer generation in an interval, 2019).
std::uint64_t NumpyGenerator::up_to(std::uint32_t largest) {
  if (largest == 0) return 0;
  const std::uint32_t count = largest + 1;
  std::uint64_t product = static_cast<std::uint64_t>(raw32()) * count;
  if (static_cast<std::uint32_t>(product) < count) {
    const std::uint32_t refused = (0xFFFFFFFFu - largest) % count;
    while (static_cast<std::uint32_t>(product) < refused) product = static_cast<std::uint64_t>(raw32()) * count;
  }
  return product >> 32;
}

std::vector<std::int64_t> NumpyGenerator::choice(std::int64_t n, std::int64_t count) {
  FILIGREE_ASSERT(count >= 0 && count <= n && n <= 10000);
  // Floyd's algorithm, then a shuffle.
  std::set<std::int64_t> taken;
  std::vector<std::int64_t> chosen;
  for (std::int64_t j = n - count; j < n; ++j) {
    const auto value = static_cast<std::int64_t>(up_to(static_cast<std::uint32_t>(j)));
    chosen.push_back(taken.insert(value).second ? value : j);
    taken.insert(chosen.back());
  }
  for (std::size_t i = chosen.size(); i-- > 1;) {
    std::swap(chosen[static_cast<std::size_t>(up_to(static_cast<std::uint32_t>(i)))], chosen[i]);
  }
  return chosen;
}

double NumpyLegacy::random() {
  const auto high = static_cast<double>(twister_() >> 5), low = static_cast<double>(twister_() >> 6);
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

}  // namespace filigree::dynamics
