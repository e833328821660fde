#include "language/chat.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "language/text_stream.h"
#include "small_models.h"
#include "support/expect_error.h"
#include "text/train.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int64_t>;

/// The small model with a tokenizer of characters that has the tokens of chatml.
class ChatTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    write_file(folder_ / "letters.txt", "abcdefghijklmnopqrstuvwxyzAU: \n");
    const auto trained = text::train_characters({folder_ / "letters.txt"}, {"</s>", "<|im_start|>", "<|im_end|>"});
    text::save_tokenizer(trained, folder_ / "tokenizer");
  }
  void TearDown() override {
    fs::remove_all(folder_);
    reset_cancel();
  }

  text::Tokenizer tokenizer() const { return text::load_tokenizer(folder_ / "tokenizer"); }
  ChatFormat format(const std::string& name = "chatml") const { return {tokenizer(), name}; }

  /// Tokens of text with special tokens by name.
  Ids ids_of(const std::string& words) const {
    const auto ids = tokenizer().encode(words, {.add_special = false});
    return {ids.begin(), ids.end()};
  }

  fs::path folder_ = fs::path(testing::TempDir()) / "filigree_chat";
  Model model_ = test::small_model("pangu");
};

TEST_F(ChatTest, EveryAnswerContinuesTheTokensOfAll) {
  const GenerateOptions options{.max_new_tokens = 5};
  Chat chat(model_, format(), {.generate = options, .system = "be"});
  std::string shown;
  const ChatAnswer first = chat.say("a", [&](const std::string& part) { shown += part; });
  Ids all = ids_of("<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
  GenerateOptions stopping = options;
  stopping.stop_ids = format().stop_ids();
  EXPECT_EQ(first.ids, generate(model_, {all}, stopping).ids[0]);
  EXPECT_EQ(first.prompt_tokens, static_cast<std::int64_t>(all.size()));
  EXPECT_EQ(first.reused_tokens, 0);
  EXPECT_EQ(first.end, AnswerEnd::length);
  EXPECT_NE(shown.find(first.text), std::string::npos);
  // The second answer sees the first as it was drawn, whatever its text would be encoded as, and runs only what is new.
  const auto before = static_cast<std::int64_t>(all.size() + first.ids.size());
  all.insert(all.end(), first.ids.begin(), first.ids.end());
  const Ids more = ids_of("<|im_end|>\n<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\n");
  all.insert(all.end(), more.begin(), more.end());
  const ChatAnswer second = chat.say("b");
  EXPECT_EQ(second.ids, generate(model_, {all}, stopping).ids[0]);
  EXPECT_EQ(second.reused_tokens, before - 1);
}

TEST_F(ChatTest, TurnsWithoutRoles) {
  const GenerateOptions options{.max_new_tokens = 4};
  Chat chat(model_, format("none"), {.generate = options});
  GenerateOptions stopping = options;
  stopping.stop_ids = format("none").stop_ids();
  Ids all = ids_of("abc");
  for (int turn = 0; turn < 3; ++turn) {
    const ChatAnswer answer = chat.say(turn == 0 ? "abc" : "de");
    EXPECT_EQ(answer.ids, generate(model_, {all}, stopping).ids[0]) << turn;
    all.insert(all.end(), answer.ids.begin(), answer.ids.end());
    if (answer.end == AnswerEnd::length) all.push_back(*tokenizer().named().eos);
    const Ids next = ids_of("de");
    all.insert(all.end(), next.begin(), next.end());
  }
  EXPECT_EQ(chat.messages().size(), 6U);
  chat.restart();
  EXPECT_TRUE(chat.messages().empty());
  EXPECT_EQ(chat.say("abc").prompt_tokens, 3);
}

TEST_F(ChatTest, StopsAtATextAndWhenCancelled) {
  Chat whole(model_, format("none"), {.generate = {.max_new_tokens = 12}});
  std::string text;
  whole.say("abc", [&](const std::string& part) { text += part; });
  ASSERT_GE(text.size(), 3U);
  const std::string stop = text.substr(text.size() / 2, 2);
  Chat chat(model_, format("none"), {.generate = {.max_new_tokens = 12}, .stop = {stop}});
  std::string shown;
  EXPECT_EQ(chat.say("abc", [&](const std::string& part) { shown += part; }).end, AnswerEnd::stop_text);
  EXPECT_EQ(shown, text.substr(0, text.find(stop)));
  chat.restart();
  const ChatAnswer cut = chat.say("abc", [](const std::string&) { request_cancel(); });
  EXPECT_EQ(cut.end, AnswerEnd::cancelled);
  EXPECT_LT(cut.ids.size(), 12U);
  reset_cancel();
  EXPECT_GT(chat.say("de").ids.size(), 0U);
}

TEST_F(ChatTest, ErrorsLeaveTheConversation) {
  Chat chat(model_, format("none"), {.generate = {.max_new_tokens = 2}});
  const ChatAnswer first = chat.say("a");
  const std::size_t before = 1 + first.ids.size() + (first.end == AnswerEnd::length ? 1 : 0);  // and eos
  EXPECT_THROW(chat.say("\xff"), Error);
  EXPECT_ERROR(chat.say(std::string(70, 'a')),
               "the text has " + std::to_string(before + 70) + " tokens, which fill the model's 64 positions");
  ASSERT_EQ(chat.messages().size(), 2U);
  chat.say("b");
  const Json json = conversation_json(chat.messages());
  EXPECT_EQ(json["messages"].size(), 4U);
  EXPECT_EQ(json["messages"][2].dump(), R"({"role":"user","content":"b"})");
}

TEST_F(ChatTest, StreamsHoldBackWhatMayBecomeAStop) {
  TextStream stream(tokenizer(), {"abc", "zz"});
  std::string parts;
  for (const std::int64_t id : ids_of("xabyab")) parts += stream.push(id) + "|";
  EXPECT_EQ(parts, "x|||aby|||");
  EXPECT_EQ(stream.text(), "xaby");
  EXPECT_FALSE(stream.stopped());
  EXPECT_EQ(stream.push(ids_of("c")[0]), "");
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(stream.push(ids_of("d")[0]) + stream.finish(), "");
  EXPECT_EQ(stream.text(), "xaby");
  TextStream padded(tokenizer(), {});
  EXPECT_EQ(padded.push(ids_of("a")[0]) + padded.push(1000), "a\uFFFD");
  TextStream open(tokenizer(), {"abc"});
  open.push(ids_of("a")[0]);
  EXPECT_EQ(open.finish(), "a");
}

}  // namespace
}  // namespace filigree::language
