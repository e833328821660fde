#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/gnuplot.h"
#include "base/plot.h"

namespace filigree {
namespace {

using gnuplot::kDim, gnuplot::kInk, gnuplot::kMargin, gnuplot::number, gnuplot::quote;

constexpr double kBarHeight = 0.64;  // of a row

void check(const BarChart& chart) {
  if (chart.rows.empty()) fail("the bar chart '{}' has no bars to draw", chart.title);
  for (const BarKind& kind : chart.kinds) {
    if (!kind.color.empty()) gnuplot::parse_color(kind.color);
  }
  for (const BarChart::Row& row : chart.rows) {
    FILIGREE_ASSERT(row.parts.size() == chart.kinds.size() && std::isfinite(row.begin));
    for (const double part : row.parts) FILIGREE_ASSERT(std::isfinite(part) && part >= 0);
  }
}

double end_of(const BarChart::Row& row) {
  double end = row.begin;
  for (const double part : row.parts) end += part;
  return end;
}

struct Geometry {
  double left = 0, top = 0, right = 0, bottom = 0;  // pixels
  gnuplot::Axis axis;
  double per_pixel() const { return (axis.high - axis.low) / (right - left); }
};

std::string color_of(const BarChart& chart, std::size_t kind) {
  return chart.kinds[kind].color.empty() ? palette_color(kind) : chart.kinds[kind].color;
}

/// The bars' data, one block for each kind, and the words in and behind them.
std::string bars_and_texts(const BarChart& chart, const Geometry& geometry) {
  std::vector<std::string> blocks(chart.kinds.size());
  std::string texts;
  for (std::size_t r = 0; r < chart.rows.size(); ++r) {
    double at = chart.rows[r].begin;
    for (std::size_t k = 0; k < chart.kinds.size(); ++k) {
      const double part = chart.rows[r].parts[k];
      if (part == 0) continue;
      blocks[k] += fmt::format("{} {} {}\n", at, at + part, r);
      const std::string value = gnuplot::value_label(part);
      if (chart.part_values && gnuplot::text_pixels(value) + 8 < part / geometry.per_pixel()) {
        texts += fmt::format("set label {} at first {},{} center front noenhanced tc rgb '{}'\n", quote(value),
                             number(at + part / 2), r, gnuplot::ink_on(gnuplot::parse_color(color_of(chart, k))));
      }
      at += part;
    }
    if (chart.rows[r].text.empty()) continue;
    texts += fmt::format("set label {} at first {},{} left offset char 0.7,0 front noenhanced tc rgb '{}'\n",
                         quote(chart.rows[r].text), number(at), r, kInk);
  }
  std::string out;
  for (std::size_t k = 0; k < blocks.size(); ++k) out += fmt::format("$k{} << EOD\n{}EOD\n", k, blocks[k]);
  return out + texts;
}

std::string row_tics(const BarChart& chart, double room) {
  std::string out = "set ytics (";
  for (std::size_t r = 0; r < chart.rows.size(); ++r) {
    out += fmt::format("{}{} {}", r > 0 ? "," : "", quote(gnuplot::clipped(chart.rows[r].label, room)), r);
  }
  return out + fmt::format(") noenhanced tc rgb '{}'\n", kInk);
}

/// Room for labels at the left and for texts behind the bars at the right.
Geometry lay_out(const BarChart& chart, double top) {
  constexpr double kLongestLabel = 300, kLongestText = 260;
  double label = 0, text = 0, low = 0, high = 0;
  for (const BarChart::Row& row : chart.rows) {
    label = std::max(label, gnuplot::text_pixels(row.label));
    text = std::max(text, gnuplot::text_pixels(row.text));
    low = std::min(low, row.begin);
    high = std::max(high, end_of(row));
  }
  Geometry geometry;
  geometry.left = kMargin + std::min(label, kLongestLabel) + 10;
  geometry.right = chart.width - 2.0 * kMargin - std::min(text, kLongestText);
  geometry.top = top;
  geometry.bottom = chart.height - (chart.x_label.empty() ? 38 : 58);
  geometry.axis = {
      .name = 'x', .low = low, .high = high, .range = chart.x_range, .to_ticks = false, .num_ticks = chart.width / 130};
  return geometry;
}

std::string script(const BarChart& given, ImageFormat format) {
  constexpr int kRow = 36;
  check(given);
  BarChart chart = given;
  std::vector<gnuplot::LegendEntry> legend;
  for (std::size_t k = 0; k < chart.kinds.size() && chart.kinds.size() > 1; ++k) {
    if (!chart.kinds[k].name.empty()) legend.push_back({chart.kinds[k].name, color_of(chart, k)});
  }
  if (chart.height == 0) chart.height = static_cast<int>(std::min<std::size_t>(chart.rows.size(), 200)) * kRow + 170;
  int top = 0;
  std::string out = gnuplot::head(chart, format, legend, top);
  Geometry geometry = lay_out(chart, top + 10);
  out += gnuplot::area(chart, geometry.left, geometry.top, geometry.right, geometry.bottom);
  out += gnuplot::axis_lines(geometry.axis) + row_tics(chart, geometry.left - kMargin - 9);
  out += fmt::format("set yrange [{}:-0.5]\nset grid noytics\n", static_cast<double>(chart.rows.size()) - 0.5);
  if (!chart.x_label.empty()) {
    out += gnuplot::label_at(chart, (geometry.left + geometry.right) / 2, chart.height - 18, chart.x_label,
                             fmt::format("center tc rgb '{}'", kDim));
  }
  out += bars_and_texts(chart, geometry);
  std::string command;
  for (std::size_t k = 0; k < chart.kinds.size(); ++k) {
    // A kind that no row has is left out: gnuplot refuses an empty block.
    if (std::all_of(chart.rows.begin(), chart.rows.end(), [k](const auto& row) { return row.parts[k] == 0; })) continue;
    command += fmt::format(
        "{0}$k{1} using (($1+$2)/2):3:1:2:($3-{2}):($3+{2}) with boxxyerror lc rgb '{3}' lw 0.8 fs solid 1 border lc "
        "rgb '#FFFFFF'",
        command.empty() ? "plot " : ", ", k, kBarHeight / 2, color_of(chart, k));
  }
  return out + (command.empty() ? "plot NaN" : command) + "\n";
}

}  // namespace

std::string draw(const BarChart& chart, ImageFormat format) { return gnuplot::run(script(chart, format)); }

void render(const BarChart& chart, const std::filesystem::path& path) {
  write_file(path, draw(chart, gnuplot::format_of(path)));
}

BarChart to_bar_chart(const Waterfall& waterfall) {
  BarChart chart;
  static_cast<PlotFrame&>(chart) = waterfall;
  chart.x_label = waterfall.x_label;
  const std::string good = "#009E73", bad = "#D55E00";
  chart.kinds = {{"", "#5B6B7B"},
                 {"less", waterfall.less_is_better ? good : bad},
                 {"more", waterfall.less_is_better ? bad : good}};
  double value = waterfall.start;
  FILIGREE_ASSERT(value >= 0);
  chart.rows.push_back({waterfall.start_label, {value, 0, 0}, gnuplot::value_label(value)});
  for (const Waterfall::Step& step : waterfall.steps) {
    const double next = value + step.change;
    FILIGREE_ASSERT(std::isfinite(next) && next >= 0);
    const double less = std::max(-step.change, 0.0), more = std::max(step.change, 0.0);
    std::string text = (step.change < 0 ? "−" : "+") + gnuplot::value_label(std::abs(step.change));
    if (waterfall.start > 0) {
      const double percent = 100 * step.change / waterfall.start;
      text += fmt::format("  ({}{:.1f} %)", percent < 0 ? "−" : "+", std::abs(percent));
    }
    chart.rows.push_back({step.label, {0, less, more}, text, std::min(value, next)});
    value = next;
  }
  chart.rows.push_back({waterfall.end_label, {value, 0, 0}, gnuplot::value_label(value)});
  return chart;
}

void render(const Waterfall& waterfall, const std::filesystem::path& path) { render(to_bar_chart(waterfall), path); }

}  // namespace filigree
