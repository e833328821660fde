#pragma once

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "plan/timeline.h"

/// Checks a timeline from its events alone, by other means than the simulator's: who needs whom, who may start when, and
/// what is in memory are worked out again here, slowly.
namespace filigree::plan {

class TimelineChecker {
 public:
  TimelineChecker(const Pipeline& pipeline, const Timeline& timeline) : pipeline_(pipeline), timeline_(timeline) {
    for (const Event& event : timeline.events) {
      longest_ = std::max(longest_, event.end);
      read(event);
    }
    tolerance_ = 1e-9 * (longest_ + 1);  // sums of up to a few thousand durations in double
  }

  void check_all() {
    check_complete();
    check_starts();
    check_totals();
    for (std::int64_t stage = 0; stage < pipeline_.stages; ++stage) check_memory(stage);
  }

 private:
  struct Span {
    std::int64_t stage = 0;
    double begin = 0;
    double end = 0;
    double tail = 0;
  };
  using Key = std::tuple<char, std::int64_t, std::int64_t>;  // F, B or W; part; micro-batch

  std::int64_t parts() const { return pipeline_.stages * pipeline_.chunks; }
  const Chunk& costs(std::int64_t stage, std::int64_t chunk) const {
    return pipeline_.costs.at(static_cast<std::size_t>(stage * pipeline_.chunks + chunk));
  }
  std::int64_t part(std::int64_t stage, std::int64_t chunk) const {
    const bool way_back = pipeline_.schedule == spec::Schedule::dualpipe_v && chunk == 1;
    return way_back ? 2 * pipeline_.stages - 1 - stage : stage + chunk * pipeline_.stages;
  }

  void add(char kind, const Event& event, std::int64_t chunk, std::int64_t micro_batch) {
    const Key key{kind, part(event.stage, chunk), micro_batch};
    EXPECT_TRUE(spans_.emplace(key, Span{event.stage, event.begin, event.end, 0}).second)
        << kind << " of part " << std::get<1>(key) << ", micro-batch " << micro_batch << " runs twice";
  }

  void read(const Event& event) {
    if (event.kind == EventKind::forward) add('F', event, event.chunk, event.micro_batch);
    if (event.kind == EventKind::backward) add('B', event, event.chunk, event.micro_batch);
    if (event.kind == EventKind::weight) add('W', event, event.chunk, event.micro_batch);
    if (event.kind == EventKind::pair) {
      add('F', event, event.chunk, event.micro_batch);
      add('B', event, event.other_chunk, event.other_micro_batch);
      const double tail = std::min(costs(event.stage, event.other_chunk).tail, event.end - event.begin);
      for (const Key& key : {Key{'F', part(event.stage, event.chunk), event.micro_batch},
                             Key{'B', part(event.stage, event.other_chunk), event.other_micro_batch}}) {
        if (pipeline_.overlap_send) spans_.at(key).tail = tail;
      }
    }
  }

  /// Each pass once, with its duration; a weight gradient only beside a backward that left it out.
  void check_complete() const {
    std::int64_t weights = 0;
    for (const auto& [key, span] : spans_) weights += std::get<0>(key) == 'W' ? 1 : 0;
    ASSERT_EQ(static_cast<std::int64_t>(spans_.size()) - weights, 2 * parts() * pipeline_.micro_batches);
    if (pipeline_.schedule == spec::Schedule::zero_bubble) {
      ASSERT_EQ(weights, parts() * pipeline_.micro_batches);
    } else if (pipeline_.schedule == spec::Schedule::dualpipe_v) {
      // Each stage delays one a stage at the end, and before that one for each stage behind it.
      ASSERT_EQ(weights, pipeline_.stages * pipeline_.stages + pipeline_.stages * (pipeline_.stages - 1) / 2);
    } else {
      ASSERT_EQ(weights, 0);
    }
    for (const Event& event : timeline_.events) {
      const double seconds = event.end - event.begin;
      if (event.kind == EventKind::send) {
        EXPECT_NEAR(seconds, pipeline_.send, tolerance_);
        continue;
      }
      const Chunk& chunk = costs(event.stage, event.chunk);
      const Key weight{'W', part(event.stage, event.chunk), event.micro_batch};
      double expected = 0;
      if (event.kind == EventKind::forward) expected = chunk.forward.alone;
      if (event.kind == EventKind::weight) expected = chunk.weight;
      if (event.kind == EventKind::backward)
        expected = chunk.backward.alone - (spans_.contains(weight) ? chunk.weight : 0);
      if (event.kind == EventKind::pair) {
        EXPECT_NE(event.micro_batch, event.other_micro_batch);
        expected = pair_time(chunk.forward, costs(event.stage, event.other_chunk).backward);
      }
      EXPECT_NEAR(seconds, expected, tolerance_);
    }
  }

  /// When the input of a pass is on its stage.
  double input(char kind, std::int64_t of_part, std::int64_t micro_batch, std::int64_t stage) const {
    Key from{kind, of_part - 1, micro_batch};
    if (kind == 'F' && of_part == 0) return 0;
    if (kind == 'B')
      from = of_part + 1 == parts() ? Key{'F', of_part, micro_batch} : Key{'B', of_part + 1, micro_batch};
    if (kind == 'W') from = {'B', of_part, micro_batch};
    const Span& span = spans_.at(from);
    return span.stage == stage ? span.end : std::max(span.end, span.end - span.tail + pipeline_.send);
  }

  /// Work of a stage does not overlap, and each starts as soon as the stage and all inputs are there, and not before.
  void check_starts() const {
    std::vector<double> free(static_cast<std::size_t>(pipeline_.stages), 0.0);
    std::int64_t stage_before = 0;
    std::int64_t sent = 0;
    for (const Event& event : timeline_.events) {
      ASSERT_GE(event.stage, stage_before);
      stage_before = event.stage;
      double& until = free[static_cast<std::size_t>(event.stage)];
      if (event.kind == EventKind::send) {
        sent += (event.micro_batch >= 0 ? 1 : 0) + (event.other_micro_batch >= 0 ? 1 : 0);
        if (pipeline_.overlap_send) continue;
        ASSERT_NEAR(event.begin, until, tolerance_) << "a send starts when its work ends";
        until = event.end;
        continue;
      }
      double start = until;
      const auto wait = [&](char kind, std::int64_t chunk, std::int64_t micro_batch) {
        start = std::max(start, input(kind, part(event.stage, chunk), micro_batch, event.stage));
      };
      const bool pair = event.kind == EventKind::pair;
      if (pair || event.kind == EventKind::forward) wait('F', event.chunk, event.micro_batch);
      if (event.kind == EventKind::backward) wait('B', event.chunk, event.micro_batch);
      if (event.kind == EventKind::weight) wait('W', event.chunk, event.micro_batch);
      if (pair) wait('B', event.other_chunk, event.other_micro_batch);
      ASSERT_NEAR(event.begin, start, tolerance_) << "stage " << event.stage;
      until = event.end;
    }
    check_sends(sent);
  }

  void check_sends(std::int64_t sent) const {
    std::int64_t boundaries = pipeline_.stages == 1 ? 0 : parts() - 1;
    if (boundaries > 0 && pipeline_.schedule == spec::Schedule::dualpipe_v) --boundaries;  // the turning point
    EXPECT_EQ(sent, pipeline_.send > 0 ? 2 * boundaries * pipeline_.micro_batches : 0);
  }

  void check_totals() const {
    double all_busy = 0;
    double longest = 0;
    for (std::int64_t stage = 0; stage < pipeline_.stages; ++stage) {
      double busy = 0;
      double sending = 0;
      double end = 0;
      for (const Event& event : timeline_.events) {
        if (event.stage != stage) continue;
        const bool send = event.kind == EventKind::send;
        if (send && pipeline_.overlap_send) continue;
        (send ? sending : busy) += event.end - event.begin;
        end = std::max(end, event.end);
      }
      const StageResult& result = timeline_.stages.at(static_cast<std::size_t>(stage));
      EXPECT_NEAR(result.busy, busy, tolerance_);
      EXPECT_NEAR(result.sending, sending, tolerance_);
      EXPECT_NEAR(result.end, end, tolerance_);
      all_busy += busy;
      longest = std::max(longest, end);
    }
    EXPECT_NEAR(timeline_.makespan, longest, tolerance_);
    if (longest > 0) {
      EXPECT_NEAR(timeline_.bubble, 1 - all_busy / (static_cast<double>(pipeline_.stages) * longest), 1e-9);
    }
  }

  /// Adds up from the spans what the stage holds, what ends before what begins at the same moment.
  void check_memory(std::int64_t stage) const {
    std::vector<std::tuple<double, int, double>> changes;  // time, order, bytes
    double all = 0;
    for (const auto& [key, span] : spans_) {
      const auto [kind, of_part, micro_batch] = key;
      if (span.stage != stage) continue;
      std::int64_t chunk = 0;
      while (part(stage, chunk) != of_part) ++chunk;
      const Chunk& cost = costs(stage, chunk);
      const double later = spans_.contains({'W', of_part, micro_batch}) ? cost.weight_bytes : 0;
      all += cost.activation_bytes;
      if (kind == 'F') changes.emplace_back(span.begin, 1, cost.activation_bytes);
      if (kind == 'B') changes.emplace_back(span.end, 0, later - cost.activation_bytes);
      if (kind == 'W') changes.emplace_back(span.end, 0, -cost.weight_bytes);
    }
    std::sort(changes.begin(), changes.end());
    double bytes = 0;
    double peak = 0;
    for (const auto& change : changes) peak = std::max(peak, bytes += std::get<2>(change));
    const double rounding = 1e-12 * all;
    EXPECT_NEAR(bytes, 0, rounding);
    const StageResult& result = timeline_.stages.at(static_cast<std::size_t>(stage));
    EXPECT_NEAR(result.peak_activation_bytes, peak, rounding);
    const std::vector<MemoryPoint>& curve = timeline_.memory.at(static_cast<std::size_t>(stage));
    ASSERT_FALSE(curve.empty());
    EXPECT_NEAR(curve.back().bytes, 0, rounding);
    const bool found = std::any_of(curve.begin(), curve.end(), [&](const MemoryPoint& point) {
      return point.time == result.peak_time && point.bytes == result.peak_activation_bytes;
    });
    EXPECT_TRUE(found || peak == 0);
  }

  const Pipeline& pipeline_;
  const Timeline& timeline_;
  std::map<Key, Span> spans_;
  double longest_ = 0;
  double tolerance_ = 0;
};

}  // namespace filigree::plan
