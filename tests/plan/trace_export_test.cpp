#include "plan/trace_export.h"

#include <map>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/json.h"
#include "plan/timeline.h"

namespace filigree::plan {
namespace {

/// Two stages, two chunks, four micro-batches; sends block or run beside the work.
Timeline small_timeline(bool overlap_send, bool pair) {
  const Chunk chunk{.forward = {.attention = 1e-3, .dispatch = 1e-3, .mlp = 1e-3, .combine = 1e-3, .alone = 4e-3},
                    .backward = {.attention = 2e-3, .dispatch = 1e-3, .mlp = 2e-3, .combine = 1e-3, .alone = 6e-3},
                    .weight = 2e-3,
                    .activation_bytes = 1024.0 * 1024.0 * 1024.0};
  const Pipeline pipeline{.schedule = spec::Schedule::interleaved,
                          .stages = 2,
                          .chunks = 2,
                          .micro_batches = 4,
                          .costs = {chunk, chunk, chunk, chunk},
                          .send = 5e-3,
                          .overlap_send = overlap_send,
                          .pair = pair};
  return simulate(pipeline, true);
}

TEST(TraceExport, EveryEventIsASlice) {
  for (const bool overlap : {false, true}) {
    const Timeline timeline = small_timeline(overlap, true);
    const Json trace = parse_json(to_trace(timeline).text(), "trace");
    std::size_t slices = 0;
    std::map<std::pair<int, int>, double> row_end;
    std::map<std::string, int> categories;
    double last = 0;
    double peak = 0;
    for (const Json& event : trace.at("traceEvents")) {
      if (event.at("ph") == "C") peak = std::max(peak, event.at("args").at("value").get<double>());
      if (event.at("ph") != "X") continue;
      ++slices;
      ++categories[event.at("cat").get<std::string>()];
      const double begin = event.at("ts").get<double>();
      double& end = row_end[{event.at("pid").get<int>(), event.at("tid").get<int>()}];
      EXPECT_GE(begin, end - 0.002) << "slices of one row must not overlap; times are rounded to a nanosecond";
      end = begin + event.at("dur").get<double>();
      last = std::max(last, end);
      const bool named = event.at("args").contains("micro_batch") || event.at("args").contains("backward_micro_batch");
      EXPECT_TRUE(named);
    }
    EXPECT_EQ(slices, timeline.events.size());
    EXPECT_EQ(categories["forward"] + categories["pair"], 2 * 2 * 4);
    EXPECT_GT(categories["pair"], 0);
    EXPECT_GT(categories["send"], 0);
    EXPECT_NEAR(last, timeline.makespan * 1e6, 0.002);
    EXPECT_NEAR(peak,
                std::max(timeline.stages[0].peak_activation_bytes, timeline.stages[1].peak_activation_bytes) /
                    (1024.0 * 1024.0 * 1024.0),
                1e-6);
  }
}

TEST(TraceExport, NamesOfSlices) {
  const std::string text = to_trace(small_timeline(false, true)).text();
  for (const char* name :
       {"\"F0 chunk 0\"", "\"B3 chunk 0\"", "\"send F0 chunk 0\"", "\"stage 1\"", "\"compute\"", " ‖ B0 "}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

TEST(TraceExport, GanttShowsWorkAndMemory) {
  const Timeline timeline = small_timeline(false, false);
  const Gantt gantt = to_gantt(timeline, {.title = "two stages", .held_bytes = {2e9, 3e9}, .capacity_bytes = 64e9});
  EXPECT_EQ(gantt.title, "two stages");
  EXPECT_EQ(gantt.bars.size(), timeline.events.size());
  EXPECT_EQ(gantt.row_labels.size(), 2u);
  EXPECT_EQ(gantt.kinds.size(), 5u);  // forward and backward in two shades, and sends
  EXPECT_EQ(gantt.x_label, "time, ms");
  double last = 0;
  for (const GanttBar& bar : gantt.bars) last = std::max(last, bar.end);
  EXPECT_NEAR(last, timeline.makespan * 1e3, 1e-9);
  ASSERT_EQ(gantt.curves.size(), 2u);
  EXPECT_NEAR(gantt.curves[1].y.back(), 3e9 / (1024.0 * 1024.0 * 1024.0), 1e-9);
  ASSERT_EQ(gantt.guides.size(), 1u);
  // Sends that run beside the work are left out.
  for (const GanttBar& bar : to_gantt(small_timeline(true, false)).bars) EXPECT_LT(bar.kind, 4);
}

TEST(TraceExport, ManyStagesShowFourCurves) {
  Pipeline pipeline{.stages = 8, .micro_batches = 16};
  pipeline.costs.assign(8, Chunk{.forward = {.alone = 1}, .backward = {.alone = 2}, .activation_bytes = 1e9});
  pipeline.costs[2].activation_bytes = 5e9;
  const Gantt gantt = to_gantt(simulate(pipeline, true));
  ASSERT_EQ(gantt.curves.size(), 4u);
  EXPECT_EQ(gantt.curves[1].name, "stage 2");
  EXPECT_EQ(gantt.x_label, "time, s");
}

}  // namespace
}  // namespace filigree::plan
