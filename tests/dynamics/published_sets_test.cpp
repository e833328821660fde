#include <cmath>
#include <numbers>
#include <numeric>

#include <gtest/gtest.h>

#include "dynamics/numpy_random.h"
#include "dynamics/published_sets.h"
#include "support/expect_error.h"
#include "support/paths.h"

namespace filigree::dynamics {
namespace {

// The numbers here are numpy's, version 1.24.

TEST(NumpyRandom, RawBitsAreNumpys) {
  NumpyGenerator a(53), b(89), large((std::uint64_t{1} << 40) + 3), zero(0);
  EXPECT_EQ(a.raw(), 205256821036576843u);
  EXPECT_EQ(a.raw(), 13261560841915998013u);
  EXPECT_EQ(b.raw(), 10621213578461649186u);
  EXPECT_EQ(large.raw(), 14271435802380633900u);
  EXPECT_EQ(zero.raw(), 11749869230777074271u);
}

TEST(NumpyRandom, UniformNumbersAreNumpys) {
  constexpr double pi = std::numbers::pi;
  NumpyGenerator random(53);
  EXPECT_EQ(random.uniform(-pi, pi), -3.0716796848305283);
  EXPECT_EQ(random.uniform(-1.5, 1.5), 0.6567319613031026);
  EXPECT_EQ(random.uniform(-pi, pi), -1.0610591513422136);
  EXPECT_EQ(random.uniform(-1.5, 1.5), 1.2992659908600794);
}

TEST(NumpyRandom, ChoicesAreNumpys) {
  const std::vector<std::int64_t> of300 = NumpyGenerator(1041).choice(300, 128);
  const std::vector<std::int64_t> first{146, 4, 291, 29, 260, 233, 138, 69, 249, 116, 188, 295};
  EXPECT_EQ(std::vector<std::int64_t>(of300.begin(), of300.begin() + 12), first);
  EXPECT_EQ(of300.size(), 128u);
  EXPECT_EQ(std::accumulate(of300.begin(), of300.end(), std::int64_t{0}), 17716);
  const std::vector<std::int64_t> of240 = NumpyGenerator(1041).choice(240, 128);
  EXPECT_EQ(std::vector<std::int64_t>(of240.begin(), of240.begin() + 6),
            (std::vector<std::int64_t>{98, 3, 127, 170, 239, 173}));
}

TEST(NumpyRandom, LegacyNumbersAreNumpys) {
  NumpyLegacy zero(0), largest(2147483647);
  EXPECT_EQ(zero.random(), 0.5488135039273248);
  EXPECT_EQ(zero.random(), 0.7151893663724195);
  EXPECT_EQ(largest.random(), 0.3933911315501387);
  EXPECT_EQ(largest.random(), 0.6566618430544519);
}

class PublishedSets : public testing::Test {
 protected:
  static void SetUpTestSuite() { setenv("FILIGREE_RECIPES", (test::source_dir() + "/recipes").c_str(), 0); }
};

TEST_F(PublishedSets, ThePendulumStartsWhereItDid) {
  const AuthorSuite suite = author_suite("pendulum");
  ASSERT_EQ(suite.train.runs.size(), 2500u);
  ASSERT_EQ(suite.validation.runs.size(), 300u);
  ASSERT_EQ(suite.test.runs.size(), 300u);
  suite.train.check(201);
  EXPECT_EQ(suite.train.runs[0].states.rows(), 201);
  EXPECT_EQ(suite.train.runs[0].states(0, 0), static_cast<double>(-3.0716796848305283f));
  EXPECT_EQ(suite.train.runs[1].states(0, 1), static_cast<double>(1.2992659908600794f));
  EXPECT_EQ(suite.rollouts.front(), 146);
  EXPECT_EQ(suite.scored, 2);
}

TEST_F(PublishedSets, TheForcedDuffingHasAPhase) {
  const AuthorSuite suite = author_suite("forced_duffing");
  ASSERT_EQ(suite.test.runs.size(), 240u);
  const Matrix& states = suite.test.runs[0].states;
  ASSERT_EQ(states.rows(), 401);
  EXPECT_NEAR(states(400, 2) - states(0, 2), 24, 1e-5);
  EXPECT_EQ(suite.horizons, (std::vector<int>{40, 120, 240}));
  EXPECT_EQ(suite.scored, 2);
}

TEST_F(PublishedSets, TheDuffingStartsWhereItDid) {
  const AuthorSuite suite = author_suite("duffing");
  ASSERT_EQ(suite.train.runs.size(), 1800u);
  EXPECT_EQ(suite.test.runs[0].states(0, 0), static_cast<double>(0.3031085672401317f));
  EXPECT_EQ(suite.test.runs[1].states(0, 1), static_cast<double>(-1.4410170159723692f));
}

TEST_F(PublishedSets, OtherSystemsHaveNoSuite) {
  EXPECT_ERROR(author_suite("lorenz"),
               "the author's suite has no set for lorenz; it has pendulum, duffing and forced-duffing");
}

TEST_F(PublishedSets, LeadsStartsAllEnvironmentsAlike) {
  const LeadsSets sets = leads_lotka_volterra();
  ASSERT_EQ(sets.train.runs.size(), 10u);
  ASSERT_EQ(sets.test.runs.size(), 320u);
  sets.test.check(20);
  for (const Trajectory& run : sets.train.runs) {
    EXPECT_EQ(run.states(0, 0), 1.5488135039273248);
    EXPECT_EQ(run.states(0, 1), 1.7151893663724195);
  }
  EXPECT_EQ(sets.train.runs[9].environment, 9);
  EXPECT_EQ(sets.test.runs[32].environment, 1);
  EXPECT_EQ(sets.test.runs[32].states(0, 0), 1.3933911315501387);
  EXPECT_EQ(sets.test.runs[33].states(0, 0), 1.0254961508617916);
  EXPECT_EQ(sets.environments[3].parameters("alpha"), 1);
  EXPECT_EQ(sets.environments[3].parameters("gamma"), 0.5);
  // The invariant of the flow holds along the truth.
  const Matrix& states = sets.train.runs[3].states;
  const auto invariant = [](double x, double y) { return 0.5 * x - 0.5 * std::log(x) + 0.5 * y - std::log(y); };
  EXPECT_NEAR(invariant(states(19, 0), states(19, 1)), invariant(states(0, 0), states(0, 1)), 1e-11);
}

}  // namespace
}  // namespace filigree::dynamics
