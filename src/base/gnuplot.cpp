#include "base/gnuplot.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/table.h"
#include "base/text.h"

namespace filigree::gnuplot {
namespace {

/// The text, cut with an ellipsis where it would not fit into so many pixels. A character takes about 7.4 of them.
std::string cut_to_width(const std::string& text, int pixels) {
  const std::size_t most = static_cast<std::size_t>(std::max(8.0, pixels / 7.4));
  if (text.size() <= most) return text;
  std::size_t end = most - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;  // not inside a character
  return text.substr(0, end) + "…";
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using TemporaryFile = std::unique_ptr<std::FILE, CloseFile>;

TemporaryFile temporary_file() {
  TemporaryFile file(std::tmpfile());
  if (!file) fail("no temporary file can be made for gnuplot ({})", std::strerror(errno));
  return file;
}

std::string content(std::FILE* file) {
  std::string out;
  std::array<char, 65536> buffer{};
  std::rewind(file);
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file)) out.append(buffer.data(), count);
  return out;
}

/// The last thing gnuplot said: of "\"/dev/stdin\" line 3: undefined variable: x" the words behind the line number.
std::string complaint(const std::string& messages) {
  std::string_view last;
  const std::vector<std::string> lines = text::split(messages, '\n');
  for (const std::string& line : lines) {
    if (!text::trim(line).empty()) last = text::trim(line);
  }
  const std::size_t colon = last.starts_with("\"/dev/stdin\" line ") ? last.find(": ") : std::string_view::npos;
  return std::string(colon == std::string_view::npos ? last : last.substr(colon + 2));
}

}  // namespace

// The script and both outputs are temporary files rather than pipes, so that neither side can wait for the other.
std::string run(const std::string& script) {
  const TemporaryFile in = temporary_file(), out = temporary_file(), messages = temporary_file();
  if (std::fwrite(script.data(), 1, script.size(), in.get()) != script.size() || std::fflush(in.get()) != 0) {
    fail("the script for gnuplot cannot be written ({})", std::strerror(errno));
  }
  std::rewind(in.get());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(in.get()), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(out.get()), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, ::fileno(messages.get()), STDERR_FILENO);
  // -d: no start-up file of the user. Its standard input gnuplot would read byte by byte, a file it reads in blocks.
  char program[] = "gnuplot", defaults[] = "-d", input[] = "/dev/stdin";
  char* const arguments[] = {program, defaults, input, nullptr};
  pid_t child = 0;
  const int failure = ::posix_spawnp(&child, program, &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT) fail("gnuplot, which draws the plots, was not found; install the package gnuplot-nox");
  if (failure != 0) fail("gnuplot, which draws the plots, cannot be started ({})", std::strerror(failure));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFSIGNALED(status)) fail("gnuplot was ended by signal {} before the plot was drawn", WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) fail("gnuplot could not draw the plot: {}", complaint(content(messages.get())));
  std::string picture = content(out.get());
  if (picture.empty()) fail("gnuplot drew nothing: {}", complaint(content(messages.get())));
  return picture;
}

ImageFormat format_of(const std::filesystem::path& path) {
  const std::string ending = text::lower(path.extension().string());
  if (ending == ".png") return ImageFormat::png;
  if (ending == ".svg") return ImageFormat::svg;
  fail("{}: is not the name of a plot; expected a file that ends in .png or .svg", path.string());
}

// Single quotes: in double ones gnuplot runs what stands in backquotes.
std::string quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "''";
    } else if (c == '\n') {
      out += "'.\"\\n\".'";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out + "'";
}

std::string number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "NaN"; }

double text_pixels(std::string_view text) {
  // Widths of Liberation Sans (and Arial) in thousandths of the font size, for characters from the blank to '~'.
  constexpr std::array<int, 95> kWidths{278,  278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
                                        556,  556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
                                        1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
                                        667,  778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
                                        333,  556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
                                        556,  556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584};
  constexpr double kOther = 650, kFontPixels = 14.2;
  double width = 0;
  std::string other;
  for (const char c : text) {
    if (c >= ' ' && c <= '~')
      width += kWidths[static_cast<std::size_t>(c - ' ')];
    else
      other += c;
  }
  return (width + kOther * static_cast<double>(display_width(other))) / 1000 * kFontPixels;
}

std::string clipped(std::string_view text, double pixels) {
  if (text_pixels(text) <= pixels) return std::string(text);
  while (!text.empty() && text_pixels(text) + text_pixels("…") > pixels) {
    while (text.size() > 1 && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.remove_suffix(1);
    text.remove_suffix(1);
  }
  return std::string(text) + "…";
}

Rgb parse_color(const std::string& color) {
  const auto digit = [&](std::size_t at) {
    return std::string_view("0123456789abcdef").find(text::lower(color.substr(at, 1)));
  };
  bool valid = color.size() == 7 && color.front() == '#';
  for (std::size_t i = 1; valid && i < 7; ++i) valid = digit(i) != std::string_view::npos;
  if (!valid) fail("'{}' is not a colour; expected '#' and six hexadecimal digits", color);
  Rgb out{};
  for (std::size_t i = 0; i < 3; ++i) out[i] = static_cast<double>(digit(1 + 2 * i) * 16 + digit(2 + 2 * i));
  return out;
}

std::string_view ink_on(const Rgb& color) {
  return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] < 150 ? "#FFFFFF" : kInk;
}

double screen_x(const PlotFrame& frame, double pixels) { return pixels / frame.width; }

double screen_y(const PlotFrame& frame, double pixels) { return 1 - pixels / frame.height; }

std::string label_at(const PlotFrame& frame, double x, double y, std::string_view text, std::string_view style) {
  return fmt::format("set label {} at screen {:.5f},{:.5f} noenhanced {}\n", quote(text), screen_x(frame, x),
                     screen_y(frame, y), style);
}

namespace {

constexpr double kSwatch = 14;  // width of a mark in the legend, pixels

std::string terminal(const PlotFrame& frame, ImageFormat format) {
  std::string out = "set encoding utf8\n";
  if (format == ImageFormat::png) {
    out += fmt::format(
        "set terminal pngcairo size {},{} font 'Liberation Sans,10.5' fontscale 2 linewidth 2 pointscale 2 enhanced "
        "background rgb '#FFFFFF'\n",
        2 * frame.width, 2 * frame.height);
  } else {
    out += fmt::format("set terminal svg size {},{} dynamic font 'Arial,14' enhanced background rgb '#FFFFFF'\n",
                       frame.width, frame.height);
  }
  out += fmt::format(
      "set border 1 lc rgb '{}' lw 1\nset tics nomirror scale 0 textcolor rgb '{}'\nset grid lt 1 lc rgb '{}' lw 0.8\n",
      kAxis, kDim, kGrid);
  return out + "unset key\n";
}

std::string legend_entry(const PlotFrame& frame, const LegendEntry& entry, double x, double y) {
  using Mark = LegendEntry::Mark;
  const double left = screen_x(frame, x), right = screen_x(frame, x + kSwatch);
  std::string out;
  if (entry.mark == Mark::box) {
    out = fmt::format(
        "set object rectangle from screen {:.5f},{:.5f} to screen {:.5f},{:.5f} fc rgb '{}' fs solid 1 noborder "
        "front\n",
        left, screen_y(frame, y + 6), right, screen_y(frame, y - 6), entry.color);
  } else if (entry.mark == Mark::point) {
    out = label_at(frame, x + kSwatch / 2, y, "●", fmt::format("center tc rgb '{}'", entry.color));
  } else {
    out = fmt::format("set arrow from screen {:.5f},{:.5f} to screen {:.5f},{:.5f} nohead lc rgb '{}' lw 2.5{}\n", left,
                      screen_y(frame, y), right, screen_y(frame, y), entry.color,
                      entry.mark == Mark::dashes ? " dt (4,2)" : "");
  }
  return out + label_at(frame, x + kSwatch + 6, y, entry.name, fmt::format("left tc rgb '{}'", kInk));
}

}  // namespace

std::string legend_lines(const PlotFrame& frame, const std::vector<LegendEntry>& entries, double x, double& y) {
  constexpr double kLine = 22, kGaps = 28;
  std::string out;
  for (const LegendEntry& entry : entries) {
    const double width = text_pixels(entry.name) + kSwatch + kGaps;
    if (x > kMargin && x + width > frame.width) {
      x = kMargin;
      y += kLine;
    }
    out += legend_entry(frame, entry, x, y);
    x += width;
  }
  y += kLine;
  return out;
}

std::string head(const PlotFrame& frame, ImageFormat format, const std::vector<LegendEntry>& legend, int& top) {
  constexpr int kTitleLine = 26, kSubtitleLine = 20, kSmallest = 100, kLargest = 10000;
  if (std::min(frame.width, frame.height) < kSmallest || std::max(frame.width, frame.height) > kLargest) {
    fail("a plot of {} x {} pixels cannot be drawn; width and height must be between {} and {}", frame.width,
         frame.height, kSmallest, kLargest);
  }
  std::string out = terminal(frame, format);
  const std::string font = format == ImageFormat::png ? "Liberation Sans:Bold,14" : "Arial:Bold,18.7";
  top = kMargin;
  if (!frame.title.empty()) {
    out += label_at(frame, kMargin, top + 8, frame.title, fmt::format("left font '{}' tc rgb '{}'", font, kInk));
    top += kTitleLine;
  }
  if (!frame.subtitle.empty()) {
    out += label_at(frame, kMargin, top + 6, cut_to_width(frame.subtitle, frame.width - 2 * kMargin),
                    fmt::format("left tc rgb '{}'", kDim));
    top += kSubtitleLine;
  }
  if (!legend.empty()) {
    double y = top + 12;
    out += legend_lines(frame, legend, kMargin, y);
    top = static_cast<int>(y) - 8;
  }
  return out;
}

std::string area(const PlotFrame& frame, double left, double top, double right, double bottom) {
  std::string out =
      fmt::format("set tmargin at screen {:.5f}\nset rmargin at screen {:.5f}\nset bmargin at screen {:.5f}\n",
                  screen_y(frame, top), screen_x(frame, right), screen_y(frame, bottom));
  if (left >= 0) out += fmt::format("set lmargin at screen {:.5f}\n", screen_x(frame, left));
  return out;
}

std::string tick_label(double value, double step) {
  struct Prefix {
    double scale;
    const char* name;
  };
  constexpr std::array<Prefix, 4> kPrefixes{{{1e15, " P"}, {1e12, " T"}, {1e9, " G"}, {1e6, " M"}}};
  const double size = std::abs(value);
  if (size == 0) return "0";
  const int digits = step > 0 ? std::clamp(static_cast<int>(std::ceil(std::log10(size / step))) + 2, 3, 15) : 4;
  if (size < 0.999e-3 || size >= 1e18) {
    const double exponent = std::floor(std::log10(size) + 1e-9);
    const double mantissa = value / std::pow(10.0, exponent);
    const std::string power = fmt::format("10^{{{:.0f}}}", exponent);
    return std::abs(mantissa - 1) < 1e-9 ? power : fmt::format("{:.{}g}×{}", mantissa, digits, power);
  }
  for (const Prefix& prefix : kPrefixes) {
    if (size >= prefix.scale) return fmt::format("{:.{}g}{}", value / prefix.scale, digits, prefix.name);
  }
  const double whole = std::nearbyint(value);
  if (size >= 1e3 && std::abs(value - whole) < 1e-9 * size)
    return text::with_thousands(static_cast<std::int64_t>(whole));
  return fmt::format("{:.{}g}", value, digits);
}

std::string value_label(double value) {
  const double size = std::abs(value);
  if (size >= 99.95 && size < 1e9) return text::with_thousands(std::llround(value));
  return fmt::format("{:.3g}", value);
}

namespace {

/// Powers of ten and, where these would be few, 2 and 5 times them.
std::vector<double> log_ticks(double low, double high) {
  const double decades = std::log10(high / low);
  const double stride = std::max(1.0, std::ceil(decades / 8));
  std::vector<double> ticks;
  for (double power = std::floor(std::log10(low) / stride) * stride; power <= std::ceil(std::log10(high));
       power += stride) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && decades > 3) continue;
      const double tick = factor * std::pow(10.0, power);
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push_back(tick);
    }
  }
  return ticks;
}

double round_step(double span, int num_ticks) {
  const double rough = span / std::max(num_ticks, 1);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (factor * power >= rough * 0.999) return factor * power;
  }
  return 10 * power;
}

std::vector<double> linear_ticks(Axis& axis) {
  if (!(axis.high > axis.low)) {
    const double room = axis.low == 0 ? 1 : std::abs(axis.low) * 0.5;
    axis.low -= axis.range.low ? 0 : room;
    axis.high = axis.low + 2 * room;
  }
  double step = round_step(axis.high - axis.low, axis.num_ticks);
  if (axis.whole && step != std::nearbyint(step) && step < 10) step = step < 1 ? 1 : 5;
  if (axis.to_ticks && !axis.range.low) axis.low = std::floor(axis.low / step + 1e-9) * step;
  if (axis.to_ticks && !axis.range.high) axis.high = std::ceil(axis.high / step - 1e-9) * step;
  std::vector<double> ticks;
  for (double index = std::ceil(axis.low / step - 1e-6); index * step <= axis.high + step * 1e-6; ++index) {
    ticks.push_back(index == 0 ? 0 : index * step);
  }
  return ticks;
}

}  // namespace

std::string axis_lines(Axis& axis) {
  if (axis.range.low) axis.low = *axis.range.low;
  if (axis.range.high) axis.high = *axis.range.high;
  std::vector<double> ticks;
  if (axis.log) {
    constexpr double kRoom = 1.15;
    if (!axis.range.low) axis.low /= kRoom;
    if (!axis.range.high) axis.high *= kRoom;
    if (!(axis.high > axis.low)) axis.high = axis.low * 10;
    ticks = log_ticks(axis.low, axis.high);
  } else {
    ticks = linear_ticks(axis);
  }
  const double step = !axis.log && ticks.size() > 1 ? ticks[1] - ticks[0] : 0;
  std::string out = axis.log ? fmt::format("set logscale {}\n", axis.name) : "";
  out += fmt::format("set {}range [{}:{}]\nset {}tics (", axis.name, number(axis.low), number(axis.high), axis.name);
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    out += fmt::format("{}{} {}", i > 0 ? "," : "", quote(tick_label(ticks[i], step)), number(ticks[i]));
  }
  return out + ")\n";
}

}  // namespace filigree::gnuplot
