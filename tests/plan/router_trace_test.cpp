#include "plan/router_trace.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace filigree::plan {
namespace {

using testing::ElementsAre;

std::string error_of(const std::string& text, std::int64_t experts = 0) {
  try {
    parse_router_trace(text, "t.csv", experts);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

const std::string header = "step,layer,expert,tokens\n";

TEST(RouterTrace, ReadsTheExampleOfTheHeader) {
  const RouterTrace trace = parse_router_trace(header + "0,3,0,4\n0,3,1,2\n0,4,1,6\n", "t.csv");
  EXPECT_THAT(trace.steps(), ElementsAre(0));
  EXPECT_THAT(trace.layers(), ElementsAre(3, 4));
  EXPECT_EQ(trace.experts(), 2);
  EXPECT_THAT(trace.counts(0, 0), ElementsAre(4, 2));
  EXPECT_THAT(trace.counts(0, 1), ElementsAre(0, 6));
  EXPECT_EQ(trace.total(0, 1), 6);
}

TEST(RouterTrace, TakesRowsInAnyOrderAndOtherColumns) {
  const RouterTrace trace =
      parse_router_trace("tokens,note,expert,layer,step\n5,,1,0,20\n1,a,0,0,10\n2,b,1,0,10\n1,c,0,0,20\n", "t.csv", 4);
  EXPECT_THAT(trace.steps(), ElementsAre(10, 20));
  EXPECT_THAT(trace.counts(0, 0), ElementsAre(1, 2, 0, 0));
  EXPECT_THAT(trace.counts(1, 0), ElementsAre(1, 5, 0, 0));  // steps may differ in tokens
}

TEST(RouterTrace, WritesWhatItReads) {
  RouterTrace trace({100, 150}, {3, 4, 7}, 5);
  std::int64_t value = 1;
  for (std::size_t step = 0; step < 2; ++step) {
    for (std::size_t layer = 0; layer < 3; ++layer) {
      const auto counts = trace.counts(step, layer);
      counts[layer] = value;  // the last expert stays 0
      counts[3] = 100 - value++;
    }
  }
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / "filigree_router_trace_test" / "trace.csv";
  write_router_trace(path, trace);
  const RouterTrace again = read_router_trace(path);
  std::filesystem::remove_all(path.parent_path());
  EXPECT_EQ(to_csv(again), to_csv(trace));
  EXPECT_EQ(again.experts(), 5);
  EXPECT_THAT(again.counts(1, 2), ElementsAre(0, 0, 6, 94, 0));
}

TEST(RouterTrace, RefusesCountsThatDoNotAddUp) {
  EXPECT_EQ(error_of(header + "3,0,0,8192\n3,7,0,8000\n3,7,1,190\n"),
            "t.csv: counts do not add up: step 3 layer 7 has 8,190 assignments, layer 0 has 8,192");
  EXPECT_EQ(error_of(header + "0,0,0,5\n0,1,0,5\n1,1,0,5\n"),
            "t.csv: counts do not add up: step 1 layer 0 has 0 assignments, layer 1 has 5");
  EXPECT_EQ(error_of(header + "0,0,0,5\n0,1,0,5\n1,0,0,5\n2,0,0,5\n2,1,0,5\n"),
            "t.csv: counts do not add up: step 1 layer 1 has 0 assignments, layer 0 has 5");
  EXPECT_EQ(error_of(header + "0,0,0,0\n0,1,0,0\n"),
            "t.csv: step 0 has no assignments; leave out steps without tokens");
}

TEST(RouterTrace, RefusesARowTwice) {
  EXPECT_EQ(error_of(header + "0,0,1,5\n0,0,0,5\n0,0,1,6\n"),
            "t.csv: line 4: step 0 layer 0 expert 1 is already on line 2; keep one of them");
}

TEST(RouterTrace, RefusesWhatIsNoCount) {
  EXPECT_EQ(error_of(header + "0,0,0,1.5\n"), "t.csv: line 2, column 'tokens': expected a whole number, got '1.5'");
  EXPECT_EQ(error_of(header + "0,0,0,1e3\n"), "t.csv: line 2, column 'tokens': expected a whole number, got '1e3'");
  EXPECT_EQ(error_of(header + "0,0,0,\n"), "t.csv: line 2, column 'tokens': expected a whole number, got ''");
  EXPECT_EQ(error_of(header + "0,-1,0,3\n"),
            "t.csv: line 2, column 'layer': expected a number that is not negative, got -1");
  EXPECT_EQ(error_of(header + "0,0,0,2000000000000\n"),
            "t.csv: line 2, column 'tokens': 2000000000000 is too large, expected at most 1099511627776");
}

TEST(RouterTrace, RefusesAnExpertOutOfRange) {
  EXPECT_EQ(error_of(header + "0,0,8,3\n", 8),
            "t.csv: line 2, column 'expert': expert 8 is out of range, expected 0 to 7");
  EXPECT_EQ(error_of(header + "0,0,1000000,3\n"),
            "t.csv: line 2, column 'expert': expert 1000000 is out of range, expected 0 to 16383");
}

TEST(RouterTrace, RefusesAFileWithoutColumnsOrRows) {
  EXPECT_THAT(error_of("step,layer,expert,token\n0,0,0,1\n"),
              testing::HasSubstr("no column 'tokens'; did you mean 'token'"));
  EXPECT_EQ(error_of(header), "t.csv: has no rows, expected counts by step, layer and expert");
  EXPECT_THROW(read_router_trace("no_such_trace.csv"), Error);
}

}  // namespace
}  // namespace filigree::plan
