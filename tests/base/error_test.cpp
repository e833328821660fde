#include "base/error.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace filigree {
namespace {

TEST(Error, FailFormatsItsMessage) { EXPECT_ERROR(fail("{}: line {} is bad", "x.csv", 3), "x.csv: line 3 is bad"); }

TEST(Error, WrongUsageIsAnErrorToo) { EXPECT_THROW(throw UsageError("no such option"), Error); }

TEST(Error, AnAssertionNamesItsPlace) {
  FILIGREE_ASSERT(1 + 1 == 2);
  const int line = __LINE__ + 2;
  try {
    FILIGREE_ASSERT(1 + 1 == 3);
    ADD_FAILURE() << "no assertion";
  } catch (const std::logic_error& error) {
    const std::string expected =
        fmt::format("internal error: 1 + 1 == 3 does not hold at {}:{}; please report it", __FILE__, line);
    EXPECT_EQ(std::string(error.what()), expected);
  }
}

}  // namespace
}  // namespace filigree
