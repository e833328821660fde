#include "base/progress.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/table.h"
#include "base/text.h"

namespace filigree {
namespace {

constexpr double kWorthALine = 1.0;  // seconds; shorter work leaves no line behind
constexpr std::string_view kEraseLine = "\r\x1b[K";

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string rate_text(double per_second) {
  if (per_second >= 1e6) return fmt::format("{:.3g} M/s", per_second / 1e6);
  if (per_second >= 1000) return fmt::format("{:.3g} k/s", per_second / 1e3);
  if (per_second >= 1) return fmt::format("{:.3g}/s", per_second);
  return fmt::format("{} each", duration_text(1 / per_second));
}

/// A bar of `width` columns with eighths of a column.
std::string draw_bar(double share, int width) {
  constexpr std::string_view kParts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::clamp(share, 0.0, 1.0) * 8 * width);
  std::string out;
  for (int i = 0; i < eighths / 8; ++i) out += "█";
  out += kParts[eighths % 8];
  const int used = eighths / 8 + (eighths % 8 > 0 ? 1 : 0);
  for (int i = used; i < width; ++i) out += "·";
  return out;
}

/// As much of the text as `width` columns hold; a longer line would wrap and could not be erased.
std::string clip(std::string text, int width) {
  while (!text.empty() && display_width(text) > static_cast<std::size_t>(std::max(width, 0))) {
    while ((static_cast<unsigned char>(text.back()) & 0xC0) == 0x80 && text.size() > 1) text.pop_back();
    text.pop_back();
  }
  return text;
}

}  // namespace

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 59.5) return fmt::format("{:.0f} s", seconds);
  constexpr double kLongest = 1e9;
  const auto whole = static_cast<std::int64_t>(std::llround(std::min(seconds, kLongest)));
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {:02} h", whole / 86400, whole / 3600 % 24);
}

Progress::Progress(ProgressSink* sink, std::int64_t total, std::string label)
    : sink_(sink), total_(total), label_(std::move(label)) {
  if (sink_ != nullptr) sink_->update(0, total_, label_);
}

Progress::~Progress() {
  if (sink_ != nullptr) sink_->finish();
}

void Progress::advance(std::int64_t count) {
  if (sink_ == nullptr) return;
  const std::lock_guard lock(mutex_);
  done_ += count;
  sink_->update(done_, total_, label_);
}

TerminalStyle TerminalStyle::for_stream(std::FILE* out) {
  TerminalStyle style;
  const int descriptor = ::fileno(out);
  style.is_terminal = ::isatty(descriptor) == 1;
  winsize size{};
  if (style.is_terminal && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  return style;
}

TerminalProgress::TerminalProgress(std::FILE* out) : TerminalProgress(out, TerminalStyle::for_stream(out)) {}

TerminalProgress::TerminalProgress(std::FILE* out, TerminalStyle style) : out_(out), style_(std::move(style)) {
  if (!style_.clock) style_.clock = steady_seconds;
}

TerminalProgress::~TerminalProgress() { finish(); }

void TerminalProgress::update(std::int64_t done, std::int64_t total, std::string_view label) {
  const std::lock_guard lock(mutex_);
  const double now = style_.clock();
  if (!active_ || label != label_) {
    end(now);
    begin(label, now);
    first_ = done;
  }
  done_ = done;
  total_ = total;
  if (now - shown_ < (style_.is_terminal ? style_.redraw_seconds : style_.line_seconds)) return;
  write(style_.is_terminal ? fmt::format("{}{}", kEraseLine, bar(now)) : status(now) + "\n");
  shown_ = now;
  visible_ = true;
}

void TerminalProgress::finish() {
  const std::lock_guard lock(mutex_);
  end(style_.clock());
}

void TerminalProgress::begin(std::string_view label, double now) {
  label_ = label;
  begun_ = shown_ = now;
  active_ = true;
  visible_ = false;
}

void TerminalProgress::end(double now) {
  if (!active_) return;
  active_ = false;
  if (!visible_) return;
  std::string line(style_.is_terminal ? kEraseLine : "");
  if (now - begun_ >= kWorthALine) {
    const std::string of_total = total_ > 0 && done_ != total_ ? " of " + text::with_thousands(total_) : "";
    line += fmt::format("{}: {}{} in {}\n", label_, text::with_thousands(done_), of_total, duration_text(now - begun_));
  }
  write(line);
}

void TerminalProgress::write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

/// "  40 %  400/1,000  20/s  30 s left", as much of it as is known.
void TerminalProgress::note(std::string_view words) {
  const std::lock_guard lock(mutex_);
  note_ = words;
}

std::string TerminalProgress::status(double now) const {
  const double passed = now - begun_;
  const double rate = passed > 0 ? static_cast<double>(done_ - first_) / passed : 0;
  std::string out = label_;
  if (total_ > 0) {
    out += fmt::format("  {:3.0f} %  {}/{}", 100.0 * static_cast<double>(done_) / static_cast<double>(total_),
                       text::with_thousands(done_), text::with_thousands(total_));
  } else {
    out += "  " + text::with_thousands(done_);
  }
  if (rate > 0) out += "  " + rate_text(rate);
  if (rate > 0 && total_ > done_)
    out += fmt::format("  {} left", duration_text(static_cast<double>(total_ - done_) / rate));
  if (!note_.empty()) out += "  " + note_;
  return out;
}

std::string TerminalProgress::bar(double now) const {
  constexpr int kShortest = 8, kLongest = 40;
  const std::string words = status(now);
  const int free_columns = style_.width - static_cast<int>(display_width(words)) - 3;
  if (total_ <= 0 || free_columns < kShortest) return clip(words, style_.width - 1);
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  return fmt::format("{}  {}", draw_bar(share, std::min(free_columns, kLongest)), words);
}

}  // namespace filigree
