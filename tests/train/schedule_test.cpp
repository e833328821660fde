#include "train/schedule.h"

#include <cmath>

#include <gtest/gtest.h>

namespace filigree::train {
namespace {

TEST(Schedule, CosineFallsFromThePeakToTheEnd) {
  const Schedule s{.kind = ScheduleKind::cosine, .peak = 1, .final_ratio = 0};
  const std::vector<double> expected = {1, 0.853553, 0.5, 0.146447, 0};
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_NEAR(learning_rate(s, i, 5), expected[static_cast<std::size_t>(i)], 1e-6);
}

TEST(Schedule, GrowsInTheWarmUp) {
  const Schedule s{.kind = ScheduleKind::cosine, .peak = 2, .warmup_steps = 4, .final_ratio = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(s, 0, 100), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(s, 3, 100), 2);
  EXPECT_DOUBLE_EQ(learning_rate(s, 4, 100), 2);
  EXPECT_NEAR(learning_rate(s, 99, 100), 0.2, 1e-12);
}

TEST(Schedule, WsdStaysAndThenFallsStraight) {
  const Schedule s{.kind = ScheduleKind::wsd, .peak = 1, .final_ratio = 0, .decay_fraction = 0.5};
  EXPECT_DOUBLE_EQ(learning_rate(s, 0, 11), 1);
  EXPECT_DOUBLE_EQ(learning_rate(s, 5, 11), 1);
  EXPECT_NEAR(learning_rate(s, 8, 11), 0.4, 1e-12);
  EXPECT_NEAR(learning_rate(s, 10, 11), 0, 1e-12);
}

TEST(Schedule, ConstantAndShortRuns) {
  const Schedule s{.kind = ScheduleKind::constant, .peak = 3};
  EXPECT_DOUBLE_EQ(learning_rate(s, 7, 8), 3);
  for (const ScheduleKind kind : {ScheduleKind::cosine, ScheduleKind::wsd}) {
    EXPECT_TRUE(std::isfinite(learning_rate({.kind = kind, .decay_fraction = 0}, 0, 1)));
  }
}

}  // namespace
}  // namespace filigree::train
