#include "plan/timeline.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "plan/schedule.h"
#include "timeline_checker.h"

namespace filigree::plan {
namespace {

using spec::Schedule;
using ::testing::HasSubstr;

struct Equal {
  Schedule schedule = Schedule::one_f_one_b;
  std::int64_t stages = 4;
  std::int64_t chunks = 1;
  std::int64_t micro_batches = 8;
  double forward = 1;
  double backward = 2;
  double weight = 1;
  bool pair = false;
};

/// All chunks alike; communication takes no time; one activation byte a chunk.
Pipeline equal_chunks(const Equal& equal) {
  const Chunk chunk{
      .forward = {.attention = equal.forward / 4, .mlp = equal.forward * 3 / 4, .alone = equal.forward},
      .backward = {.attention = equal.backward / 4, .mlp = equal.backward * 3 / 4, .alone = equal.backward},
      .weight = equal.weight,
      .activation_bytes = 1,
      .weight_bytes = 1};
  Pipeline pipeline{.schedule = equal.schedule,
                    .stages = equal.stages,
                    .chunks = equal.chunks,
                    .micro_batches = equal.micro_batches,
                    .pair = equal.pair};
  pipeline.costs.assign(static_cast<std::size_t>(equal.stages * equal.chunks), chunk);
  return pipeline;
}

/// Runs, checks every event, and returns the timeline.
Timeline checked(const Pipeline& pipeline) {
  const Timeline timeline = simulate(pipeline, true);
  TimelineChecker(pipeline, timeline).check_all();
  return timeline;
}

std::string error_of(const Pipeline& pipeline) {
  try {
    simulate(pipeline, false);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Timeline, OneStageOneMicroBatch) {
  const Timeline timeline = checked(equal_chunks({.stages = 1, .micro_batches = 1}));
  EXPECT_DOUBLE_EQ(timeline.makespan, 3);
  EXPECT_DOUBLE_EQ(timeline.bubble, 0);
  ASSERT_EQ(timeline.events.size(), 2u);
  EXPECT_EQ(timeline.events[0].kind, EventKind::forward);
  EXPECT_EQ(timeline.events[1].kind, EventKind::backward);
  EXPECT_DOUBLE_EQ(timeline.events[1].begin, 1);
}

TEST(Timeline, OneForwardOneBackwardClosedForm) {
  for (const std::int64_t stages : {1, 2, 3, 8, 16}) {
    for (const std::int64_t micro_batches : {1, 2, 5, 16, 64}) {
      const Timeline timeline = checked(equal_chunks({.stages = stages, .micro_batches = micro_batches}));
      const auto p = static_cast<double>(stages);
      const auto m = static_cast<double>(micro_batches);
      EXPECT_NEAR(timeline.makespan, (m + p - 1) * 3, 1e-9);
      EXPECT_NEAR(timeline.bubble, (p - 1) / (m + p - 1), 1e-12);
      for (std::int64_t stage = 0; stage < stages; ++stage) {
        EXPECT_EQ(timeline.stages[static_cast<std::size_t>(stage)].peak_activation_bytes,
                  static_cast<double>(std::min(stages - stage, micro_batches)));
      }
    }
  }
}

// arXiv 2104.04473 §2.2: bubble time (p−1)(F+B)/v, F and B of a whole stage.
TEST(Timeline, InterleavedClosedForm) {
  for (const std::int64_t stages : {1, 2, 4, 8}) {
    for (const std::int64_t chunks : {2, 3, 5}) {
      for (const std::int64_t groups : {1, 2, 7}) {
        const Timeline timeline = checked(equal_chunks(
            {.schedule = Schedule::interleaved, .stages = stages, .chunks = chunks, .micro_batches = groups * stages}));
        const auto p = static_cast<double>(stages);
        const auto work = static_cast<double>(groups * stages * chunks) * 3;
        EXPECT_NEAR(timeline.makespan, work + (p - 1) * 3, 1e-9);
      }
    }
  }
}

TEST(Timeline, BubblesOfSixteenStages) {
  const double one_chunk[] = {31.9, 19.0, 10.5};
  const double two_chunks[] = {19.0, 10.5, 5.5};
  const std::int64_t micro_batches[] = {32, 64, 128};
  for (int i = 0; i < 3; ++i) {
    const Pipeline plain = equal_chunks({.stages = 16, .micro_batches = micro_batches[i]});
    const Pipeline interleaved =
        equal_chunks({.schedule = Schedule::interleaved, .stages = 16, .chunks = 2, .micro_batches = micro_batches[i]});
    EXPECT_NEAR(simulate(plain, false).bubble * 100, one_chunk[i], 0.05);
    EXPECT_NEAR(simulate(interleaved, false).bubble * 100, two_chunks[i], 0.05);
  }
}

// (p−1)·2 + (v−1)·p = 46 chunks before the first backward; the forward before that backward makes 47. With pairs one
// more warm-up forward, and the forward of a pair begins with its backward.
TEST(Timeline, InterleavedActivationsOfTheFirstStage) {
  const Equal equal{.schedule = Schedule::interleaved, .stages = 16, .chunks = 2, .micro_batches = 64};
  EXPECT_EQ(warmup_forwards({Schedule::interleaved, 16, 2, 64, false}, 0), 46);
  EXPECT_EQ(warmup_forwards({Schedule::interleaved, 16, 2, 64, true}, 0), 47);
  EXPECT_EQ(simulate(equal_chunks(equal), false).stages[0].peak_activation_bytes, 47);
  Equal paired = equal;
  paired.pair = true;
  EXPECT_EQ(simulate(equal_chunks(paired), false).stages[0].peak_activation_bytes, 48);
  // A step of one group is warm-up alone.
  Equal short_step = equal;
  short_step.micro_batches = 16;
  EXPECT_EQ(simulate(equal_chunks(short_step), false).stages[0].peak_activation_bytes, 32);
}

// arXiv 2401.10241 Table 1 (ZB-H1): bubble (p−1)(F+B−W), B the input part alone; activations as 1F1B's first stage.
TEST(Timeline, ZeroBubbleClosedForm) {
  for (const std::int64_t stages : {1, 2, 4, 8, 16}) {
    for (const std::int64_t micro_batches : {stages, 2 * stages + 1, 4 * stages}) {
      for (const double weight : {0.8, 1.0}) {
        const Timeline timeline = checked(equal_chunks(
            {.schedule = Schedule::zero_bubble, .stages = stages, .micro_batches = micro_batches, .weight = weight}));
        const double bubble = static_cast<double>(stages - 1) * (1 + (2 - weight) - weight);
        // The form is that of F = B = W; elsewhere it is a bound from below.
        const double seconds = timeline.makespan - static_cast<double>(micro_batches) * 3;
        if (weight == 1.0) {
          EXPECT_NEAR(seconds, bubble, 1e-9);
        }
        EXPECT_GE(seconds, bubble - 1e-9);
        EXPECT_LE(seconds, static_cast<double>(stages - 1) * 3);
        for (const StageResult& stage : timeline.stages) {
          EXPECT_LE(stage.peak_activation_bytes, static_cast<double>(stages));
        }
      }
    }
  }
}

// The bubble of deepseek-ai/DualPipe: README.md, (p−1)(F&B + B − 3W) with p stages (2p parts), F&B the pair. That is
// with weight gradients delayed at the end too; Ascend/MindSpeed, which by default has whole backwards there, states
// (p−1)(F&B + B − W) − F. Where forwards and backwards run one by one, 1F1B's part of it shrinks: (p−1)(F + B − 2W).
TEST(Timeline, DualPipeVClosedForm) {
  for (const std::int64_t stages : {1, 2, 3, 4, 8}) {
    for (const std::int64_t micro_batches : {2 * stages, 2 * stages + 1, 5 * stages}) {
      Equal equal{.schedule = Schedule::dualpipe_v,
                  .stages = stages,
                  .chunks = 2,
                  .micro_batches = micro_batches,
                  .pair = true};
      const Timeline paired = checked(equal_chunks(equal));
      const auto p = static_cast<double>(stages);
      const double work = static_cast<double>(micro_batches) * 2 * 3;
      EXPECT_NEAR(paired.makespan - work, (p - 1) * (3 + 2 - 3), 1e-9);
      // 2p + 1 chunks: twice 1F1B's p with half the layers each, and one more.
      for (const StageResult& stage : paired.stages) {
        EXPECT_EQ(stage.peak_activation_bytes, static_cast<double>(stages == 1 ? 3 : 2 * stages + 1));
      }
      equal.pair = false;
      EXPECT_NEAR(checked(equal_chunks(equal)).makespan - work, (p - 1) * (1 + 2 - 2), 1e-9);
    }
  }
}

/// A mixture-of-experts chunk whose communication is a third of its time, and fits behind the other pass.
Pipeline experts(Schedule schedule, std::int64_t stages, std::int64_t micro_batches) {
  const Chunk chunk{.forward = {.attention = 2, .dispatch = 1.5, .mlp = 2, .combine = 1.5, .alone = 7},
                    .backward = {.attention = 4, .dispatch = 1.5, .mlp = 4, .combine = 1.5, .alone = 11},
                    .weight = 4,
                    .activation_bytes = 1};
  Pipeline pipeline{.schedule = schedule, .stages = stages, .chunks = 2, .micro_batches = micro_batches, .pair = true};
  if (schedule == Schedule::one_f_one_b) pipeline.chunks = 1;
  pipeline.costs.assign(static_cast<std::size_t>(stages * pipeline.chunks), chunk);
  return pipeline;
}

TEST(Timeline, PairTime) {
  const Pass forward{.attention = 1, .dispatch = 2, .mlp = 3, .combine = 4, .alone = 10};
  const Pass backward{.attention = 3, .dispatch = 4, .mlp = 1, .combine = 2, .alone = 10};
  // Attention(F) ‖ Combine(B), MLP(B) ‖ Dispatch(F), MLP(F) ‖ Dispatch(B), Attention(B) ‖ Combine(F).
  EXPECT_DOUBLE_EQ(pair_time(forward, backward), 2 + 2 + 4 + 4);
}

TEST(Timeline, PairsHideCommunicationInSteadyState) {
  for (const Schedule schedule : {Schedule::one_f_one_b, Schedule::interleaved, Schedule::dualpipe_v}) {
    const auto makespan = [&](std::int64_t micro_batches, bool pair) {
      Pipeline pipeline = experts(schedule, 4, micro_batches);
      pipeline.pair = pair;
      return checked(pipeline).makespan;
    };
    const double chunks = schedule == Schedule::one_f_one_b ? 1 : 2;
    // 16 micro-batches more cost their computation alone, 2 + 2 + 4 + 4 a chunk, against 18 with their communication.
    EXPECT_NEAR(makespan(48, true) - makespan(32, true), 16 * chunks * 12, 1e-9);
    EXPECT_NEAR(makespan(48, false) - makespan(32, false), 16 * chunks * 18, 1e-9);
    EXPECT_LT(makespan(32, true), makespan(32, false));
  }
}

TEST(Timeline, SendsThatBlock) {
  Pipeline pipeline = equal_chunks({.stages = 2, .micro_batches = 1});
  pipeline.send = 0.25;
  const Timeline timeline = checked(pipeline);
  EXPECT_DOUBLE_EQ(timeline.makespan, 2 * 3 + 2 * 0.25);
  EXPECT_DOUBLE_EQ(timeline.stages[0].sending, 0.25);
  EXPECT_DOUBLE_EQ(timeline.stages[1].sending, 0.25);
  pipeline.overlap_send = true;
  EXPECT_DOUBLE_EQ(checked(pipeline).stages[0].sending, 0);
  EXPECT_DOUBLE_EQ(checked(pipeline).makespan, 2 * 3 + 2 * 0.25);
}

TEST(Timeline, SendsThatHide) {
  Pipeline pipeline = equal_chunks({.schedule = Schedule::interleaved, .stages = 4, .chunks = 2, .micro_batches = 16});
  const double without = checked(pipeline).makespan;
  pipeline.send = 0.5;
  const double blocking = checked(pipeline).makespan;
  pipeline.overlap_send = true;
  const double hiding = checked(pipeline).makespan;
  // A stage in the middle has 16 · 2 · 2 sends. Hidden, they show only while the pipeline fills and empties.
  EXPECT_GT(blocking, without + 0.9 * 16 * 2 * 2 * 0.5);
  EXPECT_LT(hiding, without + 4 * 4 * 2 * 0.5);
}

// Pairs of neighbour stages wait for each other: a send shows up unless the end of the pair hides it.
TEST(Timeline, TailOfAPairHidesItsSends) {
  Pipeline pipeline = experts(Schedule::interleaved, 4, 32);
  pipeline.overlap_send = true;
  const double free = simulate(pipeline, false).makespan;
  pipeline.send = 0.5;
  const double open = checked(pipeline).makespan;
  for (Chunk& chunk : pipeline.costs) chunk.tail = 0.5;
  const double hidden = checked(pipeline).makespan;
  EXPECT_GT(open, free + 20);
  EXPECT_LT(hidden, free + 4 * 4 * 2 * 0.5);
}

TEST(Timeline, UnevenStages) {
  // The slow stage sets the pace: 10 · 6 of its own, 1 until its first forward, 1 in which it waits for the first
  // backward (it is ready at 5, the backward at 1 + 2 + 1 + 2), 2 for the last backward of the stage before it.
  Pipeline pipeline = equal_chunks({.stages = 3, .micro_batches = 10});
  pipeline.costs[1].forward.alone = 2;
  pipeline.costs[1].backward.alone = 4;
  const Timeline timeline = checked(pipeline);
  EXPECT_NEAR(timeline.makespan, 10 * 6 + 1 + 1 + 2, 1e-9);
  EXPECT_NEAR(timeline.stages[1].busy, 60, 1e-9);
  EXPECT_NEAR(timeline.bubble, 1 - (60 + 30 + 30) / (3 * 64.0), 1e-12);
}

TEST(Timeline, WorkspaceChangesNothing) {
  TimelineWorkspace workspace;
  for (const std::int64_t stages : {4, 2, 4, 4}) {
    for (const Schedule schedule : {Schedule::one_f_one_b, Schedule::zero_bubble}) {
      Pipeline pipeline = equal_chunks({.schedule = schedule, .stages = stages, .micro_batches = 9});
      pipeline.send = 0.1;
      const Timeline fresh = simulate(pipeline, true);
      const Timeline reused = simulate(pipeline, true, workspace);
      const Timeline short_form = simulate(pipeline, false, workspace);
      EXPECT_EQ(fresh.makespan, reused.makespan);
      EXPECT_EQ(fresh.makespan, short_form.makespan);
      EXPECT_EQ(fresh.events.size(), reused.events.size());
      EXPECT_TRUE(short_form.events.empty());
      EXPECT_TRUE(short_form.memory.empty());
      EXPECT_EQ(fresh.stages[0].peak_activation_bytes, short_form.stages[0].peak_activation_bytes);
    }
  }
}

/// A pipeline drawn at random; none where the schedule cannot run so.
std::optional<Pipeline> random_pipeline(std::mt19937& random) {
  const auto integer = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  const auto seconds = [&] { return std::uniform_real_distribution<double>(0.01, 2)(random); };
  Pipeline pipeline{.schedule = static_cast<Schedule>(integer(0, 3)),
                    .stages = integer(1, 7),
                    .chunks = integer(1, 4),
                    .micro_batches = integer(1, 24),
                    .send = integer(0, 2) * 0.2 * seconds(),
                    .overlap_send = integer(0, 1) == 1,
                    .pair = integer(0, 1) == 1};
  for (std::int64_t i = 0; i < pipeline.stages * pipeline.chunks; ++i) {
    Chunk chunk;
    for (Pass* pass : {&chunk.forward, &chunk.backward}) {
      *pass = {.attention = seconds(), .dispatch = seconds(), .mlp = seconds(), .combine = seconds(), .alone = 0};
      pass->alone = pass->attention + pass->dispatch + pass->mlp + pass->combine;
    }
    chunk.weight = chunk.backward.alone * 0.2 * seconds();
    chunk.tail = chunk.weight * 0.5 * seconds();
    chunk.activation_bytes = 1e9 * seconds();
    chunk.weight_bytes = chunk.activation_bytes * 0.5 * seconds();
    pipeline.costs.push_back(chunk);
  }
  try {
    check_schedule({pipeline.schedule, pipeline.stages, pipeline.chunks, pipeline.micro_batches, pipeline.pair});
  } catch (const Error&) {
    return std::nullopt;
  }
  return pipeline;
}

TEST(Timeline, RandomPipelinesObeyEveryRule) {
  std::mt19937 random(20250507);
  int runs[4] = {0, 0, 0, 0};
  for (int i = 0; i < 6000; ++i) {
    const std::optional<Pipeline> pipeline = random_pipeline(random);
    if (!pipeline) continue;
    ++runs[static_cast<int>(pipeline->schedule)];
    checked(*pipeline);
    ASSERT_FALSE(::testing::Test::HasFailure())
        << "schedule " << enum_name(pipeline->schedule) << ", " << pipeline->stages << " stages, " << pipeline->chunks
        << " chunks, " << pipeline->micro_batches << " micro-batches, pair " << pipeline->pair;
  }
  for (const int count : runs) EXPECT_GE(count, 100);
}

TEST(Timeline, SaysWhyAScheduleCannotRun) {
  EXPECT_THAT(error_of(equal_chunks({.chunks = 2})), HasSubstr("'1f1b' has 1 chunk a stage, got 2"));
  EXPECT_THAT(error_of(equal_chunks({.schedule = Schedule::interleaved})),
              HasSubstr("'interleaved' needs at least 2 chunks a stage, got 1"));
  EXPECT_THAT(error_of(equal_chunks({.schedule = Schedule::interleaved, .chunks = 2, .micro_batches = 10})),
              HasSubstr("multiples of the 4 stages, got 10; the next multiple is 12"));
  EXPECT_THAT(error_of(equal_chunks({.schedule = Schedule::zero_bubble, .chunks = 2})),
              HasSubstr("'zero-bubble' has 1 chunk a stage, got 2"));
  EXPECT_THAT(error_of(equal_chunks({.schedule = Schedule::zero_bubble, .pair = true})), HasSubstr("has no pairs"));
  EXPECT_THAT(error_of(equal_chunks({.schedule = Schedule::dualpipe_v})),
              HasSubstr("'dualpipe-v' needs 2 chunks a stage, got 1"));
  EXPECT_THAT(error_of(equal_chunks({.schedule = Schedule::dualpipe_v, .chunks = 2, .micro_batches = 7})),
              HasSubstr("8 in all, got 7"));
  EXPECT_THAT(error_of(equal_chunks({.stages = 0})), HasSubstr("at least 1 stage, got 0"));
  EXPECT_THAT(error_of(equal_chunks({.chunks = 0})), HasSubstr("at least 1 chunk a stage, got 0"));
  EXPECT_THAT(error_of(equal_chunks({.micro_batches = 0})), HasSubstr("at least 1 micro-batch, got 0"));
  EXPECT_THAT(error_of(equal_chunks({.micro_batches = 1'000'000'000'000})), HasSubstr("at most 100000000 passes"));
}

TEST(Timeline, SaysWhichCostIsWrong) {
  Pipeline pipeline = equal_chunks({});
  pipeline.costs.pop_back();
  EXPECT_THAT(error_of(pipeline), HasSubstr("4 stages × 1 chunks needs 4 chunk costs, got 3"));
  pipeline = equal_chunks({});
  pipeline.send = -1;
  EXPECT_THAT(error_of(pipeline), HasSubstr("send time is -1"));
  const auto with = [](auto change) {
    Pipeline changed = equal_chunks({});
    change(changed.costs[2]);
    return error_of(changed);
  };
  EXPECT_THAT(with([](Chunk& c) { c.forward.alone = std::numeric_limits<double>::quiet_NaN(); }),
              HasSubstr("forward time of stage 2, chunk 0 is nan"));
  EXPECT_THAT(with([](Chunk& c) { c.backward.mlp = -1; }), HasSubstr("backward time of stage 2"));
  EXPECT_THAT(with([](Chunk& c) { c.activation_bytes = std::numeric_limits<double>::infinity(); }),
              HasSubstr("activation bytes of stage 2, chunk 0 is inf"));
  EXPECT_THAT(with([](Chunk& c) { c.weight = 2.5; }), HasSubstr("more than the whole backward's 2 s"));
  EXPECT_THAT(with([](Chunk& c) { c.tail = 1.5; }), HasSubstr("more than the weight gradient's 1 s"));
  EXPECT_THAT(with([](Chunk& c) { c.weight_bytes = 3; }), HasSubstr("more than the chunk's 1 activation bytes"));
}

}  // namespace
}  // namespace filigree::plan
