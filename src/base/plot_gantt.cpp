#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "base/error.h"
#include "base/file.h"
#include "base/gnuplot.h"
#include "base/plot.h"
#include "base/text.h"

namespace filigree {
namespace {

using gnuplot::kDim, gnuplot::kMargin, gnuplot::number, gnuplot::quote, gnuplot::Rgb;

constexpr double kBarHeight = 0.78;  // of a row

/// As gnuplot's "rgb variable" wants it; channels are rounded to 32 steps, so that neighbours can be joined.
std::int64_t packed(const Rgb& color, bool exact) {
  std::int64_t out = 0;
  for (const double channel : color) {
    const double rounded = exact ? channel : std::round(channel / 255 * 31) / 31 * 255;
    out = out * 256 + std::clamp<std::int64_t>(std::llround(rounded), 0, 255);
  }
  return out;
}

/// A rectangle as it is drawn.
struct Box {
  double begin, end;
  std::int64_t color;
};

/// What the picture needs beside the data: geometry in pixels and colours.
struct Sheet {
  Gantt gantt;
  std::string small_font;
  std::vector<Rgb> colors;
  std::size_t num_rows = 0;
  double begin = 0, end = 1;                 // time
  double left = 0, right = 0;                // pixels
  double top = 0, rows_bottom = 0;           // of the bars
  double curves_top = 0, curves_bottom = 0;  // of the panel of curves
  double per_pixel() const { return (end - begin) / (right - left); }
};

void check(const Gantt& gantt) {
  for (const GanttBar& bar : gantt.bars) {
    FILIGREE_ASSERT(bar.row >= 0 && bar.kind >= 0 && static_cast<std::size_t>(bar.kind) < gantt.kinds.size());
    FILIGREE_ASSERT(std::isfinite(bar.begin) && std::isfinite(bar.end) && bar.end >= bar.begin);
  }
  for (const Series& curve : gantt.curves) {
    FILIGREE_ASSERT(curve.x.size() == curve.y.size());
    if (!curve.color.empty()) gnuplot::parse_color(curve.color);
  }
  if (gantt.bars.empty()) fail("the timeline '{}' has no bars to draw", gantt.title);
}

Sheet lay_out(const Gantt& gantt) {
  constexpr double kRow = 26, kFewRows = 3, kMostPixels = 700, kLongestLabel = 190;
  Sheet sheet;
  sheet.gantt = gantt;
  for (const BarKind& kind : gantt.kinds) {
    sheet.colors.push_back(gnuplot::parse_color(kind.color.empty() ? palette_color(sheet.colors.size()) : kind.color));
  }
  sheet.num_rows = gantt.row_labels.size();
  sheet.begin = gantt.bars.front().begin;
  sheet.end = gantt.bars.front().end;
  for (const GanttBar& bar : gantt.bars) {
    sheet.num_rows = std::max(sheet.num_rows, static_cast<std::size_t>(bar.row) + 1);
    sheet.begin = std::min(sheet.begin, bar.begin);
    sheet.end = std::max(sheet.end, bar.end);
  }
  if (!(sheet.end > sheet.begin)) sheet.end = sheet.begin + 1;
  double label = gantt.curves.empty() ? 0 : gnuplot::text_pixels("10,000");
  for (const std::string& words : gantt.row_labels) label = std::max(label, gnuplot::text_pixels(words));
  sheet.left = kMargin + std::min(label, kLongestLabel) + 10;
  sheet.right = gantt.width - 2.0 * kMargin;
  if (gantt.height == 0) {
    const double rows = std::min(kRow * std::max(kFewRows, static_cast<double>(sheet.num_rows)), kMostPixels);
    sheet.gantt.height = static_cast<int>(rows + (gantt.curves.empty() ? 0 : 190) + 170);
  }
  return sheet;
}

/// The bars of a row, each pixel coloured by the shares of its time.
std::vector<Box> blend(const Sheet& sheet, const std::vector<const GanttBar*>& bars) {
  constexpr double kWhite = 255;
  const auto columns = static_cast<std::size_t>(std::ceil(sheet.right - sheet.left));
  std::vector<Rgb> sums(columns, Rgb{});
  std::vector<double> covered(columns, 0.0);
  for (const GanttBar* bar : bars) {
    const double first = (bar->begin - sheet.begin) / sheet.per_pixel(),
                 last = (bar->end - sheet.begin) / sheet.per_pixel();
    for (double column = std::floor(first); column < last; ++column) {
      const auto index = static_cast<std::size_t>(column);
      if (index >= columns) break;
      const double share = std::min(last, column + 1) - std::max(first, column);
      covered[index] += share;
      for (std::size_t c = 0; c < 3; ++c)
        sums[index][c] += share * sheet.colors[static_cast<std::size_t>(bar->kind)][c];
    }
  }
  std::vector<Box> boxes;
  for (std::size_t i = 0; i < columns; ++i) {
    if (covered[i] < 1.0 / 64) continue;
    // Bars that overlap share the pixel; time without a bar lets the paper through.
    const double whole = std::max(1.0, covered[i]), paper = kWhite * (1 - covered[i] / whole);
    for (double& channel : sums[i]) channel = channel / whole + paper;
    const std::int64_t color = packed(sums[i], false);
    const double begin = sheet.begin + static_cast<double>(i) * sheet.per_pixel(), end = begin + sheet.per_pixel();
    const bool joins =
        !boxes.empty() && boxes.back().color == color && boxes.back().end > begin - 0.5 * sheet.per_pixel();
    if (joins)
      boxes.back().end = end;
    else
      boxes.push_back({begin, end, color});
  }
  return boxes;
}

std::string bar_text(const Sheet& sheet, const GanttBar& bar) {
  constexpr double kSmallFont = 0.85;
  const double pixels = (bar.end - bar.begin) / sheet.per_pixel();
  if (bar.text.empty() || gnuplot::text_pixels(bar.text) * kSmallFont + 4 > pixels) return "";
  return fmt::format("set label {} at first {},{} center front noenhanced font '{}' tc rgb '{}'\n", quote(bar.text),
                     number((bar.begin + bar.end) / 2), bar.row, sheet.small_font,
                     gnuplot::ink_on(sheet.colors[static_cast<std::size_t>(bar.kind)]));
}

/// The data block of all boxes, and the texts in them.
std::string boxes_and_texts(const Sheet& sheet, bool& has_edges) {
  std::vector<std::vector<const GanttBar*>> rows(sheet.num_rows);
  for (const GanttBar& bar : sheet.gantt.bars) rows[static_cast<std::size_t>(bar.row)].push_back(&bar);
  const double pixels = sheet.right - sheet.left;
  std::string texts, data = "$bars << EOD\n";
  has_edges = true;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    constexpr double kEdged = 4;  // pixels; narrower bars have no room for an edge
    const double bar_pixels = pixels / std::max<double>(1, static_cast<double>(rows[row].size()));
    const bool fine = bar_pixels < 1;
    std::vector<Box> boxes;
    if (fine) boxes = blend(sheet, rows[row]);
    for (const GanttBar* bar : rows[row]) {
      if (fine) break;
      boxes.push_back({bar->begin, bar->end, packed(sheet.colors[static_cast<std::size_t>(bar->kind)], true)});
      texts += bar_text(sheet, *bar);
    }
    has_edges = has_edges && bar_pixels >= kEdged;
    for (const Box& box : boxes) {
      data += fmt::format("{} {} {} {}\n", box.begin, box.end, row, box.color);
    }
  }
  return data + "EOD\n" + texts;
}

std::string row_tics(const Sheet& sheet) {
  std::string out = "set ytics (";
  // More labels than fit are thinned out.
  const double room = (sheet.rows_bottom - sheet.top) / static_cast<double>(sheet.num_rows);
  const auto stride = static_cast<std::size_t>(std::max(1.0, std::ceil(13 / room)));
  bool first = true;
  for (std::size_t i = 0; i < sheet.gantt.row_labels.size(); i += stride) {
    out += fmt::format("{}{} {}", first ? "" : ",",
                       quote(gnuplot::clipped(sheet.gantt.row_labels[i], sheet.left - kMargin - 9)), i);
    first = false;
  }
  return out + ") noenhanced\n";
}

std::string time_axis(const Sheet& sheet, bool labelled) {
  gnuplot::Axis axis{
      .name = 'x', .low = sheet.begin, .high = sheet.end, .to_ticks = false, .num_ticks = sheet.gantt.width / 100};
  std::string out = gnuplot::axis_lines(axis) + (labelled ? "set format x\n" : "set format x ''\n");
  if (!labelled) {
    // Named ticks ignore the format: blank names keep the grid.
    out += "set xtics scale 0 tc rgb '#FFFFFF' font ',1'\n";
  } else {
    out += fmt::format("set xtics tc rgb '{}' font ''\n", kDim);
    out += gnuplot::label_at(sheet.gantt, (sheet.left + sheet.right) / 2, sheet.gantt.height - 18, sheet.gantt.x_label,
                             fmt::format("center tc rgb '{}'", kDim));
  }
  return out;
}

std::string guide_lines(const Sheet& sheet, bool vertical) {
  std::string out;
  for (const GuideLine& guide : sheet.gantt.guides) {
    if (guide.vertical != vertical) continue;
    const std::string at = number(guide.at);
    const std::string ends = vertical ? fmt::format("first {0}, graph 0 to first {0}, graph 1", at)
                                      : fmt::format("graph 0, first {0} to graph 1, first {0}", at);
    out += fmt::format("set arrow from {} nohead front lw 1.2 dt (10,7) lc rgb '{}'\n", ends, kDim);
    const std::string place = vertical ? fmt::format("first {}, graph 1 left offset char 0.4,0.6", at)
                                       : fmt::format("graph 1, first {} right offset char -0.3,0.6", at);
    if (!guide.text.empty()) {
      out += fmt::format("set label {} at {} noenhanced front tc rgb '{}'\n", quote(guide.text), place, kDim);
    }
  }
  return out;
}

std::string bars_panel(const Sheet& sheet) {
  bool has_edges = false;
  std::string out = gnuplot::area(sheet.gantt, sheet.left, sheet.top, sheet.right, sheet.rows_bottom);
  out += boxes_and_texts(sheet, has_edges) + time_axis(sheet, sheet.gantt.curves.empty()) + row_tics(sheet);
  out += fmt::format("set yrange [{}:-0.5]\nset grid noytics\n", static_cast<double>(sheet.num_rows) - 0.5);
  out += guide_lines(sheet, true);
  return out + fmt::format(
                   "plot $bars using (($1+$2)/2):3:1:2:($3-{0}):($3+{0}):4 with boxxyerror lc rgb variable lw 0.6 fs "
                   "solid 1 {1}\n",
                   kBarHeight / 2, has_edges ? "border lc rgb '#FFFFFF'" : "noborder");
}

/// A curve with at most four points a pixel: first, least, greatest and last.
std::string curve_data(const Sheet& sheet, std::size_t index) {
  const Series& curve = sheet.gantt.curves[index];
  std::string out = fmt::format("$c{} << EOD\n", index);
  const auto point = [&out](double x, double y) { out += number(x) + ' ' + number(y) + '\n'; };
  for (std::size_t i = 0; i < curve.x.size();) {
    const double limit = curve.x[i] + sheet.per_pixel();
    std::size_t end = i, least = i, greatest = i;
    for (; end < curve.x.size() && curve.x[end] < limit; ++end) {
      if (curve.y[end] < curve.y[least]) least = end;
      if (curve.y[end] > curve.y[greatest]) greatest = end;
    }
    end = std::max(end, i + 1);
    std::array<std::size_t, 4> kept{i, std::min(least, greatest), std::max(least, greatest), end - 1};
    for (std::size_t k = 0; k < kept.size(); ++k) {
      if (k == 0 || kept[k] != kept[k - 1]) point(curve.x[kept[k]], curve.y[kept[k]]);
    }
    i = end;
  }
  if (!curve.x.empty()) point(std::max(sheet.end, curve.x.back()), curve.y.back());
  return out + "EOD\n";
}

/// The palette for few curves; for many, shades from pale to dark in their order.
std::string curve_color(const Sheet& sheet, std::size_t index) {
  constexpr std::size_t kFew = 4;
  const std::size_t count = sheet.gantt.curves.size();
  if (!sheet.gantt.curves[index].color.empty()) return sheet.gantt.curves[index].color;
  if (count <= kFew) return palette_color(index);
  constexpr Rgb kPale{150, 205, 240}, kDark{10, 45, 95};
  const double share = static_cast<double>(index) / static_cast<double>(count - 1);
  Rgb color{};
  for (std::size_t c = 0; c < 3; ++c) color[c] = kPale[c] + share * (kDark[c] - kPale[c]);
  return fmt::format("#{:06X}", packed(color, true));
}

std::string curves_panel(const Sheet& sheet) {
  constexpr std::size_t kFewNames = 6;
  const Gantt& gantt = sheet.gantt;
  gnuplot::Axis axis{.name = 'y', .low = 0, .high = 0, .num_ticks = 4};
  std::string data, command;
  std::vector<gnuplot::LegendEntry> legend;
  for (std::size_t i = 0; i < gantt.curves.size(); ++i) {
    for (const double value : gantt.curves[i].y) {
      if (std::isfinite(value)) axis.low = std::min(axis.low, value), axis.high = std::max(axis.high, value);
    }
    const std::string color = curve_color(sheet, i);
    data += curve_data(sheet, i);
    command += fmt::format("{}$c{} using 1:2 with steps lw 1.4 lc rgb '{}'", i == 0 ? "plot " : ", ", i, color);
    const bool named = gantt.curves.size() <= kFewNames || i == 0 || i + 1 == gantt.curves.size();
    if (named && !gantt.curves[i].name.empty())
      legend.push_back({gantt.curves[i].name, color, gnuplot::LegendEntry::Mark::line});
  }
  for (const GuideLine& guide : gantt.guides) {
    if (!guide.vertical) axis.high = std::max(axis.high, guide.at);
  }
  std::string out = "unset label\nunset arrow\nunset object\n";
  double y = sheet.curves_top - 14;
  out += gnuplot::label_at(gantt, sheet.left, y, gantt.curve_label, fmt::format("left tc rgb '{}'", kDim));
  if (gantt.curves.size() > 1) {
    const double x = sheet.left + gnuplot::text_pixels(gantt.curve_label) + 28;
    out += gnuplot::legend_lines(gantt, legend, x, y);
  }
  out += gnuplot::area(gantt, sheet.left, sheet.curves_top, sheet.right, sheet.curves_bottom);
  out += time_axis(sheet, true) + "set ytics enhanced\nset grid ytics\n" + gnuplot::axis_lines(axis) +
         guide_lines(sheet, false);
  return out + data + command + "\n";
}

std::string script(const Gantt& gantt, ImageFormat format) {
  check(gantt);
  Sheet sheet = lay_out(gantt);
  sheet.small_font = format == ImageFormat::png ? ",9" : ",12";
  std::vector<gnuplot::LegendEntry> legend;
  for (std::size_t i = 0; i < gantt.kinds.size(); ++i) {
    const std::string color = gantt.kinds[i].color.empty() ? palette_color(i) : gantt.kinds[i].color;
    legend.push_back({gantt.kinds[i].name, color});
  }
  int top = 0;
  std::string out = gnuplot::head(sheet.gantt, format, legend, top);
  constexpr double kBelow = 58, kBetween = 40, kCurvesShare = 0.32;
  const bool has_guide =
      std::any_of(gantt.guides.begin(), gantt.guides.end(), [](const auto& g) { return g.vertical; });
  sheet.top = top + (has_guide ? 24 : 8);
  sheet.rows_bottom = sheet.curves_bottom = sheet.gantt.height - kBelow;
  if (gantt.curves.empty()) return out + bars_panel(sheet);
  sheet.curves_top = sheet.curves_bottom - kCurvesShare * (sheet.curves_bottom - sheet.top);
  sheet.rows_bottom = sheet.curves_top - kBetween;
  return out + "set multiplot\n" + bars_panel(sheet) + curves_panel(sheet) + "unset multiplot\n";
}

}  // namespace

std::string draw(const Gantt& gantt, ImageFormat format) { return gnuplot::run(script(gantt, format)); }

void render(const Gantt& gantt, const std::filesystem::path& path) {
  write_file(path, draw(gantt, gnuplot::format_of(path)));
}

}  // namespace filigree
