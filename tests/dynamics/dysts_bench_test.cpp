#include <cmath>

#include <gtest/gtest.h>

#include "dynamics/dysts_bench.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

DystsSeries waves() {
  DystsSeries series;
  for (int i = 0; i < 200; ++i) {
    series["slow"].push_back(3 + std::sin(0.1 * i));
    series["fast"].push_back(3 + std::sin(0.3 * i) + 0.5 * std::cos(0.17 * i));
  }
  return series;
}

TEST(DystsBench, ScoresEverySystemOfTheTruth) {
  auto [context, truth] = dysts_hold_back(waves(), 30);
  EXPECT_EQ(context["slow"].size(), 170U);
  EXPECT_EQ(truth["slow"].front(), 3 + std::sin(17.0));
  truth["slow"].back() = 1e9;  // the last sample is not scored
  const DystsScore score = dysts_bench(context, truth, {.threads = 1});
  ASSERT_EQ(score.rows.size(), 2U);
  EXPECT_EQ(score.rows[0].system, "fast");
  EXPECT_LT(score.rows[0].smape, 0.1);
  EXPECT_LT(score.rows[1].smape, 0.1);
  EXPECT_DOUBLE_EQ(score.median, 0.5 * (score.rows[0].smape + score.rows[1].smape));
  EXPECT_DOUBLE_EQ(score.mean, score.median);
}

TEST(DystsBench, Errors) {
  const DystsSeries series = waves();
  EXPECT_ERROR(dysts_hold_back(series, 200), "the series of system fast has 200 samples; more than 200 are needed");
  EXPECT_ERROR(dysts_bench({}, series, {}), "system fast has a truth but no context");
  EXPECT_ERROR(dysts_bench(series, {{"slow", {1.0}}}, {}),
               "the truth of system slow has 1 samples; at least 2 are needed");
  EXPECT_ERROR(dysts_bench(series, {}, {}), "there is no system to score");
}

}  // namespace
}  // namespace filigree::dynamics
