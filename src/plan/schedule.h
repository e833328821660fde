#pragma once

#include <cstdint>
#include <vector>

#include "spec/layout.h"

/// The order in which a stage of the pipeline does its work: fixed before the step starts, a function of the schedule
/// and of four numbers. When each piece starts is plan/timeline.h's business.
namespace filigree::plan {

/// What fixes the order of work.
struct ScheduleShape {
  spec::Schedule schedule = spec::Schedule::one_f_one_b;
  std::int64_t stages = 1;
  std::int64_t chunks = 1;  ///< a stage
  std::int64_t micro_batches = 1;
  bool pair = false;  ///< in steady state a forward and a backward run together

  bool operator==(const ScheduleShape&) const = default;
  std::int64_t parts() const { return stages * chunks; }
};

enum class WorkKind : std::uint8_t {
  forward,
  backward,        ///< input and weight gradients
  backward_input,  ///< input gradients only; the weight gradients come later
  weight           ///< weight gradients of an earlier backward_input
};

/// One piece of work of a stage.
struct Work {
  std::int32_t micro_batch = 0;
  std::int16_t chunk = 0;
  WorkKind kind = WorkKind::forward;
  bool with_next = false;  ///< a forward that runs together with the backward after it
};

/// The model is cut into stages × chunks parts, counted in the order of the forward pass. Chunk c of stage s holds part
/// c·stages + s; in DualPipe-V, whose parts go down the stages and come back, chunk 1 holds part 2·stages − 1 − s.
std::int64_t part_of(const ScheduleShape& shape, std::int64_t stage, std::int64_t chunk);
std::int64_t stage_of_part(const ScheduleShape& shape, std::int64_t part);

/// Error where the schedule cannot run with this shape: one chunk a stage for 1F1B and zero-bubble, two or more for
/// interleaved with micro-batches in multiples of stages, two for DualPipe-V with at least 2 × stages micro-batches;
/// zero-bubble has no pairs.
void check_schedule(const ScheduleShape& shape);

/// Forwards that `stage` runs before its first backward, as 1F1B and interleaved (Megatron-LM's virtual pipeline,
/// arXiv 2104.04473 §2.2) have it. Pairs want the forward of a pair to depend on no backward nearer than two pairs
/// back, so 1F1B doubles its warm-up, and both take one more (Ascend/MindSpeed: docs/features/megatron-moe-fb-overlap.md).
std::int64_t warmup_forwards(const ScheduleShape& shape, std::int64_t stage);

/// Appends the stage's work to `out`. The shape must have passed check_schedule.
///
/// Zero-bubble is ZB-H1 (arXiv 2401.10241 §2.1): 1F1B whose stage s stays s weight gradients behind its backwards and
/// makes up for them at the end, so that no stage holds more micro-batches than 1F1B's first. DualPipe-V
/// (deepseek-ai/DualPipe: dualpipe/dualpipev.py) delays weight gradients only where its eight steps say so.
void append_work(const ScheduleShape& shape, std::int64_t stage, std::vector<Work>& out);

}  // namespace filigree::plan
