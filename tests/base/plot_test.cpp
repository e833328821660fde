#include "base/plot.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string_view>

#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/gnuplot.h"
#include "support/expect_error.h"

namespace filigree {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Width and height in the header of a PNG file.
std::pair<int, int> png_size(std::string_view bytes) {
  EXPECT_TRUE(bytes.starts_with("\x89PNG\r\n\x1a\n"));
  const auto number = [&](std::size_t at) {
    int out = 0;
    for (std::size_t i = 0; i < 4; ++i) out = out * 256 + static_cast<unsigned char>(bytes[at + i]);
    return out;
  };
  return {number(16), number(20)};
}

Plot simple_plot() {
  Plot plot;
  plot.title = "A title";
  plot.series = {Series{.name = "a", .x = {0, 1, 2}, .y = {1, 4, 2}}};
  return plot;
}

Gantt simple_gantt() {
  Gantt gantt;
  gantt.title = "Timeline";
  gantt.row_labels = {"stage 0", "stage 1"};
  gantt.kinds = {{"forward"}, {"backward", "#ABCDEF"}};
  gantt.bars = {{0, 0, 1, 0, "F0"}, {1, 1, 2, 0, "F0"}, {1, 2, 4, 1, "B0"}, {0, 4, 6, 1, "B0"}};
  return gantt;
}

BarChart simple_chart() {
  BarChart chart;
  chart.title = "Shares";
  chart.kinds = {{"one"}, {"two"}};
  chart.rows = {{"first", {1000, 2000}, "3 s"}, {"second", {500, 0}}};
  return chart;
}

/// Puts another PATH in place for one test.
class PathGuard {
 public:
  explicit PathGuard(const std::string& path) : before_(std::getenv("PATH")) { ::setenv("PATH", path.c_str(), 1); }
  ~PathGuard() { ::setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

/// A folder with a program called gnuplot.
class FakeGnuplot {
 public:
  explicit FakeGnuplot(const std::string& script) : folder_(fs::path(testing::TempDir()) / "filigree_fake_gnuplot") {
    write_file(folder_ / "gnuplot", "#!/bin/sh\n" + script + "\n");
    fs::permissions(folder_ / "gnuplot", fs::perms::owner_all);
  }
  ~FakeGnuplot() { fs::remove_all(folder_); }
  std::string path() const { return folder_.string() + ":/usr/bin:/bin"; }

 private:
  fs::path folder_;
};

TEST(Plot, DrawsPngAtTwiceTheSize) {
  Plot plot = simple_plot();
  EXPECT_EQ(png_size(draw(plot, ImageFormat::png)), std::pair(1800, 1040));
  plot.width = 400;
  plot.height = 300;
  EXPECT_EQ(png_size(draw(plot, ImageFormat::png)), std::pair(800, 600));
}

TEST(Plot, DrawsWordsIntoSvg) {
  Plot plot = simple_plot();
  plot.subtitle = "under it";
  plot.x_label = "time, s";
  plot.y_label = "loss";
  plot.series.push_back({.name = "second series", .x = {0, 1}, .y = {1, 1}, .style = SeriesStyle::points});
  plot.guides = {{.at = 3, .text = "limit"}, {.at = 1, .text = "switch", .vertical = true}};
  plot.annotations = {{.x = 1, .y = 4, .text = "peak"}};
  const std::string svg = draw(plot, ImageFormat::svg);
  EXPECT_THAT(svg, HasSubstr("<svg"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  for (const char* words : {"A title", "under it", "time, s", "loss", "second series", "limit", "switch", "peak"}) {
    EXPECT_THAT(svg, HasSubstr(words));
  }
}

TEST(Plot, TakesTextsLiterally) {
  Plot plot = simple_plot();
  const fs::path trap = fs::path(testing::TempDir()) / "filigree_plot_trap";
  fs::remove(trap);
  plot.title = "it's a_b^{c} `touch " + trap.string() + "` @x \\n $1";
  plot.subtitle = "two\nlines'; system('touch " + trap.string() + "'); x='";
  const std::string svg = draw(plot, ImageFormat::svg);
  EXPECT_FALSE(fs::exists(trap));
  EXPECT_THAT(svg, HasSubstr("a_b^{c} `touch"));
  EXPECT_THAT(svg, HasSubstr("@x \\n $1"));
}

TEST(Plot, DrawsEveryStyle) {
  for (const bool logarithmic : {false, true}) {
    Plot plot;
    plot.log_x = plot.log_y = logarithmic;
    for (const SeriesStyle style : {SeriesStyle::line, SeriesStyle::line_points, SeriesStyle::points,
                                    SeriesStyle::steps, SeriesStyle::bars, SeriesStyle::bars}) {
      plot.series.push_back({.name = "s", .x = {1, 2, 300}, .y = {1e-4, kNaN, 20}, .style = style, .dashed = true});
    }
    plot.series[0].low = {0.5e-4, 1, 10};
    plot.series[0].high = {2e-4, 2, 30};
    plot.series[1].point_labels = {"first", "", "last"};
    plot.series[2].color = "#123456";
    const std::string svg = draw(plot, ImageFormat::svg);
    EXPECT_THAT(svg, HasSubstr("first"));
    EXPECT_THAT(svg, HasSubstr("last"));
    EXPECT_GT(draw(plot, ImageFormat::png).size(), 10000u);
  }
}

TEST(Plot, WrapsALongLegend) {
  Plot plot;
  for (int i = 0; i < 12; ++i) {
    plot.series.push_back(
        {.name = fmt::format("a curve with a long name {}.", i), .x = {0, 1}, .y = {1.0 * i, 2.0 * i}});
  }
  const std::string svg = draw(plot, ImageFormat::svg);
  for (int i = 0; i < 12; ++i) EXPECT_THAT(svg, HasSubstr(fmt::format("a curve with a long name {}.", i)));
}

TEST(Plot, DrawsCategories) {
  Plot plot;
  plot.categories = {
      "tp8", "tp4 and words that are far too long for the room between two groups of bars in a plot of this size"};
  plot.series = {{.name = "a", .x = {0, 1}, .y = {1, 2}, .style = SeriesStyle::bars}};
  const std::string svg = draw(plot, ImageFormat::svg);
  EXPECT_THAT(svg, HasSubstr("tp8"));
  EXPECT_THAT(svg, HasSubstr("tp4 and words"));
  EXPECT_THAT(svg, Not(HasSubstr("of this size")));
  EXPECT_THAT(svg, HasSubstr("…"));
}

TEST(Plot, DrawsFlatAndSinglePoints) {
  for (const double value : {0.0, 5.0, -2.0, 1e12}) {
    Plot plot;
    plot.series = {{.x = {value}, .y = {value}, .style = SeriesStyle::points}};
    EXPECT_GT(draw(plot, ImageFormat::svg).size(), 1000u) << value;
    plot.series[0].style = SeriesStyle::bars;
    EXPECT_GT(draw(plot, ImageFormat::svg).size(), 1000u) << value;
  }
}

TEST(Plot, WritesFilesByTheirEnding) {
  const fs::path folder = fs::path(testing::TempDir()) / "filigree_plot_test";
  render(simple_plot(), folder / "a.png");
  render(simple_gantt(), folder / "b.SVG");
  render(simple_chart(), folder / "c.svg");
  EXPECT_TRUE(read_file(folder / "a.png").starts_with("\x89PNG"));
  EXPECT_THAT(read_file(folder / "b.SVG"), HasSubstr("<svg"));
  EXPECT_THAT(read_file(folder / "c.svg"), HasSubstr("Shares"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 3);
  fs::remove_all(folder);
}

TEST(Plot, NamesTheEndingThatIsNone) {
  EXPECT_ERROR(render(simple_plot(), "a.jpg"),
               "a.jpg: is not the name of a plot; expected a file that ends in .png or .svg");
  EXPECT_ERROR(render(simple_gantt(), "b"), "b: is not the name of a plot; expected a file that ends in .png or .svg");
  EXPECT_ERROR(render(simple_chart(), "c.pdf"),
               "c.pdf: is not the name of a plot; expected a file that ends in .png or .svg");
  EXPECT_THROW(render(simple_plot(), "/dev/null/a.png"), Error);
}

TEST(Plot, SaysWhenThereIsNothingToDraw) {
  Plot plot;
  plot.title = "Loss";
  EXPECT_ERROR(draw(plot, ImageFormat::svg), "the plot 'Loss' has no points to draw");
  plot.series = {{.x = {1, kNaN}, .y = {kNaN, 2}}};
  EXPECT_ERROR(draw(plot, ImageFormat::svg), "the plot 'Loss' has no points to draw");
  plot.log_y = true;
  plot.series = {{.x = {1, 2}, .y = {0, -1}}};
  EXPECT_ERROR(draw(plot, ImageFormat::svg),
               "the plot 'Loss' has no points to draw; a logarithmic axis shows only values above 0");
  Gantt gantt = simple_gantt();
  gantt.bars.clear();
  EXPECT_ERROR(draw(gantt, ImageFormat::svg), "the timeline 'Timeline' has no bars to draw");
  BarChart chart = simple_chart();
  chart.rows.clear();
  EXPECT_ERROR(draw(chart, ImageFormat::svg), "the bar chart 'Shares' has no bars to draw");
}

TEST(Plot, RefusesSizesAndColors) {
  Plot plot = simple_plot();
  plot.width = 20000;
  EXPECT_ERROR(draw(plot, ImageFormat::svg),
               "a plot of 20000 x 520 pixels cannot be drawn; width and height must be between 100 and 10000");
  Gantt gantt = simple_gantt();
  for (const char* color : {"red", "#12345", "#12345G", "123456#"}) {
    gantt.kinds[0].color = color;
    EXPECT_ERROR(draw(gantt, ImageFormat::svg),
                 "'" + std::string(color) + "' is not a colour; expected '#' and six hexadecimal digits");
  }
  plot = simple_plot();
  plot.series[0].color = "x' ; system('false'";
  EXPECT_ERROR(draw(plot, ImageFormat::svg),
               "'x' ; system('false'' is not a colour; expected '#' and six hexadecimal digits");
  BarChart chart = simple_chart();
  chart.kinds[1].color = "blue";
  EXPECT_ERROR(draw(chart, ImageFormat::svg), "'blue' is not a colour; expected '#' and six hexadecimal digits");
}

TEST(Plot, SeriesOfUnequalLengthsAreOurMistake) {
  Plot plot = simple_plot();
  plot.series[0].y.pop_back();
  EXPECT_THROW(draw(plot, ImageFormat::svg), std::logic_error);
  Gantt gantt = simple_gantt();
  gantt.bars[0].kind = 2;
  EXPECT_THROW(draw(gantt, ImageFormat::svg), std::logic_error);
  BarChart chart = simple_chart();
  chart.rows[0].parts.pop_back();
  EXPECT_THROW(draw(chart, ImageFormat::svg), std::logic_error);
}

TEST(Plot, SaysThatGnuplotIsMissing) {
  const PathGuard guard("/nonexistent");
  EXPECT_ERROR(draw(simple_plot(), ImageFormat::svg),
               "gnuplot, which draws the plots, was not found; install the package gnuplot-nox");
}

TEST(Plot, SaysThatGnuplotCannotBeStarted) {
  const fs::path folder = fs::path(testing::TempDir()) / "filigree_no_gnuplot";
  write_file(folder / "gnuplot", "not a program");
  {
    const PathGuard guard(folder.string());
    EXPECT_ERROR(draw(simple_plot(), ImageFormat::svg),
                 "gnuplot, which draws the plots, cannot be started (Permission denied)");
  }
  fs::remove_all(folder);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 3, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_ERROR(draw(simple_plot(), ImageFormat::svg),
               "no temporary file can be made for gnuplot (Too many open files)");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(Plot, PassesOnWhatGnuplotSays) {
  EXPECT_ERROR(gnuplot::run("set nonsense\n"),
               "gnuplot could not draw the plot: unrecognized option - see 'help set'.");
  {
    const FakeGnuplot fake("echo 'it is broken' >&2; exit 3");
    const PathGuard guard(fake.path());
    EXPECT_ERROR(draw(simple_plot(), ImageFormat::svg), "gnuplot could not draw the plot: it is broken");
  }
  {
    const FakeGnuplot fake("echo 'no terminal' >&2");
    const PathGuard guard(fake.path());
    EXPECT_ERROR(draw(simple_plot(), ImageFormat::svg), "gnuplot drew nothing: no terminal");
  }
  {
    const FakeGnuplot fake("kill -TERM $$");
    const PathGuard guard(fake.path());
    EXPECT_ERROR(draw(simple_plot(), ImageFormat::svg), "gnuplot was ended by signal 15 before the plot was drawn");
  }
}

TEST(Plot, AFailureLeavesTheOldPicture) {
  const std::string path = testing::TempDir() + "filigree_plot_old.svg";
  write_file(path, "old");
  Plot plot;
  EXPECT_THROW(render(plot, path), Error);
  EXPECT_EQ(read_file(path), "old");
  fs::remove(path);
}

TEST(Gantt, DrawsBarsAndTexts) {
  Gantt gantt = simple_gantt();
  gantt.guides = {{.at = 2, .text = "half", .vertical = true}};
  const std::string svg = draw(gantt, ImageFormat::svg);
  for (const char* words : {"stage 0", "stage 1", "forward", "backward", "F0", "B0", "half", "time, ms"}) {
    EXPECT_THAT(svg, HasSubstr(words));
  }
  EXPECT_THAT(svg, HasSubstr("rgb(171, 205, 239)"));  // #ABCDEF
}

TEST(Gantt, DrawsCurvesBelow) {
  Gantt gantt = simple_gantt();
  gantt.curve_label = "memory, GiB";
  gantt.curves = {{.name = "curve 0", .x = {0, 4}, .y = {10, 20}}, {.name = "curve 1", .x = {0, 4}, .y = {12, 13}}};
  gantt.guides = {{.at = 64, .text = "limit"}};
  const std::string svg = draw(gantt, ImageFormat::svg);
  for (const char* words : {"memory, GiB", "curve 0", "curve 1", "limit"}) EXPECT_THAT(svg, HasSubstr(words));
  // Of many curves the legend names the first and the last.
  for (int i = 2; i < 12; ++i) gantt.curves.push_back({.name = "curve " + std::to_string(i), .x = {0}, .y = {5}});
  const std::string many = draw(gantt, ImageFormat::svg);
  EXPECT_THAT(many, HasSubstr("curve 0"));
  EXPECT_THAT(many, HasSubstr("curve 11"));
  EXPECT_THAT(many, Not(HasSubstr("curve 5")));
}

TEST(Gantt, DrawsManyBarsInTime) {
  Gantt gantt;
  gantt.kinds = {{"forward"}, {"backward"}};
  for (int row = 0; row < 16; ++row) {
    gantt.row_labels.push_back("stage " + std::to_string(row));
    Series memory;
    for (int i = 0; i < 5000; ++i) {
      gantt.bars.push_back({row, i * 1.5 + row, i * 1.5 + row + 1, i % 2});
      memory.x.push_back(i * 1.5);
      memory.y.push_back(i % 7);
    }
    gantt.curves.push_back(memory);
  }
  const std::string svg = draw(gantt, ImageFormat::svg);
  // Bars and points finer than a pixel are joined: 80,000 rectangles would take more than 10 MB.
  EXPECT_LT(svg.size(), 5'000'000u);
  EXPECT_EQ(png_size(draw(gantt, ImageFormat::png)).first, 1800);
}

TEST(Gantt, ThinsOutLabelsOfManyRows) {
  Gantt gantt;
  gantt.kinds = {{"x"}};
  for (int row = 0; row < 200; ++row) {
    gantt.row_labels.push_back("row " + std::to_string(row));
    gantt.bars.push_back({row, 0, 1, 0});
  }
  const std::string svg = draw(gantt, ImageFormat::svg);
  EXPECT_THAT(svg, HasSubstr("row 0<"));
  EXPECT_THAT(svg, Not(HasSubstr("row 1<")));
}

TEST(Gantt, DrawsBarsWithoutLength) {
  Gantt gantt;
  gantt.kinds = {{"x"}};
  gantt.bars = {{0, 3, 3, 0}};
  EXPECT_GT(draw(gantt, ImageFormat::svg).size(), 1000u);
}

TEST(BarChart, DrawsPartsAndTexts) {
  BarChart chart = simple_chart();
  chart.x_label = "ms";
  chart.part_values = true;
  const std::string svg = draw(chart, ImageFormat::svg);
  for (const char* words : {"first", "second", "one", "two", "3 s", "1,000", "2,000", ">500<"})
    EXPECT_THAT(svg, HasSubstr(words));
  chart.rows = {{"empty", {0, 0}}};
  EXPECT_GT(draw(chart, ImageFormat::svg).size(), 1000u);
}

TEST(BarChart, WaterfallLeadsFromStartToEnd) {
  Waterfall waterfall;
  waterfall.title = "Changes";
  waterfall.start = 10;
  waterfall.steps = {{"overlap", -4}, {"checks", 1.5}};
  const BarChart chart = to_bar_chart(waterfall);
  EXPECT_EQ(chart.title, "Changes");
  ASSERT_EQ(chart.rows.size(), 4u);
  EXPECT_EQ(chart.rows[0].parts, (std::vector<double>{10, 0, 0}));
  EXPECT_EQ(chart.rows[0].text, "10");
  EXPECT_EQ(chart.rows[1].begin, 6);
  EXPECT_EQ(chart.rows[1].parts, (std::vector<double>{0, 4, 0}));
  EXPECT_EQ(chart.rows[1].text, "−4  (−40.0 %)");
  EXPECT_EQ(chart.rows[2].begin, 6);
  EXPECT_EQ(chart.rows[2].parts, (std::vector<double>{0, 0, 1.5}));
  EXPECT_EQ(chart.rows[2].text, "+1.5  (+15.0 %)");
  EXPECT_EQ(chart.rows[3].parts, (std::vector<double>{7.5, 0, 0}));
  const std::string path = testing::TempDir() + "filigree_waterfall.svg";
  render(waterfall, path);
  EXPECT_THAT(read_file(path), HasSubstr("overlap"));
  fs::remove(path);
  const std::string better = chart.kinds[1].color;
  waterfall.less_is_better = false;
  EXPECT_EQ(to_bar_chart(waterfall).kinds[2].color, better);
  waterfall.steps = {{"too much", -11}};
  EXPECT_THROW(to_bar_chart(waterfall), std::logic_error);
}

TEST(Gnuplot, WritesShortTicks) {
  using gnuplot::tick_label;
  EXPECT_EQ(tick_label(0, 1), "0");
  EXPECT_EQ(tick_label(0.30000000000000004, 0.1), "0.3");
  EXPECT_EQ(tick_label(-2.5, 0.5), "-2.5");
  EXPECT_EQ(tick_label(1000, 500), "1,000");
  EXPECT_EQ(tick_label(1234567, 1), "1.234567 M");
  EXPECT_EQ(tick_label(1.5e6, 5e5), "1.5 M");
  EXPECT_EQ(tick_label(2e9, 1e9), "2 G");
  EXPECT_EQ(tick_label(3e12, 1e12), "3 T");
  EXPECT_EQ(tick_label(4e15, 1e15), "4 P");
  EXPECT_EQ(tick_label(1e-5, 0), "10^{-5}");
  EXPECT_EQ(tick_label(2e-5, 0), "2×10^{-5}");
  EXPECT_EQ(tick_label(1e20, 0), "10^{20}");
}

TEST(Gnuplot, WritesValues) {
  EXPECT_EQ(gnuplot::value_label(1834.6), "1,835");
  EXPECT_EQ(gnuplot::value_label(18.34), "18.3");
  EXPECT_EQ(gnuplot::value_label(0.0234), "0.0234");
}

TEST(Gnuplot, AxesHaveRoundTicks) {
  gnuplot::Axis axis{.name = 'y', .low = 0.3, .high = 9.2, .num_ticks = 5};
  EXPECT_EQ(gnuplot::axis_lines(axis), "set yrange [0:10]\nset ytics ('0' 0,'2' 2,'4' 4,'6' 6,'8' 8,'10' 10)\n");
  gnuplot::Axis whole{.name = 'x', .low = 0, .high = 3, .whole = true, .num_ticks = 6};
  EXPECT_EQ(gnuplot::axis_lines(whole), "set xrange [0:3]\nset xtics ('0' 0,'1' 1,'2' 2,'3' 3)\n");
  gnuplot::Axis given{.name = 'x', .low = 0, .high = 3, .range = {.low = 1, .high = 2}, .num_ticks = 2};
  EXPECT_EQ(gnuplot::axis_lines(given), "set xrange [1:2]\nset xtics ('1' 1,'1.5' 1.5,'2' 2)\n");
  gnuplot::Axis log{.name = 'x', .low = 1.15, .high = 40, .log = true};
  EXPECT_EQ(gnuplot::axis_lines(log).substr(0, 15), "set logscale x\n");
  EXPECT_THAT(gnuplot::axis_lines(log), HasSubstr("('1' 1,'2' 2,'5' 5,'10' 10,'20' 20"));
  gnuplot::Axis wide{.name = 'x', .low = 1, .high = 1e20, .log = true};
  EXPECT_THAT(gnuplot::axis_lines(wide), HasSubstr("'1' 1,'1,000' 1000,'1 M' 1000000,"));
}

TEST(Gnuplot, QuotesAndClips) {
  EXPECT_EQ(gnuplot::quote("it's\n\tx"), "'it''s'.\"\\n\".' x'");
  EXPECT_EQ(gnuplot::clipped("short", 100), "short");
  const std::string cut = gnuplot::clipped("µµµµµµµµµµ", 40);
  EXPECT_TRUE(cut.ends_with("µ…")) << cut;
  EXPECT_LE(gnuplot::text_pixels(cut), 40);
}

TEST(Gnuplot, PaletteRepeats) {
  EXPECT_EQ(palette_color(0), "#0072B2");
  EXPECT_EQ(palette_color(8), palette_color(0));
  EXPECT_NE(palette_color(1), palette_color(0));
}

}  // namespace
}  // namespace filigree
