#include <gtest/gtest.h>

#include "samples.h"
#include "text/bpe.h"
#include "text/train.h"
#include "text/utf8.h"

/// Byte-pair encoding against its plain twin, which looks through all pairs before each merge.
namespace filigree::text {
namespace {

using Ids = std::vector<TokenId>;

struct Plain {
  VocabularyPtr vocabulary;
  std::vector<BpeMerge> merges;

  Ids encode(std::string_view word) const {
    Ids ids;
    for (std::size_t at = 0; at < word.size(); at += utf8_length(word[at])) {
      ids.push_back(*vocabulary->find(word.substr(at, utf8_length(word[at]))));
    }
    while (true) {
      std::size_t best = merges.size(), place = 0;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        for (std::size_t rank = 0; rank < best; ++rank) {
          if (merges[rank].left != ids[i] || merges[rank].right != ids[i + 1]) continue;
          best = rank;
          place = i;
        }
      }
      if (best == merges.size()) return ids;
      ids[place] = merges[best].merged;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
  }
};

/// Letters a to d and random merges, of which some make the same piece in two ways.
Plain random_merges(Random& random, int count) {
  const auto vocabulary = std::make_shared<Vocabulary>();
  std::vector<std::string> pieces = {"a", "b", "c", "d"};
  for (std::size_t i = 0; i < pieces.size(); ++i) vocabulary->add(pieces[i], static_cast<std::int64_t>(i), 100, "t");
  std::vector<BpeMerge> merges;
  for (int i = 0; i < count; ++i) {
    const std::string left = pieces[random.below(pieces.size())], right = pieces[random.below(pieces.size())];
    if (!vocabulary->find(left + right)) {
      vocabulary->add(left + right, vocabulary->size(), 1000, "t");
      pieces.push_back(left + right);
    }
    merges.push_back({*vocabulary->find(left), *vocabulary->find(right), *vocabulary->find(left + right)});
  }
  return {vocabulary, merges};
}

Ids encode_word(const BpeModel& model, const std::string& word) {
  Ids ids;
  model.encode(Words{word, {{0, word.size()}}}, true, ids);
  return ids;
}

TEST(Bpe, EqualsItsPlainTwin) {
  Random random(3);
  for (int round = 0; round < 60; ++round) {
    const Plain plain = random_merges(random, 1 + static_cast<int>(random.below(40)));
    const BpeModel model(plain.vocabulary, plain.merges, {});
    for (int i = 0; i < 20; ++i) {
      std::string word;
      const std::size_t length = 1 + random.below(60);
      for (std::size_t k = 0; k < length; ++k) word += static_cast<char>('a' + random.below(random.below(2) + 2));
      EXPECT_EQ(encode_word(model, word), plain.encode(word)) << word;
    }
  }
}

Tokenizer with_model(const Json& change) {
  Json json = test::small_bpe();
  json["model"].merge_patch(change);
  return test::build(json);
}

TEST(Bpe, MergesInOrderOfRank) {
  const Tokenizer tokenizer = test::build(test::small_bpe());
  EXPECT_EQ(tokenizer.encode("abcab ab abc"), (Ids{8, 7, 9, 6, 8}));
  EXPECT_EQ(tokenizer.decode(Ids{8, 7, 9, 6, 8}), "abcab ab abc");
  EXPECT_EQ(tokenizer.kind(), "byte-level BPE");
}

TEST(Bpe, CharactersWithoutToken) {
  EXPECT_EQ(test::build(test::small_bpe()).encode("aéb"), (Ids{7}));  // left out, and its neighbours meet
  EXPECT_EQ(with_model({{"unk_token", "e"}}).encode("aéb"), (Ids{1, 5, 5, 2}));
  EXPECT_EQ(with_model({{"unk_token", "e"}, {"fuse_unk", true}}).encode("aéb"), (Ids{1, 5, 2}));
}

TEST(Bpe, BytesOfCharactersWithoutToken) {
  Json json = test::small_bpe();
  json["pre_tokenizer"] = nullptr;
  json["decoder"] =
      parse_json(R"({"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]})", "t");
  json["model"]["byte_fallback"] = true;
  for (int byte = 0; byte < 256; ++byte) json["model"]["vocab"][fmt::format("<0x{:02X}>", byte)] = 10 + byte;
  const Tokenizer tokenizer = test::build(json);
  EXPECT_EQ(tokenizer.encode("aéb"), (Ids{1, 10 + 0xc3, 10 + 0xa9, 2}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("aéb🙂")), "aéb🙂");
}

TEST(Bpe, AWholeWordOfTheVocabulary) {
  const Json extra = {{"vocab", {{"dab", 10}}}};
  EXPECT_EQ(with_model(extra).encode("dab"), (Ids{4, 7}));
  Json whole = extra;
  whole["ignore_merges"] = true;
  EXPECT_EQ(with_model(whole).encode("dab"), (Ids{10}));
}

TEST(Bpe, EndsOfWords) {
  Json json = test::small_bpe();
  json["pre_tokenizer"] = {{"type", "WhitespaceSplit"}};
  json["model"]["end_of_word_suffix"] = "</w>";
  json["model"]["vocab"] = parse_json(R"({"<|end|>": 0, "a": 1, "b": 2, "a</w>": 3, "b</w>": 4, "ab</w>": 5})", "t");
  json["model"]["merges"] = Json::array({"a b</w>"});
  const Tokenizer tokenizer = test::build(json);
  EXPECT_EQ(tokenizer.encode("ab aab  b"), (Ids{5, 1, 5, 4}));
  EXPECT_EQ(tokenizer.decode(Ids{5, 1, 5, 4}), "ab aab b");
  EXPECT_EQ(tokenizer.kind(), "CLIP BPE");
}

TEST(Bpe, NothingBecomesASpecialTokenByMerging) {
  Json json = test::small_bpe();
  json["added_tokens"][0]["content"] = "ab";
  json["added_tokens"][0]["id"] = 7;
  json["model"]["ignore_merges"] = true;
  const Tokenizer tokenizer = test::build(json);
  EXPECT_EQ(tokenizer.encode("abc"), (Ids{7, 3}));
  EXPECT_EQ(tokenizer.encode("abc ab", {.specials = Specials::as_text}), (Ids{8, 9}));
  EXPECT_EQ(tokenizer.encode("ab", {.specials = Specials::as_text}), (Ids{1, 2}));
}

TEST(Bpe, LongTextsAreQuick) {
  // Quadratic work on the single word of a million letters would take hours.
  const test::TextFolder folder;
  std::string sample;
  Random random(1);
  for (int i = 0; i < 2000; ++i) sample += test::random_text(random, 8) + (i % 3 == 0 ? "\n" : " ");
  const Tokenizer tokenizer =
      read_trained(train_bpe({folder.write("sample.txt", sample)}, {.vocabulary_size = 900}), "trained");
  std::string text;
  while (text.size() < 1'000'000) text += sample;
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text), {.skip_special = false}), text);
  const std::string word(1'000'000, 'x');
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(word)), word);
}

}  // namespace
}  // namespace filigree::text
