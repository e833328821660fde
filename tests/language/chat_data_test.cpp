#include "language/chat_data.h"

#include <filesystem>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "small_models.h"
#include "support/expect_error.h"
#include "text/train.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using text::Role;

constexpr std::int64_t kNone = -100;

/// Tokens by characters, with eos and the tokens of chatml as special ones.
class ChatDataTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_);
    const std::string letters = write("letters.txt", "0123456789abcdefghijklmnopqrstuvwxyzABCU+=: \n");
    const auto trained = text::train_characters({letters}, {"</s>", "<|im_start|>", "<|im_end|>"});
    text::save_tokenizer(trained, folder_ / "tokenizer");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) const {
    write_file(folder_ / name, content);
    return (folder_ / name).string();
  }

  text::Tokenizer tokenizer() const { return text::load_tokenizer(folder_ / "tokenizer"); }
  std::int64_t id(const std::string& piece) const { return tokenizer().find(piece).value(); }

  std::vector<Dialogue> read(const std::string& content) const { return read_dialogues(write("d.jsonl", content)); }

  /// The message of the error that a file with this content gives.
  std::string error_of(const std::string& content, bool prompts = false) const {
    const std::string path = write("d.jsonl", content);
    try {
      prompts ? read_prompts(path) : read_dialogues(path);
    } catch (const Error& error) {
      const std::string words = error.what();
      EXPECT_TRUE(words.starts_with(path)) << words;
      return words.substr(path.size());
    }
    ADD_FAILURE() << "no error for " << content;
    return {};
  }

  fs::path folder_ = fs::path(testing::TempDir()) / "filigree_chat_data";
};

TEST_F(ChatDataTest, BothForms) {
  const std::vector<Dialogue> found = read(R"({"prompt": "a", "response": "b", "answer": "c", "source": 7}

{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "x"}]})");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].messages[1].role, Role::assistant);
  EXPECT_EQ(found[0].messages[1].content, "b");
  EXPECT_EQ(found[0].answer, "c");
  EXPECT_EQ(found[1].messages.size(), 3U);
  const std::vector<Dialogue> prompts = read_prompts(write("p.jsonl", R"({"prompt": "1+2=", "answer": "3"})"));
  EXPECT_EQ(prompts[0].messages.size(), 1U);
  EXPECT_EQ(prompts[0].answer, "3");
}

TEST_F(ChatDataTest, Errors) {
  const std::string good = R"({"prompt": "a", "response": "b"})";
  EXPECT_EQ(error_of(good + "\n\n{\"prompt\": \n"),
            ", line 3: is not valid JSON: it ends too early at line 1, column 11");
  EXPECT_EQ(error_of("{\"prompt\": \"a\xff\"}"), ", line 1: byte 13 is not UTF-8");
  EXPECT_EQ(error_of("[1]"), ", line 1: must be a JSON object");
  EXPECT_EQ(error_of("{}"), ", line 1: needs either messages, or prompt with response");
  EXPECT_EQ(error_of(R"({"prompt": 1})"), ", line 1: prompt must be a text");
  EXPECT_EQ(error_of(R"({"prompt": "1", "response": "2", "answer": 2})"), ", line 1: answer must be a text");
  EXPECT_EQ(error_of(R"({"messages": []})"), ", line 1: messages must be a list of at least one message");
  EXPECT_EQ(error_of(R"({"messages": [{"role": "user"}]})"),
            ", line 1: messages[0] must be an object with role and content");
  EXPECT_EQ(error_of(R"({"messages": [{"role": "assistent", "content": ""}]})"),
            ", line 1: messages[0]: no role is called 'assistent'; did you mean 'assistant'? (one of: system, user, "
            "assistant, tool)");
  EXPECT_EQ(error_of(R"({"messages": [{"role": "user", "content": "a"}, {"role": "system", "content": "a"}]})"),
            ", line 1: messages[1] is a system message; only the first one may be");
  EXPECT_EQ(
      error_of(good + "\n" + R"({"messages": [{"role": "user", "content": "a"}]})"),
      ", line 2: the assistant says nothing, so there is nothing to learn; add a response or an assistant message");
  EXPECT_EQ(error_of("\n \n"), ": holds no conversation; expected one JSON object a line");
  EXPECT_EQ(error_of(good, true), ", line 1: ends with the assistant's answer; a prompt ends before it");
}

TEST_F(ChatDataTest, Formats) {
  const std::vector<text::Message> talk{{Role::user, "ab"}, {Role::assistant, "c"}};
  const ChatFormat none(tokenizer(), "none");
  const text::ChatIds raw = none.encode(talk);
  EXPECT_THAT(raw.ids, ElementsAre(id("a"), id("b"), id("c"), id("</s>")));
  EXPECT_THAT(raw.assistant, ElementsAre(false, false, true, true));
  EXPECT_THAT(none.encode_prompt({talk[0]}), ElementsAre(id("a"), id("b")));
  EXPECT_THAT(none.stop_ids(), ElementsAre(id("</s>")));
  const ChatFormat chatml(tokenizer(), "chatml");
  const text::ChatIds marked = chatml.encode(talk);
  const std::vector<std::int64_t> begin = chatml.encode_prompt({talk[0]});
  ASSERT_LT(begin.size(), marked.ids.size());
  for (std::size_t i = 0; i < begin.size(); ++i) EXPECT_EQ(begin[i], marked.ids[i]);
  EXPECT_TRUE(marked.assistant[begin.size()]);
  EXPECT_FALSE(marked.assistant[begin.size() - 1]);
  EXPECT_THAT(chatml.stop_ids(), ElementsAre(id("</s>"), id("<|im_end|>")));
  EXPECT_EQ(ChatFormat(tokenizer(), "").name(), "plain");
  EXPECT_EQ(none.answer_text({id(" "), id("4"), id("2"), id("</s>")}), "42");
  EXPECT_ERROR(ChatFormat(tokenizer(), "chatlm"),
               "no chat template is called 'chatlm'; did you mean 'chatml'? (there "
               "are: chatml, llama3, pangu, plain)");
  text::save_tokenizer(text::train_characters({folder_ / "letters.txt"}, {}), folder_ / "bare");
  EXPECT_ERROR(ChatFormat(text::load_tokenizer(folder_ / "bare"), "none"),
               (folder_ / "bare/tokenizer.json").string() +
                   ": has no eos token, which ends an answer where no chat template does");
}

TEST_F(ChatDataTest, PacksMasksAndCuts) {
  const ChatFormat format(tokenizer(), "none");
  const std::vector<Dialogue> dialogues = read(R"({"prompt": "ab", "response": "c"}
{"prompt": "d", "response": "ef"}
{"prompt": "ghijk", "response": "lmnop"}
{"prompt": "qrstuvwxyz", "response": "0"}
{"prompt": "1", "response": "2"})");
  const ChatData data(format, dialogues, 8, 100);
  EXPECT_EQ(data.num_samples(), 4);
  EXPECT_EQ(data.num_cut(), 1);
  EXPECT_EQ(data.num_dropped(), 1);
  EXPECT_EQ(data.num_rows(), 3);
  EXPECT_EQ(data.num_tokens(), 8 + 4 + 4 + 3);
  EXPECT_EQ(data.num_learned(), 3 + 2 + 3 + 2);
  EXPECT_EQ(data.summary(),
            "4 conversations in 3 rows of 8 tokens, 79 % full; 10 of 19 tokens are learned; 1 were cut at 8 tokens; 1 "
            "were left out, as the assistant speaks too late in them");
  EXPECT_EQ(data.num_learned({1, 2}), 7);
  const ChatBatch batch = data.batch({1, 2}, at::kCPU);
  const auto row = [](const at::Tensor& tensor, std::int64_t i) {
    const at::Tensor one = tensor.select(0, i).contiguous();
    return std::vector<std::int64_t>(one.data_ptr<std::int64_t>(), one.data_ptr<std::int64_t>() + one.numel());
  };
  const std::int64_t eos = id("</s>"), c = id("c"), e = id("e"), f = id("f");
  EXPECT_THAT(row(batch.ids_BT, 0), ElementsAre(id("a"), id("b"), c, eos, id("d"), e, f, eos));
  EXPECT_THAT(row(batch.target_BT, 0), ElementsAre(kNone, c, eos, kNone, e, f, eos, kNone));
  EXPECT_THAT(row(batch.second_BT, 0), ElementsAre(c, eos, kNone, kNone, f, eos, kNone, kNone));
  EXPECT_THAT(row(batch.position_BT, 0), ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));
  EXPECT_THAT(row(batch.part_BT, 0), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));
  EXPECT_THAT(row(batch.part_BT, 1), ElementsAre(0, 0, 0, -1, -1, -1, -1, -1));
  EXPECT_THAT(row(batch.target_BT, 1), ElementsAre(id("2"), eos, kNone, kNone, kNone, kNone, kNone, kNone));
  EXPECT_ERROR(ChatData(format, {dialogues[3]}, 8, 100),
               "none of 1 conversations has a word of the assistant within its first 8 tokens; choose longer rows");
  EXPECT_ERROR(
      ChatData(format, {dialogues[4]}, 8, 3),
      fmt::format("conversation 1: the token '1' has the id {}, which is not within the model's 0 … 2; is this "
                  "its tokenizer?",
                  id("1")));
}

TEST_F(ChatDataTest, NeighboursInARowAreNotSeen) {
  const c10::NoGradGuard no_grad;
  const Model model = test::small_model("pangu");
  const ChatFormat format(tokenizer(), "none");
  const std::vector<Dialogue> both = read(R"({"prompt": "abc", "response": "d"}
{"prompt": "0", "response": "12"})");
  const std::int64_t vocabulary = model.config().model.vocabulary;
  const ChatBatch packed = ChatData(format, both, 9, vocabulary).batch({0}, at::kCPU);
  const at::Tensor together = model.forward(packed.ids_BT, make_pass(model, packed)).logits_BTV;
  std::int64_t begin = 0;
  for (const Dialogue& dialogue : both) {
    const ChatBatch alone = ChatData(format, {dialogue}, 9, vocabulary).batch({0}, at::kCPU);
    const std::int64_t size = (alone.part_BT == 0).sum().item<std::int64_t>();
    const at::Tensor expected = model.forward(alone.ids_BT.narrow(1, 0, size)).logits_BTV;
    EXPECT_LE((together.narrow(1, begin, size) - expected).abs().max().item<double>(), 1e-5);  // float32
    begin += size;
  }
  EXPECT_TRUE(at::isfinite(together).all().item<bool>());  // the padding too
}

}  // namespace
}  // namespace filigree::language
