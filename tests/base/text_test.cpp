#include "base/text.h"

#include <limits>

#include <gtest/gtest.h>

namespace filigree::text {
namespace {

using Parts = std::vector<std::string>;

TEST(Text, Splits) {
  EXPECT_EQ(split("a,,b", ','), (Parts{"a", "", "b"}));
  EXPECT_EQ(split("", ','), Parts{});
  EXPECT_EQ(split("a", ','), Parts{"a"});
  EXPECT_EQ(split(",", ','), (Parts{"", ""}));
}

TEST(Text, Trims) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(Text, Lowers) { EXPECT_EQ(lower("AbZ-09Ä"), "abz-09Ä"); }

TEST(Text, Joins) {
  EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(join({}, ", "), "");
}

TEST(Text, ParsesNumbersThatFillTheText) {
  EXPECT_EQ(parse_double("1.5"), 1.5);
  EXPECT_EQ(parse_double("+2e3"), 2000);
  EXPECT_EQ(parse_double("-.5"), -0.5);
  EXPECT_EQ(parse_double("7"), 7);
  for (const char* bad :
       {"", "+", "-", "1.5 ", " 1", "1,5", "0x10", "1e", "nan", "inf", "-inf", "1e999", "+-1", "++1", "five"}) {
    EXPECT_EQ(parse_double(bad), std::nullopt) << "'" << bad << "'";
  }
}

TEST(Text, ParsesWholeNumbers) {
  EXPECT_EQ(parse_int("42"), 42);
  EXPECT_EQ(parse_int("+42"), 42);
  EXPECT_EQ(parse_int("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  for (const char* bad : {"", "4.0", "1e3", "9223372036854775808", "0x1", "4 ", "+-4"}) {
    EXPECT_EQ(parse_int(bad), std::nullopt) << "'" << bad << "'";
  }
}

TEST(Text, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("layers", "layesr"), 1u);  // swapped neighbours
  EXPECT_EQ(edit_distance("flaw", "lawn"), 2u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
}

TEST(Text, SuggestsTheNearest) {
  const Parts names{"num_layers", "num_heads", "hidden_size"};
  EXPECT_EQ(did_you_mean("num_layer", names), "; did you mean 'num_layers'?");
  EXPECT_EQ(did_you_mean("NUM_HEADS", names), "; did you mean 'num_heads'?");
  EXPECT_EQ(did_you_mean("bandwidth", names), "");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

TEST(Text, WritesThousands) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(-123456), "-123,456");
  EXPECT_EQ(with_thousands(1234567), "1,234,567");
  EXPECT_EQ(with_thousands(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

}  // namespace
}  // namespace filigree::text
