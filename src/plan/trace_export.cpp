#include "plan/trace_export.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"

namespace filigree::plan {
namespace {

constexpr std::size_t max_curves = 4;

void check(const Timeline& timeline, const TimelineView& view) {
  FILIGREE_ASSERT(!timeline.events.empty() && timeline.memory.size() == timeline.stages.size());
  FILIGREE_ASSERT(view.held_bytes.empty() || view.held_bytes.size() == timeline.stages.size());
}

double held(const TimelineView& view, std::size_t stage) {
  return view.held_bytes.empty() ? 0.0 : view.held_bytes[stage];
}

std::int32_t count_chunks(const Timeline& timeline) {
  std::int32_t last = 0;
  for (const Event& event : timeline.events) last = std::max({last, event.chunk, event.other_chunk});
  return last + 1;
}

/// "F3", with several chunks "F3 chunk 1".
std::string pass_name(char letter, std::int32_t micro_batch, std::int32_t chunk, bool name_chunk) {
  std::string name = fmt::format("{}{}", letter, micro_batch);
  if (name_chunk) name += fmt::format(" chunk {}", chunk);
  return name;
}

std::string event_name(const Event& event, bool name_chunk) {
  const bool forward = event.micro_batch >= 0;
  const bool other = event.other_micro_batch >= 0;
  const auto first = [&](char letter) { return pass_name(letter, event.micro_batch, event.chunk, name_chunk); };
  const auto second = [&] { return pass_name('B', event.other_micro_batch, event.other_chunk, name_chunk); };
  switch (event.kind) {
    case EventKind::forward:
      return first('F');
    case EventKind::backward:
      return first('B');
    case EventKind::weight:
      return first('W');
    case EventKind::pair:
      return first('F') + " ‖ " + second();
    case EventKind::send:
      return "send " + (forward ? first('F') : "") + (forward && other ? ", " : "") + (other ? second() : "");
  }
  FILIGREE_ASSERT(false && "unknown kind of event");
  return {};
}

std::string_view category(EventKind kind) {
  constexpr std::array<std::string_view, 5> names{"forward", "backward", "weight", "pair", "send"};
  return names.at(static_cast<std::size_t>(kind));
}

/// Rows of sends that run beside each other: slices of one row must not overlap.
class Lanes {
 public:
  int place(const Event& event) {
    const auto free = std::find_if(ends_.begin(), ends_.end(), [&](double end) { return end <= event.begin; });
    const auto lane = free - ends_.begin();
    if (free == ends_.end()) ends_.push_back(0);
    ends_[static_cast<std::size_t>(lane)] = event.end;
    return static_cast<int>(lane);
  }
  int size() const { return static_cast<int>(ends_.size()); }

 private:
  std::vector<double> ends_;
};

/// The kinds of bars of a picture: those that occur, in the order of the legend.
class BarKinds {
 public:
  BarKinds(const Timeline& timeline, Gantt& gantt) : shaded_(count_chunks(timeline) == 2) {
    std::set<std::size_t> used;
    for (const Event& event : timeline.events) {
      if (is_shown(timeline, event)) used.insert(place(event));
    }
    for (const std::size_t index : used) {
      const Look& look = looks.at(index / 2);
      const bool chunk_named = shaded_ && !look.pale.empty();
      indices_.at(index) = static_cast<int>(gantt.kinds.size());
      gantt.kinds.push_back({.name = look.name + (chunk_named ? fmt::format(", chunk {}", index % 2) : std::string()),
                             .color = index % 2 == 0 ? look.color : look.pale});
    }
  }

  int of(const Event& event) const { return indices_.at(place(event)); }

  /// Sends that run beside work would cover it; those that block stand between two pieces of work.
  static bool is_shown(const Timeline& timeline, const Event& event) {
    return event.kind != EventKind::send || timeline.stages[static_cast<std::size_t>(event.stage)].sending > 0;
  }

 private:
  struct Look {
    std::string name, color, pale;
  };
  inline static const std::array<Look, 5> looks{{{"forward", "#0072B2", "#6FB6DF"},
                                                 {"backward", "#D55E00", "#F0A36B"},
                                                 {"weight gradient", "#009E73", "#7FCFB5"},
                                                 {"forward and backward", "#CC79A7", {}},
                                                 {"send", "#6B7280", {}}}};

  /// Two places a kind: for chunk 0 and, where shaded, for chunk 1.
  std::size_t place(const Event& event) const {
    const auto kind = static_cast<std::size_t>(event.kind);
    const bool second = shaded_ && event.chunk == 1 && !looks.at(kind).pale.empty();
    return 2 * kind + (second ? 1 : 0);
  }

  bool shaded_;
  std::array<int, 10> indices_{};
};

std::string bar_text(const Event& event) {
  if (event.kind == EventKind::send) return {};
  if (event.kind == EventKind::pair) return fmt::format("{}·{}", event.micro_batch, event.other_micro_batch);
  return fmt::format("{}", event.micro_batch);
}

/// The stage that peaks highest, the first, the last and the one in the middle.
std::set<std::size_t> shown_stages(const Timeline& timeline, const TimelineView& view) {
  const std::size_t count = timeline.stages.size();
  std::set<std::size_t> shown;
  if (count <= max_curves) {
    for (std::size_t stage = 0; stage < count; ++stage) shown.insert(stage);
    return shown;
  }
  std::size_t highest = 0;
  const auto peak = [&](std::size_t stage) { return timeline.stages[stage].peak_activation_bytes + held(view, stage); };
  for (std::size_t stage = 1; stage < count; ++stage) {
    if (peak(stage) > peak(highest)) highest = stage;
  }
  return {0, count / 2, count - 1, highest};
}

Series memory_curve(const Timeline& timeline, const TimelineView& view, std::size_t stage, double scale) {
  Series curve{.name = fmt::format("stage {}", stage)};
  const auto add = [&](double time, double bytes) {
    curve.x.push_back(time * scale);
    curve.y.push_back((bytes + held(view, stage)) / kGib);
  };
  add(0, 0);
  for (const MemoryPoint& point : timeline.memory[stage]) add(point.time, point.bytes);
  add(timeline.makespan, timeline.memory[stage].back().bytes);
  return curve;
}

}  // namespace

Trace to_trace(const Timeline& timeline, const TimelineView& view) {
  check(timeline, view);
  const bool name_chunk = count_chunks(timeline) > 1;
  Trace trace;
  std::vector<Lanes> lanes(timeline.stages.size());
  for (const Event& event : timeline.events) {
    const bool send = event.kind == EventKind::send;
    const int row = send ? 1 + lanes[static_cast<std::size_t>(event.stage)].place(event) : 0;
    Json args = Json::object();
    if (event.micro_batch >= 0) {
      args["micro_batch"] = event.micro_batch;
      args["chunk"] = event.chunk;
    }
    if (event.other_micro_batch >= 0) {
      args["backward_micro_batch"] = event.other_micro_batch;
      args["backward_chunk"] = event.other_chunk;
    }
    trace.slice({.row = {.process = event.stage, .thread = row},
                 .name = event_name(event, name_chunk),
                 .begin_us = event.begin * 1e6,
                 .duration_us = (event.end - event.begin) * 1e6,
                 .category = category(event.kind),
                 .args = std::move(args)});
  }
  for (std::size_t stage = 0; stage < timeline.stages.size(); ++stage) {
    const int process = static_cast<int>(stage);
    trace.name_process(process, fmt::format("stage {}", stage));
    trace.name_thread({.process = process, .thread = 0}, "compute");
    for (int lane = 0; lane < lanes[stage].size(); ++lane) {
      trace.name_thread({.process = process, .thread = 1 + lane}, "send");
    }
    const char* counter = view.held_bytes.empty() ? "activations, GiB" : "memory, GiB";
    trace.counter(process, counter, 0, held(view, stage) / kGib);
    for (const MemoryPoint& point : timeline.memory[stage]) {
      trace.counter(process, counter, point.time * 1e6, (point.bytes + held(view, stage)) / kGib);
    }
  }
  return trace;
}

Gantt to_gantt(const Timeline& timeline, const TimelineView& view) {
  check(timeline, view);
  const bool seconds = timeline.makespan >= 10;
  const double scale = seconds ? 1 : 1e3;
  Gantt gantt;
  gantt.title = view.title;
  gantt.subtitle = view.subtitle;
  gantt.x_label = seconds ? "time, s" : "time, ms";
  gantt.curve_label = view.held_bytes.empty() ? "activations, GiB" : "memory, GiB";
  for (std::size_t stage = 0; stage < timeline.stages.size(); ++stage) {
    gantt.row_labels.push_back(fmt::format("stage {}", stage));
  }
  const BarKinds kinds(timeline, gantt);
  for (const Event& event : timeline.events) {
    if (!BarKinds::is_shown(timeline, event)) continue;
    gantt.bars.push_back({.row = event.stage,
                          .begin = event.begin * scale,
                          .end = event.end * scale,
                          .kind = kinds.of(event),
                          .text = bar_text(event)});
  }
  for (const std::size_t stage : shown_stages(timeline, view)) {
    gantt.curves.push_back(memory_curve(timeline, view, stage, scale));
  }
  if (view.capacity_bytes > 0) {
    gantt.guides.push_back({.at = view.capacity_bytes / kGib, .text = "device memory"});
  }
  return gantt;
}

}  // namespace filigree::plan
