#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/text.h"
#include "program.h"
#include "support/paths.h"

/// `filigree lm chat`, on the small model of the reference case with a tokenizer of characters.
namespace filigree::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class ChatCommand : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path model = fs::path(reference_dir()) / "pangu";
    if (!fs::is_directory(model)) GTEST_SKIP() << "no reference case at " << model.string();
    model_ = model.string();
    const std::string letters = inputs_.write("letters.txt", "abcdefghijklmnopqrstuvwxyzAU: \n");
    tokenizer_ = inputs_.path("tokenizer");
    run({"lm", "tokenize", "--train", letters, "--kind", "characters", "--output", tokenizer_});
  }

  Words chat(Words more) const {
    Words words{"lm", "chat", "--model", model_, "--tokenizer", tokenizer_, "--greedy", "-n", "8"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::string model_, tokenizer_;
  Folder inputs_, folder_;
};

TEST_F(ChatCommand, EveryLineOfAFileIsATurn) {
  const std::string saved = folder_.path("talk.json");
  const std::string input = "hello\n\nagain\n/save " + saved + "\n/new\nhello\n/quit\nnever\n";
  const Ran ran = run_with_input(chat({"--json", "--system", "be kind"}), input);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "wrote " + saved + "\n");
  std::vector<Json> answers;
  for (const std::string& line : text::split(ran.out, '\n')) {
    if (!line.empty()) answers.push_back(parse_json(line, "answer"));
  }
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0]["reused_tokens"], 0);
  EXPECT_GE(answers[1]["reused_tokens"], answers[0]["prompt_tokens"]);
  EXPECT_EQ(answers[2]["ids"], answers[0]["ids"]);
  EXPECT_EQ(answers[2]["prompt_tokens"], answers[0]["prompt_tokens"]);
  const Json talk = parse_json(read_file(saved), saved);
  ASSERT_EQ(talk["messages"].size(), 5U);
  EXPECT_EQ(talk["messages"][0]["content"], "be kind");
  EXPECT_EQ(talk["messages"][3]["content"], "again");
  EXPECT_EQ(talk["messages"][4]["content"], answers[1]["answer"]);
}

TEST_F(ChatCommand, AnswersAreText) {
  const Ran json = run_with_input(chat({"--json"}), "//hello");
  const Ran plain = run_with_input(chat({}), "//hello");
  ASSERT_EQ(plain.code, 0) << plain.err;
  EXPECT_THAT(plain.out, HasSubstr(parse_json(json.out, "answer")["answer"].get<std::string>()));
  EXPECT_TRUE(plain.out.ends_with("\n"));
}

/// The model's folder together with the tokenizer.
class GenerateFile : public ChatCommand {
 protected:
  void SetUp() override {
    ChatCommand::SetUp();
    if (IsSkipped()) return;
    whole_ = inputs_.path("whole");
    fs::create_directory(whole_);
    for (const std::string& folder : {model_, tokenizer_}) {
      for (const auto& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with("reference")) fs::create_symlink(entry.path(), whole_ + "/" + name);
      }
    }
  }

  Words generate(Words more) const {
    Words words{"lm", "generate", "--model", whole_, "--greedy", "-n", "6"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  std::string whole_;
};

TEST_F(GenerateFile, PromptsOfAFileTogetherGiveWhatEachGivesAlone) {
  const std::vector<std::string> prompts{"hello", "a red fox", "xyz"};
  const std::string lines = inputs_.write("p.txt", "hello\r\n\na red fox\nxyz");
  const std::string objects = inputs_.write(
      "p.jsonl", "{\"prompt\": \"hello\", \"n\": 1}\n{\"prompt\": \"a red fox\"}\n{\"prompt\": \"xyz\"}\n");
  for (const std::string& file : {lines, objects}) {
    const Ran ran = run(generate({"--prompts", file, "--batch", "2", "--json"}));
    ASSERT_EQ(ran.code, 0) << ran.err;
    const std::vector<std::string> out = text::split(ran.out, '\n');
    ASSERT_EQ(out.size(), 4U) << ran.out;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const Json json = parse_json(out[i], "line"), alone = run_json(generate({"--prompt", prompts[i], "--json"}));
      EXPECT_EQ(json["prompt"], prompts[i]);
      EXPECT_EQ(json["ids"], alone["ids"]);
      EXPECT_EQ(json["text"], alone["text"]);
    }
  }
  const Ran plain = run(generate({"--prompts", lines}));
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_THAT(plain.out, HasSubstr("\n\na red fox"));
}

TEST_F(GenerateFile, StopStringsEndTheirOwnRow) {
  const std::string file = inputs_.write("p.txt", "hello\na red fox\n");
  const Json alone = run_json(generate({"--prompt", "hello", "--json"}));
  const std::string text = alone["text"].get<std::string>();
  // Its second character.
  const auto next = [&](std::size_t at) {
    for (++at; at < text.size() && (text[at] & 0xC0) == 0x80;) ++at;
    return at;
  };
  const std::size_t second_at = next(0);
  if (second_at >= text.size()) GTEST_SKIP() << "this model's text is too short to be cut: '" << text << "'";
  const std::string stop = text.substr(second_at, next(second_at) - second_at);
  const Ran ran = run(generate({"--prompts", file, "--json", "--stop", stop}));
  const Json first = parse_json(text::split(ran.out, '\n')[0], "line"),
             second = parse_json(text::split(ran.out, '\n')[1], "line");
  EXPECT_EQ(first["text"], text.substr(0, text.find(stop)));
  EXPECT_EQ(second["text"], run_json(generate({"--prompt", "a red fox", "--json", "--stop", stop}))["text"]);
}

TEST_F(GenerateFile, BadInput) {
  const auto error = [&](const std::string& name, const std::string& content, const std::string& message) {
    const std::string file = inputs_.write(name, content);
    expect_failure(folder_, generate({"--prompts", file}), 1, message);
  };
  error("p.txt", "\n \n", "p.txt: has no prompts; expected one on each line");
  error("p.txt", "a\nb\xff\n", "p.txt: line 2");
  error("p.jsonl", "{\"prompt\": \"a\"}\n{\"text\": \"a\"}\n",
        "p.jsonl: line 2: expected an object with the key \"prompt\"");
  error("p.jsonl", "{\"prompt\": 3}\n", "p.jsonl: line 1: prompt must be a text");
  error("p.jsonl", "{\"prompt\": \"\"}\n", "p.jsonl: line 1: the prompt is empty");
  error("p.jsonl", "{\n", "p.jsonl: line 1");
  expect_failure(folder_, generate({"--prompts", folder_.path("none")}), 1, "none");
  expect_failure(folder_, generate({"--prompts", "a", "--prompt", "b"}), 2,
                 "give one of --prompt, --prompt-ids and --prompts");
  expect_failure(folder_, generate({"--prompts", "a", "--batch", "0"}), 2, "--batch");
  expect_failure(folder_, generate({"--prompt", "a", "--stop", "\xff"}), 2, "--stop");
}

TEST_F(ChatCommand, BadInput) {
  Ran ran = run_with_input(chat({}), "/sing\n");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err,
            "filigree: there is no command '/sing': /new begins again, /save FILE writes the conversation, /quit ends; "
            "what begins with / to the model is written with //\n");
  ran = run_with_input(chat({}), "/save\n");
  EXPECT_THAT(ran.err, HasSubstr("there is no command '/save'"));
  ran = run_with_input(chat({}), "/save " + tokenizer_ + "/tokenizer.json/talk.json\n");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("tokenizer.json"));
  ran = run_with_input(chat({}), "\xff\n");
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("UTF-8"));
  expect_failure(folder_, chat({"--template", "jinja"}), 2, "no chat template is called 'jinja'");
  expect_failure(folder_, chat({"--template", "chatml"}), 1, "needs the token '<|im_start|>'");
  expect_failure(folder_, {"lm", "chat", "--model", folder_.path("none")}, 1, "none");
  expect_failure(folder_, {"lm", "chat", "--model", model_}, 1, model_);
  expect_failure(folder_, {"lm", "chat"}, 2, "--model");
}

}  // namespace
}  // namespace filigree::test
