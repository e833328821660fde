#include "base/visit.h"

#include <limits>

#include <gtest/gtest.h>

#include "support/config.h"

namespace filigree {
namespace {

using test::Colour;
using test::Paint;

static_assert(Config<Paint>);
static_assert(!Config<int>);
static_assert(!Config<std::string>);

TEST(Visit, BoundsContain) {
  EXPECT_TRUE(positive.contain(1e-300));
  EXPECT_FALSE(positive.contain(0));
  EXPECT_TRUE(non_negative.contain(0));
  EXPECT_FALSE(non_negative.contain(-1));
  EXPECT_TRUE(fraction.contain(1));
  EXPECT_FALSE(fraction.contain(1.5));
  EXPECT_FALSE(positive_fraction.contain(0));
  EXPECT_TRUE(at_least(2).contain(2));
  EXPECT_FALSE(between(1, 3).contain(4));
  EXPECT_TRUE(any_value.contain(-1e300));
  EXPECT_FALSE(non_negative.contain(std::numeric_limits<double>::quiet_NaN()));
}

TEST(Visit, DescribesBounds) {
  EXPECT_EQ(describe(positive), "greater than 0");
  EXPECT_EQ(describe(at_least(2)), "at least 2");
  EXPECT_EQ(describe(between(1, 3)), "between 1 and 3");
  EXPECT_EQ(describe(positive_fraction), "greater than 0 and at most 1");
  EXPECT_EQ(describe(Bounds{.high = 5}), "at most 5");
  EXPECT_EQ(describe(any_value), "any number");
}

TEST(Visit, NamesEnums) {
  EXPECT_EQ(enum_name(Colour::dark_red), "dark-red");
  EXPECT_EQ(enum_name(static_cast<Colour>(99)), "?");
  EXPECT_EQ(enum_from_name<Colour>("blue"), Colour::blue);
  EXPECT_EQ(enum_from_name<Colour>("Blue"), std::nullopt);
  EXPECT_EQ(enum_all_names<Colour>(), (std::vector<std::string>{"blue", "dark-red"}));
}

}  // namespace
}  // namespace filigree
