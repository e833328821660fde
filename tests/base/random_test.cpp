#include "base/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include <gtest/gtest.h>

namespace filigree {
namespace {

struct Moments {
  double mean = 0, variance = 0;
};

template <class Draw>
Moments moments(int count, Draw draw) {
  double sum = 0, squares = 0;
  for (int i = 0; i < count; ++i) {
    const double x = draw();
    sum += x;
    squares += x * x;
  }
  const double mean = sum / count;
  return {mean, squares / count - mean * mean};
}

// Known values of splitmix64 for seed 1234567.
TEST(Random, SplitmixMatchesItsReference) {
  std::uint64_t state = 1234567;
  EXPECT_EQ(splitmix64(state), 6457827717110365317u);
  EXPECT_EQ(splitmix64(state), 3203168211198807973u);
  EXPECT_EQ(splitmix64(state), 9817491932198370423u);
}

TEST(Random, BitsAreGolden) {
  Random random(42);
  EXPECT_EQ(random(), 1546998764402558742u);
  EXPECT_EQ(random(), 6990951692964543102u);
  EXPECT_EQ(random(), 12544586762248559009u);
  EXPECT_EQ(random(), 17057574109182124193u);
  EXPECT_EQ(Random(42).fork(3)(), 16017717982589414816u);
}

TEST(Random, DistributionsAreGolden) {
  Random random(7);
  // log and exp may differ in the last place between C libraries.
  constexpr double kBound = 1e-13;
  EXPECT_EQ(random.uniform(), 0.7005764821796896);
  EXPECT_EQ(random.below(1000), 674u);
  EXPECT_NEAR(random.normal(), -0.30393012386565671, kBound);
  EXPECT_NEAR(random.normal(), -1.0989693210013467, kBound);
  EXPECT_NEAR(random.gamma(2.5), 2.6469908087517684, kBound);
  EXPECT_NEAR(random.gamma(0.3), 0.51447936311636033, kBound);
}

TEST(Random, SameSeedSameNumbers) {
  Random a(3), b(3), c(4);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t bits = a();
    EXPECT_EQ(bits, b());
    differs = differs || bits != c();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, ForksDependOnSeedAndStreamAlone) {
  Random parent(5);
  const std::uint64_t first = parent.fork(1)();
  for (int i = 0; i < 10; ++i) parent.normal();
  EXPECT_EQ(parent.fork(1)(), first);
  EXPECT_NE(parent.fork(2)(), first);
  EXPECT_NE(Random(6).fork(1)(), first);
  EXPECT_NE(Random(1).fork(5)(), first);
  EXPECT_NE(parent.fork(1).fork(1)(), first);
  EXPECT_NE(parent.fork(0)(), Random(5)());
}

TEST(Random, UniformFillsTheUnitInterval) {
  Random random(1);
  double low = 1, high = 0;
  const Moments m = moments(100000, [&] {
    const double x = random.uniform();
    low = std::min(low, x);
    high = std::max(high, x);
    return x;
  });
  EXPECT_GE(low, 0);
  EXPECT_LT(high, 1);
  EXPECT_NEAR(m.mean, 0.5, 0.005);
  EXPECT_NEAR(m.variance, 1.0 / 12, 0.002);
  for (int i = 0; i < 1000; ++i) {
    const double x = random.uniform(-3, -2);
    EXPECT_GE(x, -3);
    EXPECT_LT(x, -2);
  }
}

TEST(Random, BelowIsEven) {
  Random random(2);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<std::size_t>(random.below(7))];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);  // four standard deviations
  EXPECT_EQ(random.below(1), 0u);
  const std::uint64_t large = (std::uint64_t{1} << 63) + 1;  // nearly half of all draws are refused
  for (int i = 0; i < 1000; ++i) EXPECT_LT(random.below(large), large);
  EXPECT_THROW(random.below(0), std::logic_error);
}

TEST(Random, NormalHasItsMoments) {
  Random random(3);
  double fourth = 0;
  constexpr int kCount = 200000;
  const Moments m = moments(kCount, [&] {
    const double x = random.normal();
    fourth += x * x * x * x / kCount;
    return x;
  });
  EXPECT_NEAR(m.mean, 0, 0.01);
  EXPECT_NEAR(m.variance, 1, 0.015);
  EXPECT_NEAR(fourth, 3, 0.15);
}

TEST(Random, GammaHasItsMoments) {
  Random random(4);
  for (const double shape : {0.1, 0.5, 1.0, 2.5, 40.0}) {
    const Moments m = moments(200000, [&] { return random.gamma(shape); });
    // Mean and variance are both the shape; bounds of five standard errors.
    EXPECT_NEAR(m.mean, shape, 5 * std::sqrt(shape / 200000)) << shape;
    EXPECT_NEAR(m.variance, shape, 5 * std::sqrt((2 * shape * shape + 6 * shape) / 200000)) << shape;
  }
  EXPECT_THROW(random.gamma(0), std::logic_error);
  EXPECT_THROW(random.gamma(std::nan("")), std::logic_error);
}

TEST(Random, DirichletSharesSumToOne) {
  Random random(5);
  for (const double alpha : {1e-4, 0.1, 1.0, 1e6}) {
    const std::vector<double> shares = random.dirichlet(alpha, 64);
    EXPECT_EQ(shares.size(), 64u);
    EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1, 1e-12) << alpha;
    EXPECT_GE(*std::min_element(shares.begin(), shares.end()), 0);
  }
  const std::vector<double> even = random.dirichlet(1e6, 8);
  for (const double share : even) EXPECT_NEAR(share, 0.125, 0.001);
  const std::vector<double> skewed = random.dirichlet(1e-4, 8);
  EXPECT_GT(*std::max_element(skewed.begin(), skewed.end()), 0.99);
  EXPECT_THROW(random.dirichlet(1, 0), std::logic_error);
}

TEST(Random, DirichletMeansFollowTheConcentrations) {
  Random random(6);
  const std::vector<double> alphas{1, 2, 5};
  std::vector<double> mean(3);
  for (int i = 0; i < 20000; ++i) {
    const std::vector<double> shares = random.dirichlet(alphas);
    for (std::size_t k = 0; k < 3; ++k) mean[k] += shares[k] / 20000;
  }
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(mean[k], alphas[k] / 8, 0.005);
}

TEST(Random, WeightedFollowsTheWeights) {
  Random random(7);
  const std::vector<double> weights{1, 0, 3};
  std::vector<int> counts(3);
  for (int i = 0; i < 40000; ++i) ++counts[random.weighted(weights)];
  EXPECT_NEAR(counts[0], 10000, 400);
  EXPECT_EQ(counts[1], 0);
  EXPECT_NEAR(counts[2], 30000, 400);
  EXPECT_THROW(random.weighted(std::vector<double>{0, 0}), std::logic_error);
  EXPECT_THROW(random.weighted(std::vector<double>{2, -1}), std::logic_error);
}

TEST(Random, ShuffleReachesEveryOrderEvenly) {
  Random random(8);
  std::vector<int> counts(6);
  for (int i = 0; i < 60000; ++i) {
    std::vector<int> items{0, 1, 2};
    random.shuffle(items);
    ++counts[static_cast<std::size_t>(items[0] * 2 + (items[1] > items[2] ? 1 : 0))];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(Random, ZipfWeightsFallWithRank) {
  const std::vector<double> weights = zipf_weights(4, 1);
  const double sum = 1 + 1.0 / 2 + 1.0 / 3 + 1.0 / 4;
  for (std::size_t k = 0; k < 4; ++k) EXPECT_DOUBLE_EQ(weights[k], 1.0 / static_cast<double>(k + 1) / sum);
  for (const double weight : zipf_weights(5, 0)) EXPECT_DOUBLE_EQ(weight, 0.2);
  EXPECT_THROW(zipf_weights(0, 1), std::logic_error);
}

}  // namespace
}  // namespace filigree
