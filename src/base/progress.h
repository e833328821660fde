#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

/// Progress of long work. A library reports to a ProgressSink* that may be null; the program decides what is shown.
namespace filigree {

/// Receives progress; must bear calls from several threads.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;

  /// `done` of `total` units of the work called `label` are done; total 0 where it is not known.
  virtual void update(std::int64_t done, std::int64_t total, std::string_view label) = 0;

  /// A few words on how the work goes ("loss 2.31"), shown with the next update.
  virtual void note(std::string_view) {}

  /// The work reported last has ended, finished or not.
  virtual void finish() {}
};

/// One piece of long work in a library; counts, tolerates a null sink and ends the report when it goes out of scope.
///
///     Progress progress(sink, layouts.size(), "layouts");
///     for (const Layout& layout : layouts) { …; progress.advance(); }
class Progress {
 public:
  Progress(ProgressSink* sink, std::int64_t total, std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Counts more units as done; may be called from several threads.
  void advance(std::int64_t count = 1);

 private:
  std::mutex mutex_;
  ProgressSink* sink_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  std::string label_;
};

/// How TerminalProgress shows itself; fields have what `for_stream` finds out.
struct TerminalStyle {
  bool is_terminal = false;
  int width = 80;                      // columns of the terminal
  double redraw_seconds = 0.1;         // least time between two drawings on a terminal
  double line_seconds = 10.0;          // least time between two lines elsewhere
  std::function<double()> clock = {};  // seconds from any start; the steady clock if not given

  static TerminalStyle for_stream(std::FILE* out);
};

/// Shows progress on a stream: a bar with rate and remaining time that redraws itself where the stream is a terminal, a
/// line now and then where it is not. What took long leaves one line behind; short work leaves none.
class TerminalProgress : public ProgressSink {
 public:
  explicit TerminalProgress(std::FILE* out);
  TerminalProgress(std::FILE* out, TerminalStyle style);
  ~TerminalProgress() override;

  void update(std::int64_t done, std::int64_t total, std::string_view label) override;
  void note(std::string_view words) override;
  void finish() override;

 private:
  void begin(std::string_view label, double now);
  void end(double now);
  void write(const std::string& text);
  std::string bar(double now) const;
  std::string status(double now) const;

  std::FILE* out_;
  TerminalStyle style_;
  std::mutex mutex_;
  std::string label_, note_;
  std::int64_t done_ = 0, total_ = 0;
  std::int64_t first_ = 0;  // done when it began: work that goes on did not do these now
  double begun_ = 0, shown_ = 0;
  bool active_ = false;   // between the first update of a label and its finish
  bool visible_ = false;  // something of this label has been shown
};

/// Seconds for people: "0.8 s", "12 s", "3 min 05 s", "2 h 07 min", "3 d 04 h".
std::string duration_text(double seconds);

}  // namespace filigree
