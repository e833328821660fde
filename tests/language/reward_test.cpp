#include "language/reward.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "language/line_process.h"
#include "support/expect_error.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(Arithmetic, Values) {
  EXPECT_EQ(evaluate_arithmetic("12+7"), 19);
  EXPECT_EQ(evaluate_arithmetic(" 2 + 3 * 4 "), 14);
  EXPECT_EQ(evaluate_arithmetic("(2+3)*-4"), -20);
  EXPECT_EQ(evaluate_arithmetic("10-3-2"), 5);
  EXPECT_EQ(evaluate_arithmetic("24/4/3"), 2);
  EXPECT_EQ(evaluate_arithmetic("--5"), 5);
  for (const char* none : {"", "+", "1+", "(1", "1)", "1 2", "7/2", "7/0", "x", "9223372036854775807+1", "2*(3"}) {
    EXPECT_EQ(evaluate_arithmetic(none), std::nullopt) << none;
  }
  EXPECT_EQ(evaluate_arithmetic(std::string(5000, '(') + "1" + std::string(5000, ')')), std::nullopt);
  EXPECT_EQ(first_integer("it is -12, or 13"), -12);
  EXPECT_EQ(first_integer("19"), 19);
  EXPECT_EQ(first_integer("no"), std::nullopt);
  EXPECT_EQ(first_integer("99999999999999999999"), std::nullopt);
}

TEST(Reward, Arithmetic) {
  const auto reward = arithmetic_reward();
  EXPECT_THAT(reward->score({{"12+7=", "19", ""},
                             {"12+7=", " 190", ""},
                             {"What is (3 - 5) * 2?", "That is -4.", ""},
                             {"Compute 2*3 = ?", "", ""}}),
              ElementsAre(1, 0, 1, 0));
  EXPECT_ERROR(reward->score({{"Hello?", "1", ""}}),
               "the prompt 'Hello?' does not end with arithmetic that has a value, such as 12+7=");
}

TEST(Reward, ExactAndExpression) {
  EXPECT_THAT(exact_match_reward()->score({{"q", " yes\n", "yes"}, {"q", "Yes", "yes"}}), ElementsAre(1, 0));
  EXPECT_ERROR(exact_match_reward()->score({{"q", "a", ""}}),
               "the prompt 'q' has no answer that responses could be compared with; add \"answer\"");
  EXPECT_THAT(regex_reward("^\\d+$")->score({{"", "42", ""}, {"", "42a", ""}, {"", "", ""}}), ElementsAre(1, 0, 0));
  EXPECT_THROW(regex_reward("(")->score({}), Error);
}

TEST(Reward, ByName) {
  EXPECT_THAT(make_reward("arithmetic")->score({{"1+1=", "2", ""}}), ElementsAre(1));
  EXPECT_THAT(make_reward("exact")->score({{"", "2", "2"}}), ElementsAre(1));
  EXPECT_THAT(make_reward("regex:a:b")->score({{"", "a:b", ""}}), ElementsAre(1));
  EXPECT_THAT(make_reward("command:while read l; do echo 3; done")->score({{"", "", ""}}), ElementsAre(3));
  for (const std::string words : {"exakt", "regex", "regex:", "command:"}) {
    EXPECT_ERROR(make_reward(words),
                 "no reward is called '" + words + "' (one of: exact, arithmetic, regex:PATTERN, command:COMMAND)");
  }
}

/// Scores three samples with a shell script.
std::vector<double> scores(const std::string& script, double seconds = 20) {
  return command_reward(script, seconds)->score({{"p", "short", "a"}, {"p", "quite \"long\"\n", "a"}, {"p", "", ""}});
}

TEST(CommandReward, GetsJsonAndAnswersNumbers) {
  EXPECT_THAT(scores("while read -r line; do echo ${#line}; done"), ElementsAre(46, 57, 40));
  EXPECT_THAT(scores("n=0; while read -r line; do n=$((n+1)); echo \" $n.5 \"; done"), ElementsAre(1.5, 2.5, 3.5));
  // Started once: it counts on.
  const auto reward = command_reward("n=0; while read -r line; do n=$((n+1)); echo $n; done");
  EXPECT_THAT(reward->score({{"a", "b", ""}, {"a", "b", ""}}), ElementsAre(1, 2));
  EXPECT_THAT(reward->score({{"a", "b", ""}}), ElementsAre(3));
}

TEST(CommandReward, BearsMuchDataBothWays) {
  // More than pipes hold, in both directions, and answers only at the end.
  const RewardSample sample{"p", std::string(5000, 'x'), ""};
  const std::string script =
      "n=0; while [ $n -lt 200 ]; do read -r line; n=$((n+1)); done; while [ $n -gt 0 ]; do "
      "printf '%01000d\\n' 7; n=$((n-1)); done";
  const auto reward = command_reward(script);
  EXPECT_THAT(reward->score(std::vector<RewardSample>(200, sample)), testing::Each(7));
}

TEST(CommandReward, Errors) {
  EXPECT_ERROR(
      scores("read l; echo 1; echo two; echo 3; cat > /dev/null"),
      "the reward command 'read l; echo 1; echo two; echo 3; cat > /dev/null' printed 'two' for line 2; expected one "
      "number a line");
  EXPECT_ERROR(
      scores("read l; echo nan; echo 1; echo 1; cat > /dev/null"),
      "the reward command 'read l; echo nan; echo 1; echo 1; cat > /dev/null' printed 'nan' for line 1; expected one "
      "number a line");
  EXPECT_ERROR(scores("read l; echo 1; exit 3"),
               "the reward command 'read l; echo 1; exit 3' ended with status 3 before it answered line 2 of 3");
  EXPECT_ERROR(scores("read l; kill -9 $$"),
               "the reward command 'read l; kill -9 $$' was ended by signal 9 before it answered line 1 of 3");
  EXPECT_ERROR(scores("cat > /dev/null", 0.2),
               "the reward command 'cat > /dev/null' gave no answer to line 1 of 3 within 0.2 s");
  EXPECT_ERROR(
      scores("exec >&-; cat > /dev/null; sleep 60"),
      "the reward command 'exec >&-; cat > /dev/null; sleep 60' closed its output before it answered line 1 of 3");
  try {
    scores("read l; printf '1\\n2\\n3\\n4\\n'; cat > /dev/null");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("printed more than one line for each of the 3 it got"));
  }
  try {
    scores("no-such-program-anywhere 2> /dev/null");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("ended with status 127 before it answered line 1 of 3"));
  }
  const auto early = command_reward("echo hello; cat");
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_ERROR(early->score({{"", "", ""}}),
               "the reward command 'echo hello; cat' printed a line before it got one: 'hello'");
  const auto gone = command_reward("exit 0");
  EXPECT_THROW(gone->score({{"", "", ""}}), Error);
  EXPECT_ERROR(gone->score({{"", "", ""}}), "the reward command 'exit 0' has ended before");
}

TEST(CommandReward, StopsWithTheWork) {
  request_cancel();
  EXPECT_ERROR(scores("cat > /dev/null"),
               "the reward command 'cat > /dev/null' was not waited for: the work was stopped");
  reset_cancel();
}

TEST(LineProcess, EndsWhatHangs) {
  const auto begin = std::chrono::steady_clock::now();
  { const LineProcess process("trap '' TERM; sleep 100 & sleep 100"); }
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 10);
}

}  // namespace
}  // namespace filigree::language
