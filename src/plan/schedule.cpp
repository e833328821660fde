#include "plan/schedule.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace filigree::plan {
namespace {

using spec::Schedule;

/// Passes of a whole step that fit the index types and any sensible memory.
constexpr std::int64_t max_passes = 100'000'000;

Work work(WorkKind kind, std::int64_t chunk, std::int64_t micro_batch, bool with_next = false) {
  return {.micro_batch = static_cast<std::int32_t>(micro_batch),
          .chunk = static_cast<std::int16_t>(chunk),
          .kind = kind,
          .with_next = with_next};
}

/// Forwards in the order of interleaved 1F1B: chunk by chunk in groups of `stages` micro-batches. With one chunk this is
/// micro-batch after micro-batch, as 1F1B has it. Backwards go through the chunks from the last.
struct ChunkCursor {
  std::int64_t stages = 1;
  std::int64_t chunks = 1;
  std::int64_t chunk = 0;
  std::int64_t first = 0;  ///< of the group
  std::int64_t offset = 0;

  std::int64_t micro_batch() const { return first + offset; }
  void advance() {
    if (++offset < stages) return;
    offset = 0;
    if (++chunk < chunks) return;
    chunk = 0;
    first += stages;
  }
};

void append_one_f_one_b(const ScheduleShape& shape, std::int64_t stage, std::vector<Work>& out) {
  const std::int64_t total = shape.chunks * shape.micro_batches;
  const std::int64_t warmup = warmup_forwards(shape, stage);
  const bool split = shape.schedule == Schedule::zero_bubble;
  ChunkCursor forward_cursor{.stages = shape.stages, .chunks = shape.chunks};
  ChunkCursor backward_cursor = forward_cursor;
  std::int64_t backwards = 0;
  std::int64_t weights = 0;
  const auto forward = [&](bool with_next) {
    out.push_back(work(WorkKind::forward, forward_cursor.chunk, forward_cursor.micro_batch(), with_next));
    forward_cursor.advance();
  };
  const auto backward = [&] {
    const WorkKind kind = split ? WorkKind::backward_input : WorkKind::backward;
    out.push_back(work(kind, shape.chunks - 1 - backward_cursor.chunk, backward_cursor.micro_batch()));
    backward_cursor.advance();
    ++backwards;
    if (split && backwards - weights > stage) out.push_back(work(WorkKind::weight, 0, weights++));
  };
  for (std::int64_t i = 0; i < warmup; ++i) forward(false);
  for (std::int64_t i = warmup; i < total; ++i) {
    forward(shape.pair);
    backward();
  }
  for (std::int64_t i = 0; i < warmup; ++i) backward();
  while (split && weights < total) out.push_back(work(WorkKind::weight, 0, weights++));
}

/// The eight steps of deepseek-ai/DualPipe: dualpipe/dualpipev.py, `step`. Chunks 0 and 1 are the way down and the way
/// back.
class DualPipeV {
 public:
  DualPipeV(const ScheduleShape& shape, std::int64_t stage, std::vector<Work>& out)
      : shape_(shape), before_(shape.stages - stage - 1), after_(stage + 1), out_(out) {}

  void append() {
    const bool last = before_ == 0;
    for (std::int64_t i = 0; i < 2 * before_; ++i) forward(0);  // Step 1
    for (std::int64_t i = 0; i < after_; ++i) {                 // Step 2
      forward(0);
      forward(1);
    }
    for (std::int64_t i = 0; i < before_; ++i) {  // Step 3
      backward_input(1);
      weight();
      forward(1);
    }
    const std::int64_t main = shape_.micro_batches - 2 * shape_.stages + after_;
    for (std::int64_t i = 0; i < main; ++i) {  // Step 4
      // The last stage lets its first forward go ahead: its backward is the first of all.
      forward(0, shape_.pair && !(last && i == 0));
      backward(1);
      forward(1, shape_.pair);
      backward(0);
    }
    for (std::int64_t i = 0; i < before_; ++i) {  // Step 5
      backward(1);
      forward(1, shape_.pair);
      backward(0);
    }
    // Step 6: of 2 · after_ backwards the second half leave their weight gradients for later.
    for (std::int64_t i = 0; i < 2 * after_; ++i) {
      const std::int64_t chunk = i % 2 == 0 ? 1 : 0;
      if (i < after_)
        backward(chunk);
      else
        backward_input(chunk);
    }
    for (std::int64_t i = 0; i < before_; ++i) {  // Step 7
      weight();
      backward_input(0);
    }
    for (std::int64_t i = 0; i < after_; ++i) weight();  // Step 8
  }

 private:
  void forward(int chunk, bool with_next = false) {
    out_.push_back(work(WorkKind::forward, chunk, forwards_[chunk]++, with_next));
  }
  void backward(std::int64_t chunk) { out_.push_back(work(WorkKind::backward, chunk, backwards_[chunk]++)); }
  void backward_input(std::int64_t chunk) {
    owed_.push_back(work(WorkKind::weight, chunk, backwards_[chunk]));
    out_.push_back(work(WorkKind::backward_input, chunk, backwards_[chunk]++));
  }
  void weight() { out_.push_back(owed_.at(paid_++)); }

  const ScheduleShape& shape_;
  std::int64_t before_;  ///< stages still to come
  std::int64_t after_;   ///< stages so far, this one included
  std::vector<Work>& out_;
  std::int64_t forwards_[2] = {0, 0};
  std::int64_t backwards_[2] = {0, 0};
  std::vector<Work> owed_;  ///< weight gradients, oldest first
  std::size_t paid_ = 0;
};

void check_counts(const ScheduleShape& shape) {
  const auto at_least_one = [](std::int64_t value, const char* what) {
    if (value < 1) fail("a pipeline needs at least 1 {}, got {}", what, value);
  };
  at_least_one(shape.stages, "stage");
  at_least_one(shape.chunks, "chunk a stage");
  at_least_one(shape.micro_batches, "micro-batch");
  const bool too_many = shape.stages > max_passes || shape.chunks > std::numeric_limits<std::int16_t>::max() ||
                        shape.micro_batches > max_passes || shape.parts() > max_passes ||
                        shape.parts() * shape.micro_batches > max_passes;
  if (too_many) {
    fail("a timeline takes at most {} passes, got {} stages × {} chunks × {} micro-batches; use fewer micro-batches",
         max_passes, shape.stages, shape.chunks, shape.micro_batches);
  }
}

}  // namespace

std::int64_t part_of(const ScheduleShape& shape, std::int64_t stage, std::int64_t chunk) {
  if (shape.schedule == Schedule::dualpipe_v && chunk == 1) return 2 * shape.stages - 1 - stage;
  return chunk * shape.stages + stage;
}

std::int64_t stage_of_part(const ScheduleShape& shape, std::int64_t part) {
  if (shape.schedule == Schedule::dualpipe_v && part >= shape.stages) return 2 * shape.stages - 1 - part;
  return part % shape.stages;
}

void check_schedule(const ScheduleShape& shape) {
  check_counts(shape);
  switch (shape.schedule) {
    case Schedule::one_f_one_b:
      if (shape.chunks != 1) {
        fail("schedule '1f1b' has 1 chunk a stage, got {}; use 'interleaved' for more", shape.chunks);
      }
      return;
    case Schedule::interleaved:
      if (shape.chunks < 2) fail("schedule 'interleaved' needs at least 2 chunks a stage, got 1; use '1f1b' for one");
      if (shape.micro_batches % shape.stages != 0) {
        fail(
            "schedule 'interleaved' needs micro-batches in multiples of the {} stages, got {}; the next multiple is {}",
            shape.stages, shape.micro_batches, (shape.micro_batches / shape.stages + 1) * shape.stages);
      }
      return;
    case Schedule::zero_bubble:
      if (shape.chunks != 1) fail("schedule 'zero-bubble' has 1 chunk a stage, got {}", shape.chunks);
      if (shape.pair) {
        fail(
            "schedule 'zero-bubble' has no pairs of a forward and a backward that run together; "
            "use 'interleaved' or 'dualpipe-v' to overlap expert communication");
      }
      return;
    case Schedule::dualpipe_v:
      if (shape.chunks != 2) fail("schedule 'dualpipe-v' needs 2 chunks a stage, got {}", shape.chunks);
      if (shape.micro_batches < 2 * shape.stages) {
        fail("schedule 'dualpipe-v' needs at least 2 micro-batches a stage, {} in all, got {}", 2 * shape.stages,
             shape.micro_batches);
      }
      return;
  }
  FILIGREE_ASSERT(false && "unknown schedule");
}

std::int64_t warmup_forwards(const ScheduleShape& shape, std::int64_t stage) {
  const std::int64_t after = shape.stages - stage - 1;
  const std::int64_t total = shape.chunks * shape.micro_batches;
  if (shape.chunks == 1 && !shape.pair) return std::min(after, total);
  return std::min(after * 2 + (shape.chunks - 1) * shape.stages + (shape.pair ? 1 : 0), total);
}

void append_work(const ScheduleShape& shape, std::int64_t stage, std::vector<Work>& out) {
  if (shape.schedule == Schedule::dualpipe_v) {
    DualPipeV(shape, stage, out).append();
  } else {
    append_one_f_one_b(shape, stage, out);
  }
}

}  // namespace filigree::plan
