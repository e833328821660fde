#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/json.h"

/// Timelines in the Chrome trace event format, which Perfetto (ui.perfetto.dev) and chrome://tracing open.
namespace filigree {

/// Where a slice stands: a process (group of rows) and a thread (row) in it. Numbers are free to choose.
struct TraceRow {
  int process = 0;
  int thread = 0;
};

/// One bar of the timeline.
struct TraceSlice {
  TraceRow row;
  std::string_view name;
  double begin_us = 0;
  double duration_us = 0;
  std::string_view category = {};
  Json args = {};  // object shown when the slice is selected; may be left out
};

/// Collects events as text; events may come in any order.
///
///     Trace trace;
///     trace.name_process(0, "stage 0");
///     trace.name_thread({0, 1}, "compute");
///     trace.slice({.row = {0, 1}, .name = "F0", .begin_us = 0, .duration_us = 12.5});
///     trace.counter(0, "memory GiB", 12.5, 40.2);
///     trace.write("plan.trace.json");
class Trace {
 public:
  /// Titles; rows are sorted by their numbers.
  void name_process(int process, std::string_view name);
  void name_thread(TraceRow row, std::string_view name);

  /// Times are finite, a duration is not negative.
  void slice(const TraceSlice& slice);

  /// The value that a curve of a process has from this time on.
  void counter(int process, std::string_view name, double time_us, double value);

  /// An arrow from a slice that covers `begin_us` on one row to a slice that covers `end_us` on another.
  void arrow(TraceRow from, double begin_us, TraceRow to, double end_us);

  std::size_t num_events() const { return num_events_; }

  /// The whole file as JSON, one event a line.
  std::string text() const;

  /// Writes the file. Error where the place cannot be written.
  void write(const std::filesystem::path& path) const;

 private:
  void event(std::string_view body);
  void metadata(TraceRow row, std::string_view what, std::string_view name);

  std::string events_;
  std::size_t num_events_ = 0;
  std::size_t num_arrows_ = 0;
};

}  // namespace filigree
