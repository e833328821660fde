#include "base/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/gnuplot.h"

namespace filigree {

namespace {

constexpr std::array<const char*, 8> kPalette{"#0072B2", "#D55E00", "#009E73", "#E69F00",
                                              "#CC79A7", "#56B4E9", "#6B7280", "#B5A100"};

}  // namespace

std::string palette_color(std::size_t index) { return kPalette[index % kPalette.size()]; }

namespace {

using gnuplot::kDim, gnuplot::kInk, gnuplot::number, gnuplot::quote;

void check(const Plot& plot) {
  for (const Series& series : plot.series) {
    FILIGREE_ASSERT(series.x.size() == series.y.size());
    FILIGREE_ASSERT(series.low.size() == series.high.size());
    FILIGREE_ASSERT(series.low.empty() || series.low.size() == series.x.size());
    if (!series.color.empty()) gnuplot::parse_color(series.color);
    FILIGREE_ASSERT(series.point_labels.empty() || series.point_labels.size() == series.x.size());
  }
}

/// The range of what one axis shows.
class Extent {
 public:
  explicit Extent(bool log) : log_(log) {}
  bool shows(double value) const { return std::isfinite(value) && (!log_ || value > 0); }
  void add(double value) {
    if (!shows(value)) return;
    whole = whole && value == std::nearbyint(value);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  bool whole = true;

 private:
  bool log_;
};

bool is_bars(const Series& series) { return series.style == SeriesStyle::bars; }

/// Width of a group of bars: most of the least distance between two of their places.
double bar_group_width(const Plot& plot) {
  std::vector<double> places;
  for (const Series& series : plot.series) {
    if (is_bars(series)) places.insert(places.end(), series.x.begin(), series.x.end());
  }
  std::sort(places.begin(), places.end());
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 1; i < places.size(); ++i) {
    if (places[i] > places[i - 1]) least = std::min(least, places[i] - places[i - 1]);
  }
  return std::isfinite(least) ? 0.76 * least : 0.76;
}

/// Finds the extents of both axes. Error where nothing can be drawn.
void measure(const Plot& plot, gnuplot::Axis& x_axis, gnuplot::Axis& y_axis) {
  Extent x(plot.log_x), y(plot.log_y);
  bool from_zero = false;
  const double bar_room = bar_group_width(plot) / 2;
  for (const Series& series : plot.series) {
    const double room = is_bars(series) && !plot.log_x ? bar_room : 0;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!x.shows(series.x[i]) || !y.shows(series.y[i])) continue;
      x.add(series.x[i] - room);
      x.add(series.x[i] + room);
      y.add(series.y[i]);
      if (!series.low.empty()) y.add(series.low[i]), y.add(series.high[i]);
    }
    from_zero = from_zero || is_bars(series);
  }
  if (x.empty() || y.empty()) {
    fail("the plot '{}' has no points to draw{}", plot.title,
         plot.log_x || plot.log_y ? "; a logarithmic axis shows only values above 0" : "");
  }
  for (const GuideLine& guide : plot.guides) (guide.vertical ? x : y).add(guide.at);
  for (const Annotation& note : plot.annotations) x.add(note.x), y.add(note.y);
  // A base of zero keeps lengths honest where it costs little room.
  if (!plot.log_y && y.low > 0 && (from_zero || y.low < y.high / 2)) y.low = 0;
  if (!plot.log_y && y.high < 0 && from_zero) y.high = 0;
  if (!plot.log_x && x.low > 0 && x.low < x.high / 10) x.low = 0;
  x_axis = {.name = 'x', .low = x.low, .high = x.high, .range = plot.x_range, .log = plot.log_x, .to_ticks = false};
  y_axis = {.name = 'y', .low = y.low, .high = y.high, .range = plot.y_range, .log = plot.log_y, .num_ticks = 6};
  x_axis.whole = x.whole;
  y_axis.whole = y.whole;
  x_axis.num_ticks = std::max(2, plot.width / 110);
  y_axis.num_ticks = std::max(2, plot.height / 85);
}

std::string category_tics(const Plot& plot) {
  std::string out = fmt::format("set xrange [-0.6:{}]\nset grid noxtics\nset xtics (",
                                static_cast<double>(plot.categories.size()) - 0.4);
  const double room = static_cast<double>(plot.width) / static_cast<double>(plot.categories.size()) - 6;
  for (std::size_t i = 0; i < plot.categories.size(); ++i) {
    out += fmt::format("{}{} {}", i > 0 ? "," : "", quote(gnuplot::clipped(plot.categories[i], room)), i);
  }
  return out + ") noenhanced\n";
}

std::string data_block(std::size_t index, const Series& series, double shift) {
  std::string out = fmt::format("$d{} << EOD\n", index);
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    out += number(series.x[i] + shift) + ' ' + number(series.y[i]);
    if (!series.low.empty()) out += ' ' + number(series.low[i]) + ' ' + number(series.high[i]);
    out += '\n';
  }
  return out + "EOD\n";
}

/// One or two elements of the plot command.
std::vector<std::string> plot_elements(std::size_t index, const Series& series, const std::string& color) {
  const std::string data = fmt::format("$d{} using 1:2", index);
  const std::string dash = series.dashed ? " dt (6,4)" : "";
  std::vector<std::string> out;
  if (!series.low.empty()) {
    out.push_back(
        fmt::format("$d{} using 1:3:4 with filledcurves fs transparent solid 0.18 noborder lc rgb '{}'", index, color));
  }
  switch (series.style) {
    case SeriesStyle::line:
      out.push_back(fmt::format("{} with lines lw 2 lc rgb '{}'{}", data, color, dash));
      break;
    case SeriesStyle::line_points:
      out.push_back(fmt::format("{} with lines lw 2 lc rgb '{}'{}", data, color, dash));
      out.push_back(fmt::format("{} with points pt 7 ps 0.62 lc rgb '{}'", data, color));
      break;
    case SeriesStyle::points:
      out.push_back(fmt::format("{} with points pt 7 ps 0.68 lc rgb '{}'", data, color));
      break;
    case SeriesStyle::steps:
      out.push_back(fmt::format("{} with steps lw 2 lc rgb '{}'{}", data, color, dash));
      break;
    case SeriesStyle::bars:
      out.push_back(fmt::format("{} with boxes fs solid 1 noborder lc rgb '{}'", data, color));
      break;
  }
  return out;
}

std::string notes(const Plot& plot, const gnuplot::Axis& x_axis) {
  std::string out;
  for (const GuideLine& guide : plot.guides) {
    const std::string at = number(guide.at);
    const std::string ends = guide.vertical ? fmt::format("{0}, graph 0 to {0}, graph 1", at)
                                            : fmt::format("graph 0, first {0} to graph 1, first {0}", at);
    out += fmt::format("set arrow from {}{} nohead front lw 1.2 dt (10,7) lc rgb '{}'\n",
                       guide.vertical ? "first " : "", ends, kDim);
    if (guide.text.empty()) continue;
    const std::string place = guide.vertical ? fmt::format("first {}, graph 0.97 left offset char 0.6,0", at)
                                             : fmt::format("graph 1, first {} right offset char -0.3,0.6", at);
    out += fmt::format("set label {} at {} noenhanced front tc rgb '{}'\n", quote(guide.text), place, kDim);
  }
  const auto label = [&](double x, double y, const std::string& text, std::string_view color) {
    if (text.empty() || !std::isfinite(x) || !std::isfinite(y)) return;
    // Near the right edge the words stand to the left of the point.
    const double share = x_axis.log ? std::log(x / x_axis.low) / std::log(x_axis.high / x_axis.low)
                                    : (x - x_axis.low) / (x_axis.high - x_axis.low);
    const bool leftwards = share * plot.width + gnuplot::text_pixels(text) > plot.width - 40;
    out += fmt::format("set label {} at first {},{} {} offset char {},0.55 noenhanced front tc rgb '{}'\n", quote(text),
                       number(x), number(y), leftwards ? "right" : "left", leftwards ? -0.5 : 0.5, color);
  };
  for (const Annotation& note : plot.annotations) label(note.x, note.y, note.text, kInk);
  for (const Series& series : plot.series) {
    for (std::size_t i = 0; i < series.point_labels.size(); ++i)
      label(series.x[i], series.y[i], series.point_labels[i], kDim);
  }
  return out;
}

gnuplot::LegendEntry legend_entry(const Series& series, const std::string& color) {
  using Mark = gnuplot::LegendEntry::Mark;
  if (is_bars(series)) return {series.name, color, Mark::box};
  if (series.style == SeriesStyle::points) return {series.name, color, Mark::point};
  return {series.name, color, series.dashed ? Mark::dashes : Mark::line};
}

/// Everything but the data: words, legend, edges and axes.
std::string surroundings(const Plot& plot, ImageFormat format, const std::vector<std::string>& colors) {
  gnuplot::Axis x_axis, y_axis;
  measure(plot, x_axis, y_axis);
  std::vector<gnuplot::LegendEntry> legend;
  for (std::size_t i = 0; i < plot.series.size() && plot.series.size() > 1; ++i) {
    if (!plot.series[i].name.empty()) legend.push_back(legend_entry(plot.series[i], colors[i]));
  }
  int top = 0;
  std::string out = gnuplot::head(plot, format, legend, top);
  if (!plot.y_label.empty()) {
    out += gnuplot::label_at(plot, gnuplot::kMargin, top + 8, plot.y_label, fmt::format("left tc rgb '{}'", kDim));
    top += 22;
  }
  const int bottom = plot.height - (plot.x_label.empty() ? 38 : 58);
  out += gnuplot::area(plot, -1, top + 6, plot.width - 2 * gnuplot::kMargin, bottom);
  if (!plot.x_label.empty()) {
    out += gnuplot::label_at(plot, plot.width / 2.0, plot.height - 18, plot.x_label,
                             fmt::format("center tc rgb '{}'", kDim));
  }
  out += plot.categories.empty() ? gnuplot::axis_lines(x_axis) : category_tics(plot);
  return out + gnuplot::axis_lines(y_axis) + notes(plot, x_axis);
}

std::string script(const Plot& given, ImageFormat format) {
  constexpr int kHeight = 520;
  Plot plot = given;
  if (plot.height == 0) plot.height = kHeight;
  check(plot);
  std::vector<std::string> colors;
  for (Series& series : plot.series) {
    // The second time round the palette dashes tell two curves of one colour apart.
    if (series.color.empty() && colors.size() / kPalette.size() % 2 == 1) series.dashed = !series.dashed;
    colors.push_back(series.color.empty() ? palette_color(colors.size()) : series.color);
  }
  std::string out = surroundings(plot, format, colors);
  const auto num_bars = static_cast<double>(std::count_if(plot.series.begin(), plot.series.end(), is_bars));
  const double group = bar_group_width(plot), width = group / std::max(num_bars, 1.0);
  if (num_bars > 0) out += fmt::format("set boxwidth {} absolute\n", number(width * (num_bars > 1 ? 0.94 : 1)));
  std::string command;
  double bar = 0;
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const double shift = is_bars(plot.series[i]) ? width * (bar++ + 0.5) - group / 2 : 0;
    out += data_block(i, plot.series[i], shift);
    for (const std::string& element : plot_elements(i, plot.series[i], colors[i])) {
      command += (command.empty() ? "plot " : ", ") + element;
    }
  }
  return out + command + "\n";
}

}  // namespace

std::string draw(const Plot& plot, ImageFormat format) { return gnuplot::run(script(plot, format)); }

void render(const Plot& plot, const std::filesystem::path& path) {
  write_file(path, draw(plot, gnuplot::format_of(path)));
}

}  // namespace filigree
