#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"

/// `filigree lm sft` and `lm grpo`, on from a small model that `lm train` makes.
namespace filigree::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class PostTraining : public testing::Test {
 protected:
  /// A model for all tests: two steps on some sums, by characters.
  static void SetUpTestSuite() {
    inputs_ = new Folder();
    std::string text, chats, prompts;
    for (int i = 0; i < 200; ++i) {
      text += fmt::format("{}+{}={}\n", i % 10, i / 10 % 10, i % 10 + i / 10 % 10);
      if (i >= 20) continue;
      chats += fmt::format("{{\"prompt\": \"{0}+1=\", \"response\": \"{1}\"}}\n", i % 10, i % 10 + 1);
      prompts += fmt::format("{{\"prompt\": \"{}+1=\", \"answer\": \"{}\"}}\n", i % 10, i % 10 + 1);
    }
    inputs_->write("sums.txt", text);
    inputs_->write("chats.jsonl", chats);
    inputs_->write("prompts.jsonl", prompts);
    const Ran ran = run({"lm", "train", "--model", "pangu-tiny", "--shape",
                         "hidden_size=32,num_hidden_layers=2,intermediate_size=64,moe_intermediate_size=32", "--data",
                         input("sums.txt"), "--output", input("model"), "--steps", "2", "--batch", "2", "--sequence",
                         "32", "--threads", "1"});
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  static void TearDownTestSuite() {
    delete inputs_;
    inputs_ = nullptr;
  }

  static std::string input(const std::string& name) { return inputs_->path(name); }

  /// The words, and of the usual options those that are not among them.
  static Words with_usual(Words words, const std::vector<std::pair<std::string, std::string>>& usual) {
    for (const auto& [option, value] : usual) {
      if (std::find(words.begin(), words.end(), option) != words.end()) continue;
      words.insert(words.end(), {option, value});
    }
    return words;
  }
  static Words sft(Words more) {
    more.insert(more.begin(), {"lm", "sft"});
    return with_usual(more, {{"--model", input("model")},
                             {"--data", input("chats.jsonl")},
                             {"--chat-template", "none"},
                             {"--sequence", "32"},
                             {"--threads", "1"}});
  }
  static Words grpo(Words more) {
    more.insert(more.begin(), {"lm", "grpo"});
    return with_usual(more, {{"--model", input("model")},
                             {"--data", input("prompts.jsonl")},
                             {"--chat-template", "none"},
                             {"--answer-tokens", "3"},
                             {"--threads", "1"}});
  }
  void expect_failure(const Words& words, int code, const std::string& message) const {
    test::expect_failure(folder_, words, code, message);
  }

  static Folder* inputs_;
  Folder folder_;
};

Folder* PostTraining::inputs_ = nullptr;

TEST_F(PostTraining, FineTunesThenReinforces) {
  const std::string tuned = folder_.path("tuned"), learned = folder_.path("learned");
  const Ran first = run(
      sft({"--output", tuned, "--evaluation-data", input("chats.jsonl"), "--steps", "4", "--learning-rate", "0.003"}));
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, testing::AllOf(HasSubstr("step 4, loss "), HasSubstr("eval_loss "), HasSubstr("live.html")));
  EXPECT_THAT(first.err, HasSubstr("20 conversations in "));
  const Json result =
      run_json(grpo({"--model", tuned, "--output", learned, "--reward", "command:while read -r line; do echo 1; done",
                     "--steps", "2", "--group", "2", "--prompts", "2", "--json"}));
  EXPECT_EQ(result["step"], 2);
  EXPECT_TRUE(fs::exists(fs::path(result["model"].get<std::string>()) / "tokenizer.json"));
  const Json again = run_json({"lm", "grpo", "--resume", learned, "--json"});
  EXPECT_EQ(again["step"], 2);
  const Ran text =
      run({"lm", "generate", "--model", result["model"].get<std::string>(), "--prompt", "1+1=", "-n", "2"});
  EXPECT_EQ(text.code, 0) << text.err;
}

TEST_F(PostTraining, BadInput) {
  const std::string out = folder_.path("out");
  expect_failure(sft({}), 2, "give --output for a new run, or --resume");
  expect_failure({"lm", "sft", "--output", out}, 2, "--model is missing");
  expect_failure({"lm", "grpo", "--output", out, "--model", input("model"), "--data", input("prompts.jsonl")}, 2,
                 "--reward is missing");
  expect_failure({"lm", "sft", "--resume", out, "--steps", "5"}, 2, "keeps its settings");
  expect_failure({"lm", "sft", "--resume", out}, 1, "holds no run");
  expect_failure(sft({"--output", out, "--steps", "0"}), 2, "steps");
  expect_failure(sft({"--output", out, "--data", inputs_->write("bad.jsonl", "{\"prompt\": \"a\"}\n")}), 1,
                 "bad.jsonl, line 1: the assistant says nothing");
  expect_failure(sft({"--output", out, "--sequence", "4000"}), 1, "more than the model's");
  expect_failure(sft({"--output", out, "--chat-template", "chatml"}), 1, "needs the token '<|im_start|>'");
  expect_failure(grpo({"--output", out, "--reward", "nice"}), 1, "no reward is called 'nice'");
  expect_failure(grpo({"--output", out, "--reward", "regex:("}), 1, "the reward's expression");
  expect_failure(grpo({"--output", out, "--reward", "exact", "--answer-tokens", "5000"}), 1, "positions");
  expect_failure(grpo({"--output", out, "--reward", "exact", "--average", "mean"}), 2, "average");
}

TEST_F(PostTraining, ARewardThatFailsIsSaid) {
  const Ran ran = run(grpo({"--output", folder_.path("out"), "--reward", "command:read -r l; exit 4", "--steps", "2"}));
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err,
              HasSubstr("the reward command 'read -r l; exit 4' ended with status 4 before it answered line 1"));
}

}  // namespace
}  // namespace filigree::test
