#include "plan/schedule.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace filigree::plan {
namespace {

using spec::Schedule;

/// "F0.2": forward of chunk 0, micro-batch 2; "B" backward, "b" its input part, "W" weight gradients; "+" a pair.
std::string order(const ScheduleShape& shape, std::int64_t stage) {
  check_schedule(shape);
  std::vector<Work> all;
  append_work(shape, stage, all);
  std::string text;
  for (const Work& work : all) {
    text += "FBbW"[static_cast<int>(work.kind)];
    text += std::to_string(work.chunk) + "." + std::to_string(work.micro_batch) + (work.with_next ? "+" : " ");
  }
  text.pop_back();
  return text;
}

TEST(Schedule, OneForwardOneBackward) {
  const ScheduleShape shape{Schedule::one_f_one_b, 3, 1, 4, false};
  EXPECT_EQ(order(shape, 0), "F0.0 F0.1 F0.2 B0.0 F0.3 B0.1 B0.2 B0.3");
  EXPECT_EQ(order(shape, 1), "F0.0 F0.1 B0.0 F0.2 B0.1 F0.3 B0.2 B0.3");
  EXPECT_EQ(order(shape, 2), "F0.0 B0.0 F0.1 B0.1 F0.2 B0.2 F0.3 B0.3");
}

TEST(Schedule, PairsTakeMoreWarmUp) {
  const ScheduleShape shape{Schedule::one_f_one_b, 2, 1, 5, true};
  EXPECT_EQ(order(shape, 0), "F0.0 F0.1 F0.2 F0.3+B0.0 F0.4+B0.1 B0.2 B0.3 B0.4");
  EXPECT_EQ(order(shape, 1), "F0.0 F0.1+B0.0 F0.2+B0.1 F0.3+B0.2 F0.4+B0.3 B0.4");
}

TEST(Schedule, Interleaved) {
  const ScheduleShape shape{Schedule::interleaved, 2, 2, 4, false};
  EXPECT_EQ(order(shape, 0), "F0.0 F0.1 F1.0 F1.1 F0.2 B1.0 F0.3 B1.1 F1.2 B0.0 F1.3 B0.1 B1.2 B1.3 B0.2 B0.3");
  EXPECT_EQ(order(shape, 1), "F0.0 F0.1 F1.0 B1.0 F1.1 B1.1 F0.2 B0.0 F0.3 B0.1 F1.2 B1.2 F1.3 B1.3 B0.2 B0.3");
}

TEST(Schedule, ZeroBubble) {
  const ScheduleShape shape{Schedule::zero_bubble, 3, 1, 4, false};
  EXPECT_EQ(order(shape, 0), "F0.0 F0.1 F0.2 b0.0 W0.0 F0.3 b0.1 W0.1 b0.2 W0.2 b0.3 W0.3");
  EXPECT_EQ(order(shape, 1), "F0.0 F0.1 b0.0 F0.2 b0.1 W0.0 F0.3 b0.2 W0.1 b0.3 W0.2 W0.3");
  EXPECT_EQ(order(shape, 2), "F0.0 b0.0 F0.1 b0.1 F0.2 b0.2 W0.0 F0.3 b0.3 W0.1 W0.2 W0.3");
}

TEST(Schedule, DualPipeV) {
  const ScheduleShape shape{Schedule::dualpipe_v, 2, 2, 4, true};
  EXPECT_EQ(order(shape, 0),
            "F0.0 F0.1 F0.2 F1.0 b1.0 W1.0 F1.1 F0.3+B1.1 F1.2+B0.0 B1.2 F1.3+B0.1 B1.3 b0.2 W0.2 b0.3 W0.3");
  EXPECT_EQ(order(shape, 1),
            "F0.0 F1.0 F0.1 F1.1 F0.2 B1.0 F1.2+B0.0 F0.3+B1.1 F1.3+B0.1 B1.2 B0.2 b1.3 b0.3 W1.3 W0.3");
}

TEST(Schedule, PartsAndStagesMatch) {
  for (const ScheduleShape& shape :
       {ScheduleShape{Schedule::interleaved, 4, 3, 8, false}, ScheduleShape{Schedule::dualpipe_v, 4, 2, 8, false}}) {
    std::set<std::int64_t> parts;
    for (std::int64_t stage = 0; stage < shape.stages; ++stage) {
      for (std::int64_t chunk = 0; chunk < shape.chunks; ++chunk) {
        const std::int64_t part = part_of(shape, stage, chunk);
        EXPECT_EQ(stage_of_part(shape, part), stage);
        parts.insert(part);
      }
    }
    EXPECT_EQ(static_cast<std::int64_t>(parts.size()), shape.parts());
    EXPECT_EQ(*parts.rbegin(), shape.parts() - 1);
  }
  // The way down and back: the first and the last part share the first stage.
  EXPECT_EQ(part_of({Schedule::dualpipe_v, 4, 2, 8, false}, 0, 1), 7);
}

}  // namespace
}  // namespace filigree::plan
