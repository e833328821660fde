#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "spec/layout.h"

/// One training step of a pipeline as events: every chunk of every micro-batch on every stage, with the sends between
/// stages, and the activations that are alive at each moment.
namespace filigree::plan {

/// One pass (forward or backward) of one chunk, seconds, split as the overlap of two micro-batches needs it
/// (Ascend/MindSpeed: docs/features/megatron-moe-fb-overlap.md). `dispatch` and `combine` are communication.
struct Pass {
  double attention = 0;
  double dispatch = 0;
  double mlp = 0;
  double combine = 0;
  double alone = 0;  ///< when no other micro-batch runs beside it, with what hides inside it already taken off
};

/// One chunk of layers on one stage.
struct Chunk {
  Pass forward;
  Pass backward;      ///< input and weight gradients together, recomputation included
  double weight = 0;  ///< the part of `backward` that is the weight gradient, which zero-bubble schedules delay
  double activation_bytes = 0;  ///< held from the start of its forward to the end of its backward
  double weight_bytes = 0;      ///< of these, the part that a delayed weight gradient still needs
  double tail = 0;  ///< of `weight`, what a pair runs when its outputs are already on their way: it hides their
                    ///< sends, with overlap_send (Ascend/MindSpeed: the attention's weight gradient)
};

struct Pipeline {
  spec::Schedule schedule = spec::Schedule::one_f_one_b;
  std::int64_t stages = 1;
  std::int64_t chunks = 1;  ///< a stage
  std::int64_t micro_batches = 1;
  std::vector<Chunk> costs = {};  ///< stages × chunks, [stage · chunks + chunk]
  double send = 0;                ///< seconds from one stage to the next
  bool overlap_send = false;      ///< the sender goes on with its next work; otherwise it waits out the send
  bool pair = false;              ///< a forward and a backward that stand side by side in steady state share the device
};

enum class EventKind : std::uint8_t { forward, backward, weight, pair, send };

/// `pair` events: micro_batch and chunk are the forward's; the backward's are in the `other_` fields. `send` events of the
/// sender: likewise what it sends; −1 where no forward (or no backward) is sent. With overlap_send they lie beside work.
struct Event {
  std::int32_t stage = 0;
  std::int32_t chunk = 0;
  std::int32_t micro_batch = 0;
  std::int32_t other_chunk = -1;
  std::int32_t other_micro_batch = -1;
  EventKind kind = EventKind::forward;
  double begin = 0;  ///< seconds from the start of the step
  double end = 0;
};

struct StageResult {
  double busy = 0;     ///< seconds with work
  double sending = 0;  ///< seconds in which it waits for its own sends
  double end = 0;      ///< when its last event ends
  double peak_activation_bytes = 0;
  double peak_time = 0;  ///< when they are first reached
};

/// Bytes alive on a stage from `time` on.
struct MemoryPoint {
  double time = 0;
  double bytes = 0;
};

struct Timeline {
  double makespan = 0;  ///< seconds
  double bubble = 0;    ///< share of stages × makespan without work
  std::vector<StageResult> stages;
  std::vector<Event> events;                     ///< only where they were asked for: by stage, then by begin
  std::vector<std::vector<MemoryPoint>> memory;  ///< by stage, likewise
};

/// Memory that one thread can reuse from one simulation to the next. The results do not depend on it.
class TimelineWorkspace {
 public:
  TimelineWorkspace();
  ~TimelineWorkspace();
  TimelineWorkspace(TimelineWorkspace&&) noexcept;
  TimelineWorkspace& operator=(TimelineWorkspace&&) noexcept;

  struct Buffers;
  Buffers& buffers() { return *buffers_; }

 private:
  std::unique_ptr<Buffers> buffers_;
};

/// Time of a forward and a backward that run together: Attention(F) ‖ Combine(B), MLP(B) ‖ Dispatch(F),
/// MLP(F) ‖ Dispatch(B), Attention(B) ‖ Combine(F).
double pair_time(const Pass& forward, const Pass& backward);

/// Runs the schedule. Linear in stages × chunks × micro-batches. A forward needs the output of the part of the model
/// before it, a backward that of the part behind it, and `send` seconds more where that is another stage.
///
/// Error where the schedule cannot run so (check_schedule in plan/schedule.h), or where the costs are not finite,
/// negative, or not one for each chunk of each stage.
Timeline simulate(const Pipeline& pipeline, bool keep_events);
Timeline simulate(const Pipeline& pipeline, bool keep_events, TimelineWorkspace& workspace);

}  // namespace filigree::plan
