#include "base/random.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"

namespace filigree {

std::uint64_t splitmix64(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15u;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

Random::Random(std::uint64_t seed) : seed_(seed) {
  for (std::uint64_t& word : state_) word = splitmix64(seed);
}

Random Random::fork(std::uint64_t stream) const {
  // Both pass the mixer, so that neighbouring seeds and neighbouring streams share nothing.
  std::uint64_t seed = seed_, number = stream;
  const std::uint64_t mixed = splitmix64(seed) ^ std::rotl(splitmix64(number), 32);
  std::uint64_t state = mixed;
  return Random(splitmix64(state));
}

std::uint64_t Random::operator()() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

std::uint64_t Random::below(std::uint64_t n) {
  FILIGREE_ASSERT(n > 0);
  // The lowest 2^64 mod n values are refused, so that every remainder is equally frequent.
  const std::uint64_t refused = (0 - n) % n;
  std::uint64_t bits = (*this)();
  while (bits < refused) bits = (*this)();
  return bits % n;
}

double Random::normal() {
  if (has_spare_normal_) {
    has_spare_normal_ = false;
    return spare_normal_;
  }
  double x = 0, y = 0, square = 0;
  do {
    x = uniform(-1.0, 1.0);
    y = uniform(-1.0, 1.0);
    square = x * x + y * y;
  } while (square >= 1.0 || square == 0.0);
  const double scale = std::sqrt(-2.0 * std::log(square) / square);
  spare_normal_ = y * scale;
  has_spare_normal_ = true;
  return x * scale;
}

double Random::gamma(double shape) { return std::exp(log_gamma(shape)); }

/// The logarithm, because with a small shape the number itself underflows to 0.
double Random::log_gamma(double shape) {
  FILIGREE_ASSERT(shape > 0 && std::isfinite(shape));
  if (shape < 1) {
    const double log_larger = log_gamma(shape + 1);
    return log_larger + std::log(1.0 - uniform()) / shape;  // 1 - u is never 0
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double x = normal();
    const double root = 1.0 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    const double u = 1.0 - uniform();
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

std::vector<double> Random::dirichlet(double alpha, std::size_t n) {
  const std::vector<double> alphas(n, alpha);
  return dirichlet(alphas);
}

std::vector<double> Random::dirichlet(std::span<const double> alphas) {
  FILIGREE_ASSERT(!alphas.empty());
  std::vector<double> shares;
  shares.reserve(alphas.size());
  for (const double alpha : alphas) shares.push_back(log_gamma(alpha));
  const double largest = *std::max_element(shares.begin(), shares.end());
  double sum = 0;
  for (double& share : shares) sum += share = std::exp(share - largest);
  for (double& share : shares) share /= sum;
  return shares;
}

std::size_t Random::weighted(std::span<const double> weights) {
  double sum = 0;
  for (const double weight : weights) {
    FILIGREE_ASSERT(weight >= 0);
    sum += weight;
  }
  FILIGREE_ASSERT(sum > 0 && std::isfinite(sum));
  double left = uniform() * sum;
  std::size_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    last = i;
    left -= weights[i];
    if (left < 0) return i;
  }
  return last;  // rounding left a crumb
}

std::vector<double> zipf_weights(std::size_t n, double s) {
  FILIGREE_ASSERT(n > 0 && std::isfinite(s));
  std::vector<double> weights(n);
  double sum = 0;
  for (std::size_t rank = 1; rank <= n; ++rank) sum += weights[rank - 1] = std::pow(static_cast<double>(rank), -s);
  for (double& weight : weights) weight /= sum;
  return weights;
}

}  // namespace filigree
