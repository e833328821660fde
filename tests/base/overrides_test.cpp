#include "base/overrides.h"

#include <gtest/gtest.h>

#include "support/config.h"
#include "support/expect_error.h"

namespace filigree {
namespace {

using test::Brush;
using test::Colour;
using test::Paint;
using Pairs = std::map<std::string, std::string>;

TEST(Overrides, SplitsPairs) {
  EXPECT_EQ(parse_pairs("a=1, b = x+y ,c=d=e", "--set"), (Pairs{{"a", "1"}, {"b", "x+y"}, {"c", "d=e"}}));
  EXPECT_EQ(parse_pairs("", "--set"), Pairs{});
}

TEST(Overrides, NamesPartsThatAreNoPairs) {
  EXPECT_ERROR(parse_pairs("a=1,b", "--set"), "--set: 'b' is not of the form key=value");
  EXPECT_ERROR(parse_pairs("=1", "--set"), "--set: '=1' is not of the form key=value");
  EXPECT_ERROR(parse_pairs("a= ", "--set"), "--set: 'a= ' is not of the form key=value");
  EXPECT_ERROR(parse_pairs("a=1,", "--set"), "--set: '' is not of the form key=value");
  EXPECT_ERROR(parse_pairs("a=1,a=2", "--set"), "--set: key 'a' is given twice");
}

TEST(Overrides, SetsTheNamedFields) {
  Paint paint;
  paint.heat = 3;
  apply_overrides(paint,
                  {{"name", "7"}, {"colour", "dark-red"}, {"glossy", "true"}, {"drops", "1e3"}, {"coats", "1+2+3"}},
                  "--set");
  EXPECT_EQ(paint.name, "7");  // a text, though it looks like a number
  EXPECT_EQ(paint.colour, Colour::dark_red);
  EXPECT_TRUE(paint.glossy);
  EXPECT_EQ(paint.drops, 1000);
  EXPECT_EQ(paint.coats, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(paint.heat, 3);
  EXPECT_EQ(paint.share, 0.5);
}

TEST(Overrides, NamesWhatCannotBeSet) {
  Paint paint;
  EXPECT_ERROR(apply_overrides(paint, {{"nam", "x"}}, "--set"),
               "--set: unknown key 'nam'; did you mean 'name'? (keys: name, colour, share, glossy, drops, heat, coats, "
               "parts, brushes)");
  EXPECT_ERROR(apply_overrides(paint, {{"share", "2"}}, "--set"), "--set: share must be between 0 and 1, got 2");
  EXPECT_ERROR(apply_overrides(paint, {{"share", "much"}}, "--set"),
               "--set: share must be a number, got the text 'much'");
  EXPECT_ERROR(apply_overrides(paint, {{"colour", "red"}}, "--set"),
               "--set: colour cannot be 'red' (one of: blue, dark-red)");
  EXPECT_ERROR(apply_overrides(paint, {{"coats", "1+x"}}, "--set"),
               "--set: coats[1] must be a whole number, got the text 'x'");
}

TEST(Overrides, ListsFieldsForHelp) {
  const std::vector<FieldHelp> fields = list_fields<Brush>();
  ASSERT_EQ(fields.size(), 2u);
  EXPECT_EQ(fields[0].name, "width");
  EXPECT_EQ(fields[0].help, "mm");
  EXPECT_EQ(fields[0].standard, "");
  EXPECT_EQ(fields[1].name, "hair");
  EXPECT_EQ(fields[1].standard, "pig");
  EXPECT_EQ(list_fields<Paint>()[2].standard, "0.5");
}

}  // namespace
}  // namespace filigree
