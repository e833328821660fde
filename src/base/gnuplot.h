#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/plot.h"

/// What the plots share: the child process and the words, legend and axes around a picture.
namespace filigree::gnuplot {

inline constexpr std::string_view kInk = "#24292F";
inline constexpr std::string_view kDim = "#5B6672";
inline constexpr std::string_view kAxis = "#AEB6BF";
inline constexpr std::string_view kGrid = "#E6E9ED";

inline constexpr int kMargin = 18;  // pixels around everything

/// Runs a script and returns what gnuplot writes to its output. Error where gnuplot is missing or fails.
std::string run(const std::string& script);

/// The format that the ending of a file's name asks for. Error for another ending than .png and .svg.
ImageFormat format_of(const std::filesystem::path& path);

/// Text as a gnuplot string that nothing in it can end or expand.
std::string quote(std::string_view text);

/// A number as gnuplot reads it in data; what is not finite leaves a gap.
std::string number(double value);

/// About how wide the text is at the size of tick labels, in pixels.
double text_pixels(std::string_view text);

/// The text, cut with "…" where it is wider than this.
std::string clipped(std::string_view text, double pixels);

/// Red, green and blue from 0 to 255.
using Rgb = std::array<double, 3>;

/// Reads "#rrggbb". Error for anything else.
Rgb parse_color(const std::string& color);

/// The colour of words that can be read on this one.
std::string_view ink_on(const Rgb& color);

struct LegendEntry {
  std::string name;
  std::string color;
  enum class Mark { box, line, dashes, point } mark = Mark::box;
};

/// A legend in lines from `y` on; moves `y` below it. The first line begins at `x`.
std::string legend_lines(const PlotFrame& frame, const std::vector<LegendEntry>& entries, double x, double& y);

/// Terminal, title, subtitle and legend. Sets `top` to the pixels they take. Error for a size that cannot be drawn.
std::string head(const PlotFrame& frame, ImageFormat format, const std::vector<LegendEntry>& legend, int& top);

/// A label at pixels from the left and the top; `style` has further words for gnuplot.
std::string label_at(const PlotFrame& frame, double x, double y, std::string_view text, std::string_view style);

/// Places of gnuplot's "screen" system, for pixels from the left and the top.
double screen_x(const PlotFrame& frame, double pixels);
double screen_y(const PlotFrame& frame, double pixels);

/// An axis with round ticks.
struct Axis {
  char name = 'x';
  double low = 0, high = 1;  // of the data; widened to be drawn
  AxisRange range = {};      // overrules
  bool log = false;
  bool to_ticks = true;  // widen to the next tick
  bool whole = false;    // all values are whole, and so shall be the ticks
  int num_ticks = 7;     // about
};

/// The edges of the plotted area, in pixels from the left and the top; a left edge below 0 leaves it to gnuplot.
std::string area(const PlotFrame& frame, double left, double top, double right, double bottom);

/// Range, ticks and their labels. Sets low and high to what is drawn.
std::string axis_lines(Axis& axis);

/// 1200000 as "1.2 M": short, for ticks (enhanced text), but with the digits that tell it from its neighbour `step` away.
std::string tick_label(double value, double step);

/// Three digits for a label in a bar: "1,830", "18.3", "0.02" (plain text).
std::string value_label(double value);

}  // namespace filigree::gnuplot
