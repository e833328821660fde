#include "plan/timeline.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "plan/schedule.h"

namespace filigree::plan {
namespace {

constexpr double unknown = -1;

struct StageState {
  double free = 0;  ///< when its last work, with a send that it waits for, ends
  double bytes = 0;
  StageResult result;
  std::size_t next = 0;  ///< index into the work
  std::size_t last = 0;
  std::int64_t waiting = -1;  ///< the arrival that it waits for
};

void check_cost(double value, const char* what, std::int64_t stage, std::int64_t chunk) {
  if (std::isfinite(value) && value >= 0) return;
  fail("the pipeline's {} of stage {}, chunk {} is {}; it must be a finite number of at least 0", what, stage, chunk,
       value);
}

void check_chunk(const Chunk& costs, std::int64_t stage, std::int64_t chunk) {
  for (const Pass* pass : {&costs.forward, &costs.backward}) {
    for (const double part : {pass->attention, pass->dispatch, pass->mlp, pass->combine, pass->alone}) {
      check_cost(part, pass == &costs.forward ? "forward time" : "backward time", stage, chunk);
    }
  }
  check_cost(costs.weight, "weight gradient's time", stage, chunk);
  check_cost(costs.tail, "tail", stage, chunk);
  check_cost(costs.activation_bytes, "activation bytes", stage, chunk);
  check_cost(costs.weight_bytes, "weight gradient's bytes", stage, chunk);
  if (costs.weight > costs.backward.alone) {
    fail("the weight gradient of stage {}, chunk {} takes {} s, more than the whole backward's {} s", stage, chunk,
         costs.weight, costs.backward.alone);
  }
  if (costs.tail > costs.weight) {
    fail("the tail of stage {}, chunk {} takes {} s, more than the weight gradient's {} s that holds it", stage, chunk,
         costs.tail, costs.weight);
  }
  if (costs.weight_bytes > costs.activation_bytes) {
    fail("the weight gradient of stage {}, chunk {} needs {} bytes, more than the chunk's {} activation bytes", stage,
         chunk, costs.weight_bytes, costs.activation_bytes);
  }
}

void check_pipeline(const Pipeline& pipeline, const ScheduleShape& shape) {
  check_schedule(shape);
  if (std::int64_t(pipeline.costs.size()) != shape.parts()) {
    fail("a pipeline of {} stages × {} chunks needs {} chunk costs, got {}", shape.stages, shape.chunks, shape.parts(),
         pipeline.costs.size());
  }
  if (!std::isfinite(pipeline.send) || pipeline.send < 0) {
    fail("the pipeline's send time is {}; it must be a finite number of at least 0", pipeline.send);
  }
  for (std::int64_t stage = 0; stage < shape.stages; ++stage) {
    for (std::int64_t chunk = 0; chunk < shape.chunks; ++chunk) {
      check_chunk(pipeline.costs[std::size_t(stage * shape.chunks + chunk)], stage, chunk);
    }
  }
}

}  // namespace

struct TimelineWorkspace::Buffers {
  ScheduleShape shape{.stages = 0};     ///< that `work` is made for
  std::vector<Work> work;               ///< stage after stage
  std::vector<std::size_t> first_work;  ///< of each stage, and the end
  std::vector<StageState> stages;
  std::vector<double> arrival;             ///< seconds: forward inputs [part, micro-batch], then backward inputs
  std::vector<std::int64_t> ready;         ///< stages that may go on
  std::vector<std::vector<Event>> events;  ///< by stage

  void prepare(const ScheduleShape& wanted);
};

void TimelineWorkspace::Buffers::prepare(const ScheduleShape& wanted) {
  const auto count = static_cast<std::size_t>(wanted.stages);
  if (wanted != shape) {
    shape = ScheduleShape{.stages = 0};  // until all of it stands
    work.clear();
    first_work.assign(1, 0);
    for (std::int64_t stage = 0; stage < wanted.stages; ++stage) {
      append_work(wanted, stage, work);
      first_work.push_back(work.size());
    }
    shape = wanted;
  }
  stages.assign(count, {});
  for (std::size_t stage = 0; stage < count; ++stage) {
    stages[stage].next = first_work[stage];
    stages[stage].last = first_work[stage + 1];
  }
  arrival.assign(static_cast<std::size_t>(2 * wanted.parts() * wanted.micro_batches), unknown);
  std::fill_n(arrival.begin(), wanted.micro_batches, 0.0);  // the data
  ready.clear();
  events.assign(count, {});
}

namespace {

/// Runs each stage through its work as far as inputs have come, and wakes the stage whose input it makes. Every arrival
/// wakes at most one stage once, so that the cost is linear.
class Engine {
 public:
  Engine(const Pipeline& pipeline, const ScheduleShape& shape, TimelineWorkspace::Buffers& buffers, Timeline* record)
      : pipeline_(pipeline), shape_(shape), buffers_(buffers), record_(record), parts_(shape.parts()) {}

  void run();

 private:
  const Chunk& costs(std::int64_t stage, std::int64_t chunk) const {
    return pipeline_.costs[static_cast<std::size_t>(stage * shape_.chunks + chunk)];
  }
  std::int64_t slot(std::int64_t stage, const Work& work) const {
    const std::int64_t part = part_of(shape_, stage, work.chunk) + (work.kind == WorkKind::forward ? 0 : parts_);
    return part * shape_.micro_batches + work.micro_batch;
  }
  double arrival(std::int64_t slot) const { return buffers_.arrival[static_cast<std::size_t>(slot)]; }

  void advance(std::int64_t stage);
  void perform(std::int64_t stage, const Work& work, double start);
  void perform_pair(std::int64_t stage, const Work& forward, const Work& backward, double start);
  void perform_weight(std::int64_t stage, const Work& work);
  bool deliver(std::int64_t stage, const Work& work, double end, double hidden);
  void arrive(std::int64_t slot, std::int64_t stage, double time);
  void wait_for_send(std::int64_t stage, Event sent, double hidden);
  void occupy(std::int64_t stage, double start, double seconds);
  void hold(std::int64_t stage, double bytes, double time);
  void record(const Event& event);

  const Pipeline& pipeline_;
  const ScheduleShape& shape_;
  TimelineWorkspace::Buffers& buffers_;
  Timeline* record_;
  std::int64_t parts_;
};

void Engine::record(const Event& event) {
  if (record_) buffers_.events[static_cast<std::size_t>(event.stage)].push_back(event);
}

void Engine::hold(std::int64_t stage, double bytes, double time) {
  StageState& state = buffers_.stages[static_cast<std::size_t>(stage)];
  state.bytes += bytes;
  if (state.bytes > state.result.peak_activation_bytes) {
    state.result.peak_activation_bytes = state.bytes;
    state.result.peak_time = time;
  }
  if (record_) record_->memory[static_cast<std::size_t>(stage)].push_back({.time = time, .bytes = state.bytes});
}

void Engine::occupy(std::int64_t stage, double start, double seconds) {
  StageState& state = buffers_.stages[static_cast<std::size_t>(stage)];
  state.free = start + seconds;
  state.result.busy += seconds;
}

void Engine::arrive(std::int64_t slot, std::int64_t stage, double time) {
  buffers_.arrival[static_cast<std::size_t>(slot)] = time;
  if (buffers_.stages[static_cast<std::size_t>(stage)].waiting == slot) buffers_.ready.push_back(stage);
}

/// Hands the output of `work` on; true if it goes to another stage.
bool Engine::deliver(std::int64_t stage, const Work& work, double end, double hidden) {
  const std::int64_t part = part_of(shape_, stage, work.chunk);
  const bool forward = work.kind == WorkKind::forward;
  std::int64_t next = forward ? part + 1 : part - 1;
  if (next < 0) return false;
  bool backward = !forward;
  if (next == parts_) {  // the loss: the last part's backward follows its own forward
    next = part;
    backward = true;
  }
  const std::int64_t target = stage_of_part(shape_, next);
  const double delay = target == stage ? 0 : std::max(0.0, pipeline_.send - hidden);
  arrive((next + (backward ? parts_ : 0)) * shape_.micro_batches + work.micro_batch, target, end + delay);
  return target != stage;
}

/// `sent` names what is sent; the rest of it is set here.
void Engine::wait_for_send(std::int64_t stage, Event sent, double hidden) {
  StageState& state = buffers_.stages[static_cast<std::size_t>(stage)];
  sent.stage = static_cast<std::int32_t>(stage);
  sent.kind = EventKind::send;
  sent.begin = state.free - std::min(hidden, pipeline_.send);
  sent.end = sent.begin + pipeline_.send;
  if (pipeline_.send > 0) record(sent);
  if (pipeline_.overlap_send) return;
  state.free = sent.end;
  state.result.sending += pipeline_.send;
}

void Engine::perform(std::int64_t stage, const Work& work, double start) {
  StageState& state = buffers_.stages[static_cast<std::size_t>(stage)];
  const Chunk& chunk = costs(stage, work.chunk);
  const bool forward = work.kind == WorkKind::forward;
  const bool split = work.kind == WorkKind::backward_input;
  if (forward) hold(stage, chunk.activation_bytes, start);
  occupy(stage, start, forward ? chunk.forward.alone : chunk.backward.alone - (split ? chunk.weight : 0));
  if (!forward) hold(stage, (split ? chunk.weight_bytes : 0) - chunk.activation_bytes, state.free);
  if (record_) {
    record({.stage = static_cast<std::int32_t>(stage),
            .chunk = work.chunk,
            .micro_batch = work.micro_batch,
            .kind = forward ? EventKind::forward : EventKind::backward,
            .begin = start,
            .end = state.free});
  }
  if (!deliver(stage, work, state.free, 0)) return;
  Event sent{.chunk = -1, .micro_batch = -1};
  (forward ? sent.chunk : sent.other_chunk) = work.chunk;
  (forward ? sent.micro_batch : sent.other_micro_batch) = work.micro_batch;
  wait_for_send(stage, sent, 0);
}

void Engine::perform_pair(std::int64_t stage, const Work& forward, const Work& backward, double start) {
  FILIGREE_ASSERT(forward.micro_batch != backward.micro_batch);
  StageState& state = buffers_.stages[static_cast<std::size_t>(stage)];
  const Chunk& ahead = costs(stage, forward.chunk);
  const Chunk& back = costs(stage, backward.chunk);
  hold(stage, ahead.activation_bytes, start);
  occupy(stage, start, pair_time(ahead.forward, back.backward));
  hold(stage, -back.activation_bytes, state.free);
  Event event{.stage = static_cast<std::int32_t>(stage),
              .chunk = forward.chunk,
              .micro_batch = forward.micro_batch,
              .other_chunk = backward.chunk,
              .other_micro_batch = backward.micro_batch,
              .kind = EventKind::pair,
              .begin = start,
              .end = state.free};
  record(event);
  const double hidden = pipeline_.overlap_send ? std::min(back.tail, event.end - event.begin) : 0;
  const bool sends_forward = deliver(stage, forward, state.free, hidden);
  const bool sends_backward = deliver(stage, backward, state.free, hidden);
  if (!sends_forward && !sends_backward) return;
  if (!sends_forward) event.chunk = event.micro_batch = -1;
  if (!sends_backward) event.other_chunk = event.other_micro_batch = -1;
  wait_for_send(stage, event, hidden);
}

void Engine::perform_weight(std::int64_t stage, const Work& work) {
  StageState& state = buffers_.stages[static_cast<std::size_t>(stage)];
  const Chunk& cost = costs(stage, work.chunk);
  const double start = state.free;
  occupy(stage, start, cost.weight);
  hold(stage, -cost.weight_bytes, state.free);
  record({.stage = static_cast<std::int32_t>(stage),
          .chunk = work.chunk,
          .micro_batch = work.micro_batch,
          .kind = EventKind::weight,
          .begin = start,
          .end = state.free});
}

void Engine::advance(std::int64_t stage) {
  StageState& state = buffers_.stages[static_cast<std::size_t>(stage)];
  state.waiting = -1;
  while (state.next < state.last) {
    const Work& work = buffers_.work[state.next];
    if (work.kind == WorkKind::weight) {
      perform_weight(stage, work);
      ++state.next;
      continue;
    }
    std::int64_t input = slot(stage, work);
    double ready = arrival(input);
    if (ready >= 0 && work.with_next) {
      input = slot(stage, buffers_.work[state.next + 1]);
      const double other = arrival(input);
      ready = other < 0 ? other : std::max(ready, other);
    }
    if (ready < 0) {
      state.waiting = input;
      return;
    }
    const double start = std::max(ready, state.free);
    if (work.with_next) {
      perform_pair(stage, work, buffers_.work[state.next + 1], start);
    } else {
      perform(stage, work, start);
    }
    state.next += work.with_next ? 2 : 1;
  }
}

void Engine::run() {
  for (std::int64_t stage = shape_.stages; stage-- > 0;) buffers_.ready.push_back(stage);
  while (!buffers_.ready.empty()) {
    const std::int64_t stage = buffers_.ready.back();
    buffers_.ready.pop_back();
    advance(stage);
  }
  for (const StageState& state : buffers_.stages) FILIGREE_ASSERT(state.next == state.last);
}

Timeline collect(const Pipeline& pipeline, TimelineWorkspace::Buffers& buffers, Timeline timeline) {
  timeline.stages.reserve(buffers.stages.size());
  double busy = 0;
  for (const StageState& state : buffers.stages) {
    timeline.stages.push_back(state.result);
    timeline.stages.back().end = state.free;
    timeline.makespan = std::max(timeline.makespan, state.free);
    busy += state.result.busy;
  }
  const double all = timeline.makespan * static_cast<double>(pipeline.stages);
  timeline.bubble = all > 0 ? std::max(0.0, 1 - busy / all) : 0;
  std::size_t num_events = 0;
  for (const std::vector<Event>& events : buffers.events) num_events += events.size();
  timeline.events.reserve(num_events);
  for (std::vector<Event>& events : buffers.events) {
    timeline.events.insert(timeline.events.end(), events.begin(), events.end());
    events.clear();
  }
  return timeline;
}

}  // namespace

TimelineWorkspace::TimelineWorkspace() : buffers_(std::make_unique<Buffers>()) {}
TimelineWorkspace::~TimelineWorkspace() = default;
TimelineWorkspace::TimelineWorkspace(TimelineWorkspace&&) noexcept = default;
TimelineWorkspace& TimelineWorkspace::operator=(TimelineWorkspace&&) noexcept = default;

double pair_time(const Pass& forward, const Pass& backward) {
  return std::max(forward.attention, backward.combine) + std::max(backward.mlp, forward.dispatch) +
         std::max(forward.mlp, backward.dispatch) + std::max(backward.attention, forward.combine);
}

Timeline simulate(const Pipeline& pipeline, bool keep_events) {
  TimelineWorkspace workspace;
  return simulate(pipeline, keep_events, workspace);
}

Timeline simulate(const Pipeline& pipeline, bool keep_events, TimelineWorkspace& workspace) {
  const ScheduleShape shape{.schedule = pipeline.schedule,
                            .stages = pipeline.stages,
                            .chunks = pipeline.chunks,
                            .micro_batches = pipeline.micro_batches,
                            .pair = pipeline.pair};
  check_pipeline(pipeline, shape);
  TimelineWorkspace::Buffers& buffers = workspace.buffers();
  buffers.prepare(shape);
  Timeline timeline;
  if (keep_events) {
    timeline.memory.resize(buffers.stages.size());
    for (std::size_t stage = 0; stage < buffers.stages.size(); ++stage) {
      const std::size_t pieces = buffers.stages[stage].last - buffers.stages[stage].next;
      buffers.events[stage].reserve(2 * pieces);  // with sends
      timeline.memory[stage].reserve(pieces);
    }
  }
  Engine(pipeline, shape, buffers, keep_events ? &timeline : nullptr).run();
  return collect(pipeline, buffers, std::move(timeline));
}

}  // namespace filigree::plan
