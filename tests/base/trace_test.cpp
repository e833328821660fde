#include "base/trace.h"

#include <cstdio>
#include <limits>

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"

namespace filigree {
namespace {

Json events_of(const Trace& trace) { return parse_json(trace.text(), "trace").at("traceEvents"); }

TEST(Trace, AnEmptyOneIsValid) {
  const Trace trace;
  EXPECT_EQ(trace.text(), "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n]}\n");
  EXPECT_EQ(trace.num_events(), 0u);
}

TEST(Trace, WritesOneEventALine) {
  Trace trace;
  trace.slice({.row = {0, 1}, .name = "F0", .begin_us = 1.5, .duration_us = 2});
  trace.counter(0, "memory GiB", 3, 40.25);
  EXPECT_EQ(trace.text(),
            "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
            R"({"ph":"X","name":"F0","pid":0,"tid":1,"ts":1.500,"dur":2.000},)"
            "\n"
            R"({"ph":"C","name":"memory GiB","pid":0,"ts":3.000,"args":{"value":40.25}})"
            "\n]}\n");
  EXPECT_EQ(trace.num_events(), 2u);
}

TEST(Trace, NamesProcessesAndThreads) {
  Trace trace;
  trace.name_process(3, "stage 3");
  trace.name_thread({3, 1}, "compute");
  const Json events = events_of(trace);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0], parse_json(R"({"ph":"M","name":"process_name","pid":3,"tid":0,"args":{"name":"stage 3"}})", ""));
  EXPECT_EQ(events[1],
            parse_json(R"({"ph":"M","name":"process_sort_index","pid":3,"tid":0,"args":{"sort_index":3}})", ""));
  EXPECT_EQ(events[2], parse_json(R"({"ph":"M","name":"thread_name","pid":3,"tid":1,"args":{"name":"compute"}})", ""));
  EXPECT_EQ(events[3],
            parse_json(R"({"ph":"M","name":"thread_sort_index","pid":3,"tid":1,"args":{"sort_index":1}})", ""));
}

TEST(Trace, KeepsCategoryAndArguments) {
  Trace trace;
  Json args;
  args["bytes"] = 1024;
  args["tier"] = "inter-node";
  trace.slice({.row = {}, .name = "all-to-all", .begin_us = 0, .duration_us = 1, .category = "comm", .args = args});
  const Json event = events_of(trace)[0];
  EXPECT_EQ(event.at("cat"), "comm");
  EXPECT_EQ(event.at("args"), args);
}

TEST(Trace, EscapesTexts) {
  Trace trace;
  const std::string name = "a \"b\" \\ \n µ";
  trace.slice({.row = {}, .name = name});
  EXPECT_EQ(events_of(trace)[0].at("name"), name);
  Trace broken;
  broken.slice({.row = {}, .name = "\xFF"});  // not UTF-8
  EXPECT_EQ(events_of(broken)[0].at("name"), "\xEF\xBF\xBD");
}

TEST(Trace, ArrowsJoinTwoRows) {
  Trace trace;
  trace.arrow({0, 1}, 5, {1, 2}, 8);
  trace.arrow({1, 2}, 9, {0, 1}, 10);
  const Json events = events_of(trace);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].at("ph"), "s");
  EXPECT_EQ(events[0].at("pid"), 0);
  EXPECT_EQ(events[0].at("ts"), 5);
  EXPECT_EQ(events[1].at("ph"), "f");
  EXPECT_EQ(events[1].at("bp"), "e");
  EXPECT_EQ(events[1].at("tid"), 2);
  EXPECT_EQ(events[1].at("id"), events[0].at("id"));
  EXPECT_NE(events[2].at("id"), events[0].at("id"));
}

TEST(Trace, ATimeThatIsNoneIsOurMistake) {
  Trace trace;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW(trace.slice({.row = {}, .name = "x", .begin_us = kInfinity}), std::logic_error);
  EXPECT_THROW(trace.slice({.row = {}, .name = "x", .duration_us = -1}), std::logic_error);
  EXPECT_THROW(trace.slice({.row = {}, .name = "x", .args = Json(3)}), std::logic_error);
  EXPECT_THROW(trace.counter(0, "x", 0, kInfinity), std::logic_error);
  EXPECT_EQ(trace.num_events(), 0u);
}

TEST(Trace, IsWritten) {
  Trace trace;
  trace.slice({.row = {}, .name = "x", .duration_us = 1});
  const std::string path = testing::TempDir() + "filigree_trace_test.json";
  trace.write(path);
  EXPECT_EQ(read_file(path), trace.text());
  std::remove(path.c_str());
  EXPECT_THROW(trace.write("/dev/null/trace.json"), Error);
}

}  // namespace
}  // namespace filigree
