#include <map>

#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "samples.h"
#include "support/expect_error.h"
#include "text/bpe_trainer.h"
#include "text/train.h"

namespace filigree::text {
namespace {

using Ids = std::vector<TokenId>;

/// The plain twin of the trainer: counts all pairs anew before each merge.
TrainedMerges plain_training(const std::vector<CountedWord>& words, std::vector<std::string> pieces, std::size_t size) {
  std::vector<std::vector<std::string>> cut;
  for (const CountedWord& word : words) {
    std::vector<std::string>& parts = cut.emplace_back();
    for (std::size_t at = 0; at < word.letters.size(); at += utf8_length(word.letters[at])) {
      parts.push_back(word.letters.substr(at, utf8_length(word.letters[at])));
    }
  }
  const auto id = [&](const std::string& piece) {
    return static_cast<TokenId>(std::find(pieces.begin(), pieces.end(), piece) - pieces.begin());
  };
  TrainedMerges out;
  while (pieces.size() < size) {
    std::map<std::pair<TokenId, TokenId>, std::int64_t> counts;
    for (std::size_t w = 0; w < words.size(); ++w) {
      for (std::size_t i = 0; i + 1 < cut[w].size(); ++i) counts[{id(cut[w][i]), id(cut[w][i + 1])}] += words[w].count;
    }
    std::pair<TokenId, TokenId> best;
    std::int64_t most = 1;
    for (const auto& [pair, count] : counts) {
      if (count > most) best = pair, most = count;
    }
    if (most < 2) break;
    const std::string left = pieces[static_cast<std::size_t>(best.first)],
                      right = pieces[static_cast<std::size_t>(best.second)];
    out.merges.push_back(best);
    if (id(left + right) == static_cast<TokenId>(pieces.size())) pieces.push_back(left + right);
    for (std::vector<std::string>& parts : cut) {
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        if (parts[i] != left || parts[i + 1] != right) continue;
        parts[i] += right;
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  out.pieces = pieces;
  return out;
}

TEST(Train, EqualsThePlainTwin) {
  Random random(31);
  for (int round = 0; round < 30; ++round) {
    std::vector<CountedWord> words;
    for (int i = 0; i < 30; ++i) {
      std::string word;
      for (std::size_t k = 1 + random.below(12); k > 0; --k) word += static_cast<char>('a' + random.below(3));
      words.push_back({word, 1 + static_cast<std::int64_t>(random.below(5))});
    }
    const TrainedMerges expected = plain_training(words, {"a", "b", "c"}, 30);
    const TrainedMerges found = BpeTrainer(words, {"a", "b", "c"}, 0).run(30, 2, nullptr);
    EXPECT_EQ(found.merges, expected.merges);
    EXPECT_EQ(found.pieces, expected.pieces);
  }
}

std::string sample() {
  std::string text;
  Random random(7);
  for (int i = 0; i < 500; ++i) text += test::random_text(random, 5) + "\n";
  return text;
}

TEST(Train, WritesWhatItReads) {
  const test::TextFolder folder;
  const auto file = folder.write("sample.txt", sample());
  const TrainOptions options{.vocabulary_size = 400, .special_tokens = {"<|end|>", "\"q\\uote\""}};
  const TrainedTokenizer trained = train_bpe({file}, options);
  EXPECT_EQ(trained.vocabulary_size, 400);
  EXPECT_EQ(trained.merges, 400 - 256 - 2);
  EXPECT_EQ(train_bpe({file}, options).tokenizer_json, trained.tokenizer_json);
  save_tokenizer(trained, folder.path("out"));
  const Tokenizer tokenizer = load_tokenizer(folder.path("out"));
  EXPECT_EQ(tokenizer.vocabulary_size(), 400);
  EXPECT_EQ(tokenizer.named().eos, 0);
  EXPECT_EQ(tokenizer.padding(), 0);
  const Tokenizer direct = read_trained(trained, "trained");
  for (const std::string& text : test::awkward_texts()) {
    EXPECT_EQ(tokenizer.encode(text), direct.encode(text));
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), {.skip_special = false}), text);
  }
  EXPECT_EQ(tokenizer.encode("<|end|>\"q\\uote\""), (Ids{0, 1}));
}

TEST(Train, SpecialTokensAreNotLearnedFrom) {
  const test::TextFolder folder;
  const auto file = folder.write("a.txt", "<|endoftext|><|endoftext|><|endoftext|>xyxy");
  const Tokenizer tokenizer = read_trained(train_bpe({file}, {.vocabulary_size = 1000}), "t");
  EXPECT_EQ(tokenizer.vocabulary_size(), 1 + 256 + 1);
  EXPECT_TRUE(tokenizer.find("xy"));
  // The letters of a special token may stand in the text in other ways; the token does not come of them.
  const auto the = folder.write("b.txt", "thethe thethe");
  const Tokenizer other = read_trained(train_bpe({the}, {.vocabulary_size = 300, .special_tokens = {"eth"}}), "t");
  EXPECT_EQ(other.find("eth"), 0);
}

TEST(Train, StopsWhereItIsCancelled) {
  const test::TextFolder folder;
  const auto file = folder.write("sample.txt", sample());
  request_cancel();
  const TrainedTokenizer trained = train_bpe({file}, {.vocabulary_size = 400});
  reset_cancel();
  EXPECT_EQ(trained.merges, 0);
  EXPECT_EQ(read_trained(trained, "t").vocabulary_size(), 257);
}

TEST(Train, Characters) {
  const test::TextFolder folder;
  const auto file = folder.write("a.txt", "héllo<|endoftext|>\n");
  const TrainedTokenizer trained = train_characters({file});
  save_tokenizer(trained, folder.path("out"));
  const Tokenizer tokenizer = load_tokenizer(folder.path("out"));
  EXPECT_EQ(trained.vocabulary_size, 2 + 5);
  EXPECT_EQ(tokenizer.encode("\nhello"), (Ids{2, 3, 1, 4, 4, 5}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("hol\nlé")), "hol\nlé");
  EXPECT_EQ(tokenizer.encode("h<|endoftext|>"), (Ids{3, 0}));
  EXPECT_EQ(tokenizer.encode("xy"), (Ids{1, 1}));
}

TEST(Train, SaysWhatIsWrong) {
  const test::TextFolder folder;
  const auto good = folder.write("good.txt", "abab"), empty = folder.write("empty.txt", ""),
             latin = folder.write("latin.txt", "caf\xe9");
  EXPECT_ERROR(train_bpe({good}, {.vocabulary_size = 256}),
               "vocabulary_size must be between 257 (1 special tokens and 256 bytes) and 16777216, got 256");
  EXPECT_ERROR(train_bpe({}, {.vocabulary_size = 300}), "no file to learn from was given");
  EXPECT_ERROR(train_bpe({empty}, {.vocabulary_size = 300}), empty.string() + ": holds no text to learn from");
  EXPECT_ERROR(train_bpe({latin}, {.vocabulary_size = 300}),
               latin.string() + ": byte 3 (0xe9) is not UTF-8; convert the text to UTF-8 first");
  const auto special = [&](std::vector<std::string> tokens) {
    return train_bpe({good}, {.vocabulary_size = 300, .special_tokens = std::move(tokens)});
  };
  EXPECT_ERROR(special({""}), "a special token is empty; give each a name such as <|endoftext|>");
  EXPECT_ERROR(special({"<x>", "<x>"}), "the special token '<x>' is named twice");
  EXPECT_ERROR(special({"\xff"}), "a special token: byte 0 (0xff) is not UTF-8; convert the text to UTF-8 first");
  EXPECT_ERROR(special({"a"}), "the special token 'a' is how a byte is written; take a longer one");
  EXPECT_ERROR(train_bpe({good}, {.vocabulary_size = 300, .pattern = "("}),
               "the pattern of words: the regular expression is wrong: missing closing parenthesis");
  EXPECT_ERROR(train_characters({empty}), empty.string() + ": holds no text to learn from");
}

}  // namespace
}  // namespace filigree::text
