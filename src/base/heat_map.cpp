#include "base/heat_map.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/gnuplot.h"

namespace filigree {
namespace {

using gnuplot::kDim, gnuplot::kInk, gnuplot::kMargin, gnuplot::number, gnuplot::quote;

constexpr double kScaleWidth = 14, kScaleRoom = 90;  // of the colours at the right, pixels

/// The values at both ends of the scale. Error where there is nothing to draw.
AxisRange color_range(const HeatMap& map) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const std::vector<double>& row : map.values) {
    FILIGREE_ASSERT(row.size() == map.values.front().size());
    for (const double value : row) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low > high) fail("the heat map '{}' has no values to draw", map.title);
  low = map.range.low.value_or(low);
  high = map.range.high.value_or(high);
  if (map.middle) {
    low = std::min(low, *map.middle);
    high = std::max(high, *map.middle);
  }
  if (!(high > low)) high = low + std::max(1e-9, std::abs(low) * 0.5);
  return {low, high};
}

std::string palette(const HeatMap& map, const AxisRange& range) {
  const double low = *range.low, high = *range.high;
  std::string colors = fmt::format("{} '#F7FBFF', {} '#6BAED6', {} '#08306B'", number(low),
                                   number(low + 0.5 * (high - low)), number(high));
  if (map.middle) {
    // Equal distances from the middle have equally strong colours.
    const double reach = std::max(high - *map.middle, *map.middle - low);
    const auto color = [&](double share, const char* none, const char* full) {
      const gnuplot::Rgb a = gnuplot::parse_color(none), b = gnuplot::parse_color(full);
      return fmt::format("#{:02X}{:02X}{:02X}", std::lround(a[0] + share * (b[0] - a[0])),
                         std::lround(a[1] + share * (b[1] - a[1])), std::lround(a[2] + share * (b[2] - a[2])));
    };
    colors.clear();
    if (*map.middle > low) {
      colors += fmt::format("{} '{}', ", number(low), color((*map.middle - low) / reach, "#FFFFFF", "#B35806"));
    }
    colors += number(*map.middle) + " '#FFFFFF'";
    if (*map.middle < high) {
      colors += fmt::format(", {} '{}'", number(high), color((high - *map.middle) / reach, "#FFFFFF", "#08519C"));
    }
  }
  return fmt::format("set palette defined ({})\nset cbrange [{}:{}]\n", colors, number(low), number(high));
}

std::string row_tics(const HeatMap& map, double room, double row_height) {
  constexpr double kLine = 17;
  if (map.row_labels.empty()) return "unset ytics\n";
  const auto stride = static_cast<std::size_t>(std::max(1.0, std::ceil(kLine / row_height)));
  std::string out = "set ytics (";
  for (std::size_t r = 0; r < map.row_labels.size(); r += stride) {
    out += fmt::format("{}{} {}", r > 0 ? "," : "", quote(gnuplot::clipped(map.row_labels[r], room)), r);
  }
  return out + fmt::format(") noenhanced tc rgb '{}'\n", kInk);
}

/// The cells. gnuplot draws no image of a single row or column, so these become boxes.
std::string cells(const HeatMap& map) {
  std::string out = "$m << EOD\n";
  if (map.values.size() > 1 && map.values.front().size() > 1) {
    for (const std::vector<double>& row : map.values) {
      for (const double value : row) out += number(value) + ' ';
      out += '\n';
    }
    return out + "EOD\nplot $m matrix with image pixels\n";
  }
  for (std::size_t r = 0; r < map.values.size(); ++r) {
    for (std::size_t c = 0; c < map.values[r].size(); ++c) {
      if (std::isfinite(map.values[r][c])) out += fmt::format("{} {} {}\n", c, r, number(map.values[r][c]));
    }
  }
  return out +
         "EOD\nplot $m using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):3 with boxxyerror fc palette fs solid 1 "
         "noborder\n";
}

std::string script(const HeatMap& given, ImageFormat format) {
  constexpr double kLongestLabel = 260;
  HeatMap map = given;
  const AxisRange range = color_range(map);
  FILIGREE_ASSERT(map.row_labels.empty() || map.row_labels.size() == map.values.size());
  const std::size_t rows = map.values.size(), columns = map.values.front().size();
  if (map.height == 0) map.height = 130 + static_cast<int>(std::clamp<std::size_t>(rows * 24, 120, 760));
  int top = 0;
  std::string out = gnuplot::head(map, format, {}, top);
  double label = 0;
  for (const std::string& text : map.row_labels) label = std::max(label, gnuplot::text_pixels(text));
  const double left = kMargin + std::min(label, kLongestLabel) + 10, right = map.width - kScaleRoom;
  const double bottom = map.height - (map.x_label.empty() ? 38 : 58);
  if (!map.value_label.empty()) {
    out +=
        gnuplot::label_at(map, map.width - kMargin, top + 8, map.value_label, fmt::format("right tc rgb '{}'", kDim));
    top += 22;
  }
  out += gnuplot::area(map, left, top + 6, right, bottom);
  gnuplot::Axis axis{.name = 'x', .low = 0, .high = static_cast<double>(columns) - 1, .to_ticks = false};
  axis.whole = true;
  axis.num_ticks = std::min(map.width / 60, static_cast<int>(columns));
  out += gnuplot::axis_lines(axis) + row_tics(map, left - kMargin - 9, (bottom - top) / static_cast<double>(rows));
  out += fmt::format("set xrange [-0.5:{}]\nset yrange [{}:-0.5]\nunset grid\n", static_cast<double>(columns) - 0.5,
                     static_cast<double>(rows) - 0.5);
  out += fmt::format("set object rectangle from graph 0,0 to graph 1,1 fc rgb '{}' fs solid 1 noborder behind\n",
                     gnuplot::kGrid);
  out += palette(map, range);
  out += fmt::format("set colorbox vertical user origin screen {:.5f},{:.5f} size screen {:.5f},{:.5f} noborder\n",
                     gnuplot::screen_x(map, right + 14), gnuplot::screen_y(map, bottom), kScaleWidth / map.width,
                     (bottom - top - 6) / map.height);
  if (!map.x_label.empty()) {
    out += gnuplot::label_at(map, (left + right) / 2, map.height - 18, map.x_label,
                             fmt::format("center tc rgb '{}'", kDim));
  }
  return out + cells(map);
}

}  // namespace

std::string draw(const HeatMap& map, ImageFormat format) { return gnuplot::run(script(map, format)); }

void render(const HeatMap& map, const std::filesystem::path& path) {
  write_file(path, draw(map, gnuplot::format_of(path)));
}

}  // namespace filigree
