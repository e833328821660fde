#include <atomic>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "samples.h"
#include "support/expect_error.h"
#include "text/train.h"

namespace filigree::text {
namespace {

using Ids = std::vector<TokenId>;

/// A byte-level BPE, a Unigram model and characters, trained on or made of the awkward texts.
Tokenizer trained() {
  const test::TextFolder folder;
  std::string sample;
  for (int i = 0; i < 4; ++i) {
    for (const std::string& text : test::awkward_texts()) sample += text + "\n";
  }
  return read_trained(train_bpe({folder.write("sample.txt", sample)}, {.vocabulary_size = 500}), "trained");
}

TEST(TokenizerTest, TextsComeBackByteForByte) {
  const Tokenizer tokenizer = trained();
  for (const std::string& text : test::awkward_texts()) {
    for (const Specials specials : {Specials::as_ids, Specials::as_text}) {
      EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, {.specials = specials}), {.skip_special = false}), text);
    }
  }
}

TEST(TokenizerTest, StreamingGivesWholeCharactersAndTheSameText) {
  Random random(21);
  for (const Tokenizer& tokenizer : {trained(), test::build(test::small_unigram())}) {
    for (int i = 0; i < 50; ++i) {
      Ids ids;
      for (std::size_t k = 0; k < 30; ++k) {
        ids.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(tokenizer.vocabulary_size()))));
      }
      StreamDecoder stream(tokenizer);
      std::string text;
      for (const TokenId id : ids) {
        const std::string part = stream.push(id);
        EXPECT_EQ(first_invalid_utf8(part), std::nullopt);
        text += part;
      }
      EXPECT_EQ(text + stream.finish(), tokenizer.decode(ids));
    }
  }
  const Tokenizer tokenizer = trained();
  const auto bytes = [&](std::string_view letters) { return *tokenizer.find(letters); };
  StreamDecoder stream(tokenizer);
  EXPECT_EQ(stream.push(bytes("ð")), "");      // F0
  EXPECT_EQ(stream.push(bytes("Ł")), "");      // 9F
  EXPECT_EQ(stream.push(bytes("Ļ")), "");      // 99
  EXPECT_EQ(stream.push(bytes("Ĥ")), "🙂");  // 82
  EXPECT_EQ(stream.push(bytes("ð")), "");
  EXPECT_EQ(stream.finish(), "\ufffd");
}

TEST(TokenizerTest, SeveralThreadsUseOne) {
  const Tokenizer tokenizer = trained();
  std::vector<Ids> expected;
  for (const std::string& text : test::awkward_texts()) expected.push_back(tokenizer.encode(text));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < expected.size(); ++i) {
        wrong += tokenizer.encode(test::awkward_texts()[i]) == expected[i] ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(TokenizerTest, SpecialTokensInTheText) {
  const Tokenizer tokenizer = test::build(test::small_bpe());
  EXPECT_EQ(tokenizer.encode("a<|end|>b"), (Ids{1, 0, 2}));
  EXPECT_EQ(tokenizer.encode("a<|end|>b", {.specials = Specials::as_text}), (Ids{1, 5, 4, 2}));
  EXPECT_EQ(tokenizer.decode(Ids{1, 0, 2}), "ab");
  EXPECT_EQ(tokenizer.decode(Ids{1, 0, 2}, {.skip_special = false}), "a<|end|>b");
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_FALSE(tokenizer.is_special(1));
}

TEST(TokenizerTest, AddedTokensTakeSpacesAndStandAlone) {
  Json json = test::small_bpe();
  json["added_tokens"] = parse_json(
      R"([{"id": 20, "content": "cd", "single_word": true, "normalized": false},
          {"id": 21, "content": "<l>", "lstrip": true, "normalized": false},
          {"id": 22, "content": "<r>", "rstrip": true, "normalized": false},
          {"id": 23, "content": "<r>e", "normalized": false}])",
      "t");
  const Tokenizer tokenizer = test::build(json);
  EXPECT_EQ(tokenizer.encode("cd acd cde cd"), (Ids{20, 6, 1, 3, 4, 6, 3, 4, 5, 6, 20}));
  EXPECT_EQ(tokenizer.encode("a \t<l> b"), (Ids{1, 21, 6, 2}));
  EXPECT_EQ(tokenizer.encode("a <r> \nb"), (Ids{1, 6, 22, 2}));
  EXPECT_EQ(tokenizer.encode("<r>e<r>"), (Ids{23, 22}));
  EXPECT_EQ(tokenizer.vocabulary_size(), 24);
  EXPECT_FALSE(tokenizer.contains(15));
  EXPECT_EQ(tokenizer.decode(Ids{20, 21}), "cd<l>");
}

TEST(TokenizerTest, CuttingAndPadding) {
  const Tokenizer tokenizer = test::build(test::small_unigram());
  EXPECT_EQ(tokenizer.encode("a b a b", {.max_length = 4}), (Ids{2, 3, 2, 1}));
  EXPECT_EQ(tokenizer.encode("a b a b", {.add_special = false, .max_length = 4}), (Ids{2, 3, 2, 4}));
  EXPECT_EQ(tokenizer.encode("a", {.max_length = 1}), (Ids{1}));
  EXPECT_ERROR(tokenizer.encode("a", {.max_length = -1}), "max_length must be at least 0, got -1");
  EXPECT_ERROR(tokenizer.encode("a", {.pad = true}), "padding needs max_length");
  EXPECT_ERROR(tokenizer.encode("a", {.max_length = 9, .pad = true}),
               "small: names neither a pad nor an eos token, so nothing can be padded; name pad_token in "
               "tokenizer_config.json");
  Json two = test::small_unigram();
  two["post_processor"]["single"].insert(two["post_processor"]["single"].begin(), two["post_processor"]["single"][1]);
  EXPECT_ERROR(test::build(two).encode("a", {.max_length = 1}),
               "max_length 1 leaves no room for the 2 tokens that small puts around a text");
}

TEST(TokenizerTest, SaysWhatIsWrong) {
  const Tokenizer tokenizer = test::build(test::small_bpe());
  EXPECT_ERROR(tokenizer.encode("ab\xff"), "the text: byte 2 (0xff) is not UTF-8; convert the text to UTF-8 first");
  EXPECT_ERROR(tokenizer.decode(Ids{10}), "small: no token has the id 10; ids go from 0 to 9");
  EXPECT_ERROR(tokenizer.decode(Ids{-1}), "small: no token has the id -1; ids go from 0 to 9");
  EXPECT_ERROR(tokenizer.piece(77), "small: no token has the id 77; ids go from 0 to 9");
}

std::string vocab_json() {
  return R"({"a": 0, "b": 1, "a</w>": 2, "b</w>": 3, "ab</w>": 4, "<|startoftext|>": 5, "<|endoftext|>": 6})";
}

TEST(LoadTokenizer, FindsOutTheKind) {
  const test::TextFolder folder;
  folder.write("clip/vocab.json", vocab_json());
  folder.write("clip/merges.txt", "#version: 0.2\r\na b</w>\r\n");
  const Tokenizer clip = load_tokenizer(folder.path("clip"));
  EXPECT_EQ(clip.kind(), "CLIP BPE");
  EXPECT_EQ(clip.encode(" AB\n\u00a0a "), (Ids{5, 4, 2, 6}));
  EXPECT_EQ(clip.padding(), 6);
  EXPECT_EQ(load_tokenizer(folder.path("clip/merges.txt")).encode("ab"), (Ids{5, 4, 6}));
  folder.write("gpt/vocab.json", R"({"a": 0, "Ġ": 1, "aa": 2, "<|endoftext|>": 3, "1": 4})");
  folder.write("gpt/merges.txt", "a a\n");
  folder.write("gpt/tokenizer_config.json", R"({"eos_token": {"content": "<|endoftext|>"}, "model_max_length": 1e30})");
  const Tokenizer gpt = load_tokenizer(folder.path("gpt"));
  EXPECT_EQ(gpt.kind(), "byte-level BPE");
  EXPECT_EQ(gpt.encode("aa a<|endoftext|>"), (Ids{2, 1, 0, 3}));
  EXPECT_EQ(gpt.padding(), 3);
  EXPECT_EQ(gpt.model_max_length(), 0);
  folder.write("gpt/tokenizer_config.json",
               R"({"tokenizer_class": "Qwen2Tokenizer", "model_max_length": 99, "pad_token": "a",
                   "added_tokens_decoder": {"5": {"content": "<x>", "special": true}}})");
  const Tokenizer qwen = load_tokenizer(folder.path("gpt"));
  EXPECT_EQ(qwen.encode("11<x>"), (Ids{4, 4, 5}));
  EXPECT_EQ(qwen.model_max_length(), 99);
  EXPECT_EQ(qwen.padding(), 0);
  folder.write("json/tokenizer.json", test::small_unigram().dump());
  folder.write("json/special_tokens_map.json", R"({"pad_token": "a"})");
  EXPECT_EQ(load_tokenizer(folder.path("json")).encode("b", {.max_length = 5, .pad = true}), (Ids{2, 4, 1, 3, 3}));
  EXPECT_EQ(load_tokenizer(folder.path("json/tokenizer.json")).encode("b"), (Ids{2, 4, 1}));
}

TEST(LoadTokenizer, AddedTokensInAFileOfTheirOwn) {
  const test::TextFolder folder;
  folder.write("vocab.json", R"({"a": 0, "Ġ": 1, "aa": 2})");
  folder.write("merges.txt", "a a\n");
  folder.write("added_tokens.json", R"({"<x>": 3})");
  EXPECT_EQ(load_tokenizer(folder.path()).encode("a<x>"), (Ids{0, 3}));
}

TEST(LoadTokenizer, SaysWhatIsWrong) {
  const test::TextFolder folder;
  const std::string at = folder.path().string();
  EXPECT_ERROR(load_tokenizer(folder.path("none")),
               folder.path("none").string() + ": there is no such folder or file; expected a tokenizer");
  EXPECT_ERROR(load_tokenizer(folder.path()), at + ": holds no tokenizer; expected tokenizer.json, spiece.model, "
                                                   "tokenizer.model, or vocab.json with merges.txt");
  folder.write("vocab.json", vocab_json());
  EXPECT_ERROR(load_tokenizer(folder.path()),
               folder.path("merges.txt").string() + ": is missing; vocab.json and merges.txt belong together");
  const auto merges = [&](const std::string& text) { return load_tokenizer(folder.write("merges.txt", text)); };
  const std::string m = folder.path("merges.txt").string(), v = folder.path("vocab.json").string();
  EXPECT_ERROR(merges("#version\na b c\n"),
               m + ": line 2: 'a b c' is no merge; expected two pieces with one space between them");
  EXPECT_ERROR(merges("ab\n"), m + ": line 1: 'ab' is no merge; expected two pieces with one space between them");
  EXPECT_ERROR(merges("a b\n"), m + ": merge 0 ('a b') needs 'ab', which the vocabulary lacks");
  EXPECT_ERROR(merges("\xff a\n"), m + ": byte 0 (0xff) is not UTF-8; convert the text to UTF-8 first");
  const auto vocab = [&](const std::string& text) {
    folder.write("merges.txt", "");
    return load_tokenizer(folder.write("vocab.json", text));
  };
  EXPECT_ERROR(vocab("[]"), v + ": the top level must be an object of pieces and ids");
  EXPECT_ERROR(vocab(""), v + ": is empty, expected JSON");
  EXPECT_ERROR(vocab("{\"a\": 1.5}"), v + ": the id of 'a' in the vocabulary is not a whole number");
  EXPECT_ERROR(vocab("{\"a\": 18446744073709551615}"), v + ": the id of 'a' in the vocabulary is not a whole number");
  EXPECT_ERROR(vocab("{\"a\": {}}"), v + ": the id of 'a' in the vocabulary is not a whole number");
  EXPECT_ERROR(vocab("{\"a\": 0, \"b\": 0}"), v + ": the tokens 'a' and 'b' have the same id 0");
  EXPECT_ERROR(vocab("{\"a\": 0, \"a\": 1}"), v + ": the token 'a' has two ids, 0 and 1");
  EXPECT_ERROR(vocab("{\"a\": 100002}"),
               v + ": the token 'a' has the id 100002; ids of 1 tokens must be between 0 and 100001");
  EXPECT_ERROR(vocab("{\"aaaa</w>\": 0}"),
               v + ": the vocabulary lacks '<|startoftext|>' or '<|endoftext|>', which CLIP puts around a text");
  folder.write("tokenizer.json", test::small_bpe().dump());
  const auto config = [&](const std::string& text) {
    folder.write("tokenizer_config.json", text);
    return load_tokenizer(folder.path());
  };
  const std::string c = folder.path("tokenizer_config.json").string();
  EXPECT_ERROR(config("[]"), c + ": the top level must be an object, got a list");
  EXPECT_ERROR(config("{\"bos_token\": 3}"), c + ": bos_token must be a text, got the number 3");
  EXPECT_ERROR(config("{\"added_tokens_decoder\": []}"), c + ": added_tokens_decoder must be an object, got a list");
  EXPECT_ERROR(config("{\"added_tokens_decoder\": {\"x\": {}}}"),
               c + ": added_tokens_decoder: 'x' is no id of a token");
  EXPECT_ERROR(config("{\"add_bos_token\": 1}"), c + ": add_bos_token must be true or false, got the number 1");
  folder.write("tokenizer_config.json", "{}");
  folder.write("added_tokens.json", "[]");
  EXPECT_ERROR(load_tokenizer(folder.path()),
               folder.path("added_tokens.json").string() + ": the top level must be an object, got a list");
  const auto big = folder.path("big/tokenizer.model");
  std::filesystem::create_directories(big.parent_path());
  std::ofstream(big).put('x');
  std::filesystem::resize_file(big, (std::uintmax_t{1} << 29) + 1);  // a hole, not written to the disk
  EXPECT_ERROR(load_tokenizer(big),
               big.string() + ": has 536870913 bytes, more than the 536870912 that a tokenizer may have");
}

}  // namespace
}  // namespace filigree::text
