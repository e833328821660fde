#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

/// Pictures: curves, timelines and stacked bars, drawn by gnuplot in a child process.
///
/// Every draw() gives the bytes of the picture, every render() writes them to a file, whose ending .png or .svg chooses
/// the format; PNG has twice the pixels of the stated size. Error where gnuplot is missing or fails, the ending is
/// another, the file cannot be written, or there is nothing to draw.
namespace filigree {

enum class ImageFormat { png, svg };

/// Size in pixels and words above the picture; empty texts take no room.
struct PlotFrame {
  std::string title = {};
  std::string subtitle = {};
  int width = 900;
  int height = 0;  // 0: what the content asks for
};

enum class SeriesStyle { line, line_points, points, steps, bars };

/// One curve; x, y (and where given low, high, point_labels) have the same length. A value that is not finite leaves a
/// gap.
struct Series {
  std::string name = {};  // in the legend; empty to leave it out
  std::vector<double> x = {}, y = {};
  SeriesStyle style = SeriesStyle::line;
  bool dashed = false;
  std::string color = {};                   // "#rrggbb"; empty for the next of the palette
  std::vector<double> low = {}, high = {};  // a pale band around the curve
  std::vector<std::string> point_labels = {};
};

/// Words at a place in the data.
struct Annotation {
  double x = 0, y = 0;
  std::string text;
};

/// A dashed line across the picture, such as a limit.
struct GuideLine {
  double at = 0;
  std::string text = {};
  bool vertical = false;
};

struct AxisRange {
  std::optional<double> low = {}, high = {};  // found from the data where not given
};

/// Curves over two axes.
struct Plot : PlotFrame {
  std::string x_label = {}, y_label = {};
  bool log_x = false, log_y = false;
  AxisRange x_range = {}, y_range = {};
  std::vector<Series> series = {};
  std::vector<std::string> categories = {};  // names at x = 0, 1, 2, …, in place of numbers
  std::vector<GuideLine> guides = {};
  std::vector<Annotation> annotations = {};
};

std::string draw(const Plot& plot, ImageFormat format);
void render(const Plot& plot, const std::filesystem::path& path);

/// A class of bars: its name in the legend and its colour ("#rrggbb", empty for the next of the palette).
struct BarKind {
  std::string name;
  std::string color = {};
};

/// One bar of a timeline.
struct GanttBar {
  int row = 0;
  double begin = 0, end = 0;
  int kind = 0;           // index into Gantt::kinds
  std::string text = {};  // written into the bar where it is wide enough
};

/// Bars in rows over time, row 0 on top; below them, where curves are given, a panel of curves over the same time (each
/// holds its value until the next x). Bars finer than a pixel share its colour in proportion to their time.
struct Gantt : PlotFrame {
  std::string x_label = "time, ms";
  std::vector<std::string> row_labels = {};
  std::vector<BarKind> kinds = {};
  std::vector<GanttBar> bars = {};
  std::string curve_label = {};
  std::vector<Series> curves = {};
  std::vector<GuideLine> guides = {};  // horizontal ones stand in the panel of curves, vertical ones among the bars
};

std::string draw(const Gantt& gantt, ImageFormat format);
void render(const Gantt& gantt, const std::filesystem::path& path);

/// Horizontal bars stacked from parts >= 0, one bar a row, the first on top.
struct BarChart : PlotFrame {
  std::string x_label = {};
  std::vector<BarKind> kinds = {};
  struct Row {
    std::string label;
    std::vector<double> parts;  // one for each kind
    std::string text = {};      // behind the end of the bar
    double begin = 0;           // where the bar begins
  };
  std::vector<Row> rows = {};
  AxisRange x_range = {};
  bool part_values = false;  // write the value into each part that has room
};

std::string draw(const BarChart& chart, ImageFormat format);
void render(const BarChart& chart, const std::filesystem::path& path);

/// How a value changes step by step: a bar for the start, one for each change and one for the end.
struct Waterfall : PlotFrame {
  std::string x_label = {};
  std::string start_label = "start", end_label = "end";
  double start = 0;
  struct Step {
    std::string label;
    double change = 0;
  };
  std::vector<Step> steps = {};
  bool less_is_better = true;
};

/// The waterfall as stacked bars. All values on the way must be >= 0.
BarChart to_bar_chart(const Waterfall& waterfall);
void render(const Waterfall& waterfall, const std::filesystem::path& path);

/// Colours that colour-blind readers can tell apart (Okabe, Ito: Color universal design, 2008), repeated from the start
/// after the last.
std::string palette_color(std::size_t index);

}  // namespace filigree
