#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"

/// `filigree lm tokenize` as a user runs it.
namespace filigree::test {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

class LmTokenize : public testing::Test {
 protected:
  static Words command(Words words) {
    words.insert(words.begin(), {"lm", "tokenize"});
    return words;
  }

  /// Trains a tokenizer and gives its folder.
  std::string trained() {
    const std::string text = folder_.write("corpus.txt", "the cat sat on the mat; the cat sat still, naïve 🙂\n");
    const Ran ran = run(command({"--train", text, "--vocab-size", "280", "--output", folder_.path("tok")}));
    EXPECT_EQ(ran.code, 0) << ran.err;
    return folder_.path("tok");
  }

  void expect_failure(const Words& words, int code, const std::string& message) {
    test::expect_failure(folder_, command(words), code, message);
  }

  Folder folder_;
};

TEST_F(LmTokenize, ThereAndBack) {
  const std::string tokenizer = trained();
  const std::string text = "the mat, naïve 🙂<|endoftext|>";
  const Json json = run_json(command({"--tokenizer", tokenizer, "--text", text, "--json"}));
  EXPECT_EQ(json.at("kind"), "byte-level BPE");
  EXPECT_EQ(json.at("bytes"), text.size());
  EXPECT_EQ(json.at("characters"), 29);
  EXPECT_EQ(json.at("tokens"), json.at("ids").size());
  EXPECT_EQ(json.at("pieces").back(), "<|endoftext|>");
  std::string ids;
  for (const Json& id : json.at("ids")) {
    if (!ids.empty()) ids += ",";
    ids += id.dump();
  }
  EXPECT_EQ(run(command({"-t", tokenizer, "--decode", ids})).out, "the mat, naïve 🙂\n");
  EXPECT_EQ(run(command({"-t", tokenizer, "--decode", ids, "--keep-special"})).out, text + "\n");
  EXPECT_EQ(run_json(command({"-t", tokenizer, "--decode", "1 2, 3", "--json"})).at("ids"), Json({1, 2, 3}));
  EXPECT_EQ(run(command({"-t", tokenizer + "/tokenizer.json", "--text", text, "--count"})).out,
            fmt::format("{}\n", json.at("tokens").get<int>()));
}

TEST_F(LmTokenize, FormsOfOutput) {
  const std::string tokenizer = trained();
  const std::string file = folder_.write("input.txt", "the cat");
  const Ran ids = run(command({"-t", tokenizer, "--input", file}));
  EXPECT_EQ(std::count(ids.out.begin(), ids.out.end(), '\n'), 1);
  const Ran pieces = run(command({"-t", tokenizer, "--input", file, "--pieces"}));
  EXPECT_THAT(pieces.out, HasSubstr("\tĠcat\n"));
  EXPECT_EQ(run(command({"-t", tokenizer, "--text", "the cat", "--max-length", "1", "--count"})).out, "1\n");
  EXPECT_EQ(run(command({"-t", tokenizer, "--text", "<|endoftext|>", "--count"})).out, "1\n");
  EXPECT_NE(run(command({"-t", tokenizer, "--text", "<|endoftext|>", "--count", "--specials-as-text"})).out, "1\n");
  EXPECT_EQ(run(command({"-t", tokenizer, "--text", "", "--no-special"})).out, "\n");
  const std::string out = folder_.path("ids.json");
  EXPECT_EQ(run(command({"-t", tokenizer, "--text", "the", "--json", "--output", out})).out, "");
  EXPECT_EQ(load_json(out).at("tokens"), 1);
}

TEST_F(LmTokenize, TrainsCharacters) {
  const std::string text = folder_.write("a.txt", "abba");
  const Json json = run_json(command(
      {"--train", text, "--kind", "characters", "--special", "<s>", "--output", folder_.path("chars"), "--json"}));
  EXPECT_EQ(json.at("vocabulary_size"), 4);
  EXPECT_EQ(run(command({"-t", folder_.path("chars"), "--text", "<s>abx"})).out, "0 2 3 1\n");
}

TEST_F(LmTokenize, WhatCannotBe) {
  const std::string tokenizer = trained();
  const std::string latin = folder_.write("latin.txt", "caf\xe9");
  expect_failure({"--text", "a"}, 2, "lm tokenize: --tokenizer is required (or --train to make one)");
  expect_failure({"-t", tokenizer}, 2, "lm tokenize: give one of --text, --input and --decode");
  expect_failure({"-t", tokenizer, "--text", "a", "--decode", "1"}, 2, "give one of --text, --input and --decode");
  expect_failure({"-t", tokenizer, "--decode", "1,x"}, 2, "lm tokenize: --decode: 'x' is no id of a token");
  expect_failure({"-t", tokenizer, "--decode", "-1"}, 2, "'-1' is no id of a token");
  expect_failure({"-t", tokenizer, "--decode", "999999"}, 1, "no token has the id 999999");
  expect_failure({"-t", tokenizer, "--text", "a", "--max-length", "0"}, 2, "takes a whole number from 1 to");
  expect_failure({"-t", tokenizer, "--input", latin}, 1, "latin.txt: byte 3 (0xe9) is not UTF-8");
  expect_failure({"-t", tokenizer, "--text", "caf\xe9"}, 1, "--text: byte 3 (0xe9) is not UTF-8");
  expect_failure({"-t", tokenizer, "--input", folder_.path("none.txt")}, 1, "none.txt: cannot be opened");
  expect_failure({"-t", folder_.path("none"), "--text", "a"}, 1, "none: there is no such folder or file");
  expect_failure({"-t", folder_.write("bad.json", "{"), "--text", "a"}, 1, "bad.json: is not valid JSON");
  expect_failure({"-t", folder_.write("bad.model", "{"), "--text", "a"}, 1, "bad.model: is no SentencePiece model");
  const std::string text = folder_.path("corpus.txt"), out = folder_.path("new");
  expect_failure({"--train", text, "--vocab-size", "300"}, 2,
                 "lm tokenize: --train needs --output DIR for the tokenizer");
  expect_failure({"--train", text, "--output", out}, 2, "lm tokenize: --train needs --vocab-size N");
  expect_failure({"--train", text, "--vocab-size", "12", "--output", out}, 2, "takes a whole number from 257 to");
  expect_failure({"--train", text, "--kind", "characters", "--vocab-size", "300", "--output", out}, 2,
                 "--kind characters takes all characters; leave out --vocab-size");
  expect_failure({"--train", text, "--kind", "words", "--output", out}, 2, "--kind");
  expect_failure({"--train", text, "-t", tokenizer, "--vocab-size", "300", "--output", out}, 2,
                 "--train makes a new tokenizer; it goes without --tokenizer, --text, --input and --decode");
  expect_failure({"--train", latin, "--vocab-size", "300", "--output", out}, 1,
                 "latin.txt: byte 3 (0xe9) is not UTF-8");
  expect_failure({"--train", text, "--special", "a", "--vocab-size", "300", "--output", out}, 1,
                 "the special token 'a' is how a byte is written");
}

}  // namespace
}  // namespace filigree::test
