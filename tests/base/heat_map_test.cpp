#include "base/heat_map.h"

#include <cmath>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"

namespace filigree {
namespace {

using testing::HasSubstr;
using testing::Not;

HeatMap simple_map() {
  HeatMap map;
  map.title = "Use";
  map.x_label = "expert";
  map.value_label = "share";
  map.row_labels = {"layer 1", "layer 2"};
  map.values = {{0, 0.5, 1}, {0.25, std::nan(""), 0.75}};
  return map;
}

TEST(HeatMap, ShowsWordsAndColours) {
  const std::string svg = draw(simple_map(), ImageFormat::svg);
  for (const char* words : {"Use", "expert", "share", "layer 1", "layer 2"}) EXPECT_THAT(svg, HasSubstr(words));
  // Both ends of the scale, in the cells with 0 and 1.
  EXPECT_THAT(svg, HasSubstr("rgb(247, 251, 255)"));
  EXPECT_THAT(svg, HasSubstr("rgb(  8,  48, 107)"));
}

TEST(HeatMap, MiddleIsWhite) {
  HeatMap map = simple_map();
  map.values = {{0, 1, 3}};
  map.row_labels = {};
  map.middle = 1;
  const std::string svg = draw(map, ImageFormat::svg);
  EXPECT_THAT(svg, HasSubstr("rgb(255, 255, 255)"));
  EXPECT_THAT(svg, HasSubstr("rgb(  8,  81, 156)"));
  EXPECT_THAT(svg, Not(HasSubstr("rgb(179,  88,   6)")));  // 0 is nearer to the middle than 3: a paler orange
  for (const double only : {0.5, 2.0}) {
    map.values = {{only}};
    EXPECT_GT(draw(map, ImageFormat::svg).size(), 1000u);
  }
}

TEST(HeatMap, EqualValuesAndManyRows) {
  HeatMap map;
  map.values = {{2, 2}, {2, 2}};
  EXPECT_GT(draw(map, ImageFormat::svg).size(), 1000u);
  map.values.assign(200, std::vector<double>(64, 0.5));
  for (int row = 0; row < 200; ++row) map.row_labels.push_back("row " + std::to_string(row));
  const std::string svg = draw(map, ImageFormat::svg);
  EXPECT_THAT(svg, HasSubstr("row 0<"));
  EXPECT_THAT(svg, Not(HasSubstr("row 1<")));
}

TEST(HeatMap, WritesAFileAndRefusesNothing) {
  const auto path = std::filesystem::path(testing::TempDir()) / "filigree_heat_map.png";
  render(simple_map(), path);
  EXPECT_TRUE(read_file(path).starts_with("\x89PNG"));
  std::filesystem::remove(path);
  HeatMap map;
  map.title = "Empty";
  EXPECT_ERROR(draw(map, ImageFormat::png), "the heat map 'Empty' has no values to draw");
  map.values = {{std::nan("")}};
  EXPECT_ERROR(draw(map, ImageFormat::png), "the heat map 'Empty' has no values to draw");
}

}  // namespace
}  // namespace filigree
