#include "plan/placement.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace filigree::plan {
namespace {

using testing::ElementsAre;

std::string error_of(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

spec::Load zipf(double exponent) {
  spec::Load load;
  load.kind = spec::LoadKind::zipf;
  load.parameter = exponent;
  return load;
}

TEST(Placement, ExampleOfTheHeader) {
  const std::vector<double> load{8, 6, 3, 3, 2, 2};
  Placement placement(6, 2);
  EXPECT_THAT(placement.rank_of(), ElementsAre(0, 0, 0, 1, 1, 1));
  placement.observe(load);
  EXPECT_THAT(placement.predicted(), testing::Pointwise(testing::DoubleNear(1e-12), {.8, .6, .3, .3, .2, .2}));
  const auto plan = placement.propose();
  ASSERT_TRUE(plan.has_value());
  EXPECT_THAT(plan->rank_of, ElementsAre(0, 1, 1, 0, 1, 0));
  EXPECT_EQ(plan->moved, 4);
  EXPECT_NEAR(plan->variation_before, 0.589, 0.001);
  EXPECT_NEAR(plan->variation_after, 0.118, 0.001);
  EXPECT_THAT(rank_loads(load, plan->rank_of, 2), ElementsAre(13, 11));
}

TEST(Placement, EveryRankGetsTheSameNumberOfExperts) {
  Random random(7);
  for (const std::int64_t ranks : {1, 2, 3, 4, 6, 12, 24}) {
    const std::vector<double> load = random.dirichlet(0.3, 24);
    const std::vector<std::int32_t> rank_of = place_greedily(load, ranks);
    for (std::int32_t rank = 0; rank < ranks; ++rank) {
      EXPECT_EQ(std::count(rank_of.begin(), rank_of.end(), rank), 24 / ranks);
    }
    const std::vector<double> loads = rank_loads(load, rank_of, ranks);
    EXPECT_NEAR(std::accumulate(loads.begin(), loads.end(), 0.0), 1.0, 1e-12);
  }
}

TEST(Placement, MovesOnlyAtMultiplesOfThePeriod) {
  Placement placement(4, 2, {.memory = 0.9, .least_drop = 0.08, .period = 3});
  EXPECT_FALSE(placement.maybe_migrate(3).has_value());  // nothing observed
  placement.observe(std::vector<double>{9, 9, 1, 1});
  EXPECT_FALSE(placement.maybe_migrate(0).has_value());
  EXPECT_FALSE(placement.maybe_migrate(4).has_value());
  const auto plan = placement.maybe_migrate(6);
  ASSERT_TRUE(plan.has_value());
  EXPECT_THAT(placement.rank_of(), ElementsAre(0, 1, 0, 1));
  EXPECT_EQ(plan->moved, 2);
  EXPECT_FALSE(placement.maybe_migrate(9).has_value());  // nothing left to gain
}

TEST(Placement, MovesOnlyWhereItPays) {
  // In order {1.1, 1.0 | 1.0, 0.9}: variation 0.0707, so at most that can be gained.
  const std::vector<double> load{1.1, 1.0, 1.0, 0.9};
  Placement careful(4, 2);
  careful.observe(load);
  EXPECT_FALSE(careful.propose().has_value());
  Placement eager(4, 2, {.memory = 0.9, .least_drop = 0.05, .period = 50});
  eager.observe(load);
  ASSERT_TRUE(eager.propose().has_value());
  EXPECT_NEAR(eager.propose()->variation_after, 0, 1e-12);
}

TEST(Placement, ForgetsOldLoads) {
  Placement placement(2, 2);
  placement.observe(std::vector<double>{10, 0});
  for (int step = 0; step < 50; ++step) placement.observe(std::vector<double>{0, 10});
  EXPECT_NEAR(placement.predicted()[0], std::pow(0.9, 50), 1e-9);
  EXPECT_NEAR(placement.predicted()[1], 10 * (1 - std::pow(0.9, 50)), 1e-9);
}

TEST(Placement, CoefficientOfVariation) {
  EXPECT_DOUBLE_EQ(coefficient_of_variation(std::vector<double>{1, 3}), std::sqrt(2.0) / 2);
  EXPECT_DOUBLE_EQ(coefficient_of_variation(std::vector<double>{4}), 0);
  EXPECT_DOUBLE_EQ(coefficient_of_variation(std::vector<double>{0, 0, 0}), 0);
}

TEST(Placement, SettlesOnAStatedPopularity) {
  const Popularity popularity(zipf(0.5), 64, 4, 3);
  for (std::int64_t layer = 0; layer < 3; ++layer) {
    const auto placements = settled_placements(popularity, layer, 8);
    ASSERT_EQ(placements.size(), 1u);
    const std::vector<double> inclusion = popularity.layer(0, layer).inclusion;
    EXPECT_LT(coefficient_of_variation(rank_loads(inclusion, placements[0], 8)),
              coefficient_of_variation(rank_loads(inclusion, place_in_order(64, 8), 8)) - 0.08);
  }
}

TEST(Placement, SimulationImprovesSlowDriftAndRepeats) {
  const Popularity popularity(zipf(0.5), 32, 4, 2);
  const DriftSettings settings{
      .ranks = 8, .tokens = 4096, .micro_batches = 4, .steps = 400, .drift = 0.001, .seed = 1, .options = {}};
  const PlacementSimulation once = simulate_placement(popularity, settings);
  EXPECT_EQ(once.without_S.size(), 400u);
  EXPECT_LT(once.mean_with, once.mean_without - 0.1);
  EXPECT_GE(once.migrations, 2);      // each layer at step 50
  EXPECT_LE(once.migrations, 2 * 7);  // 7 decisions a layer
  EXPECT_GT(once.moved, once.migrations);
  for (std::size_t step = 0; step < 50; ++step) EXPECT_EQ(once.with_S[step], once.without_S[step]);
  const PlacementSimulation twice = simulate_placement(popularity, settings);
  EXPECT_EQ(once.with_S, twice.with_S);
  EXPECT_EQ(once.moved, twice.moved);
}

TEST(Placement, FastDriftLeavesLittleToGain) {
  const Popularity popularity(zipf(0.5), 32, 4, 2);
  DriftSettings settings{
      .ranks = 8, .tokens = 4096, .micro_batches = 1, .steps = 400, .drift = 0.0005, .seed = 1, .options = {}};
  const PlacementSimulation slow = simulate_placement(popularity, settings);
  settings.drift = 0.5;
  const PlacementSimulation fast = simulate_placement(popularity, settings);
  EXPECT_GT(slow.mean_without - slow.mean_with, 4 * (fast.mean_without - fast.mean_with));
}

TEST(Placement, NothingMovesWhenBalanced) {
  spec::Load load;
  load.kind = spec::LoadKind::uniform;
  const Popularity popularity(load, 32, 4, 2);
  const PlacementSimulation result = simulate_placement(
      popularity,
      {.ranks = 8, .tokens = 65536, .micro_batches = 16, .steps = 200, .drift = 0.01, .seed = 0, .options = {}});
  EXPECT_EQ(result.migrations, 0);
  EXPECT_EQ(result.mean_with, result.mean_without);
}

TEST(Placement, Errors) {
  EXPECT_EQ(error_of([] { Placement(10, 4); }),
            "placement: 10 experts cannot be shared equally by 4 ranks; choose a divisor");
  EXPECT_EQ(error_of([] {
              place_greedily(std::vector<double>{1, 2, 3}, 2);
            }),
            "placement: 3 experts cannot be shared equally by 2 ranks; choose a divisor");
  EXPECT_EQ(error_of([] { Placement(4, 2, {.memory = 1, .least_drop = 0.08, .period = 50}); }),
            "placement: memory of the moving average is 1, expected at least 0 and below 1");
  EXPECT_EQ(error_of([] { Placement(4, 2, {.memory = 0.9, .least_drop = -1, .period = 50}); }),
            "placement: least drop is -1, expected 0 or more");
  EXPECT_EQ(error_of([] { Placement(4, 2, {.memory = 0.9, .least_drop = 0.08, .period = 0}); }),
            "placement: period is 0 steps, expected at least 1");
  const Popularity popularity(zipf(1), 8, 2, 1);
  EXPECT_EQ(error_of([&] { simulate_placement(popularity, {.ranks = 2, .tokens = 0, .options = {}}); }),
            "placement: tokens (0), micro-batches (1) and steps (500) must be at least 1");
  EXPECT_EQ(error_of([&] { simulate_placement(popularity, {.ranks = 2, .drift = 2, .options = {}}); }),
            "placement: drift is 2, expected a share of a step between 0 and 1");
}

}  // namespace
}  // namespace filigree::plan
