#include <cmath>

#include <gtest/gtest.h>

#include "samples.h"
#include "support/expect_error.h"
#include "text/char_map.h"
#include "text/unigram.h"

namespace filigree::text {
namespace {

using Ids = std::vector<TokenId>;

/// The best way to cut a word, found by trying all of them.
struct Best {
  double score = -INFINITY;
  Ids ids;
};
Best best_cut(const std::vector<UnigramPiece>& pieces, std::string_view word) {
  if (word.empty()) return {0, {}};
  Best best;
  for (const UnigramPiece& piece : pieces) {
    if (!word.starts_with(piece.text)) continue;
    Best rest = best_cut(pieces, word.substr(piece.text.size()));
    if (rest.score + piece.score <= best.score) continue;
    best = {rest.score + piece.score, {piece.id}};
    best.ids.insert(best.ids.end(), rest.ids.begin(), rest.ids.end());
  }
  return best;
}

TEST(Unigram, EqualsTheBestOfAllCuts) {
  Random random(5);
  for (int round = 0; round < 50; ++round) {
    const auto vocabulary = std::make_shared<Vocabulary>();
    std::vector<UnigramPiece> pieces;
    for (int i = 0; i < 12; ++i) {
      std::string text(1, static_cast<char>('a' + i % 3));
      for (std::size_t k = random.below(3); i >= 3 && k > 0; --k) text += static_cast<char>('a' + random.below(3));
      if (vocabulary->find(text)) continue;
      const auto id = static_cast<TokenId>(pieces.size());
      vocabulary->add(text, id, 20, "t");
      pieces.push_back({text, id, random.uniform(-9, -1)});
    }
    const UnigramModel model(vocabulary, pieces, {});
    for (int i = 0; i < 20; ++i) {
      std::string word;
      for (std::size_t k = 1 + random.below(9); k > 0; --k) word += static_cast<char>('a' + random.below(3));
      Ids ids;
      model.encode(Words{word, {{0, word.size()}}}, true, ids);
      // Two cuts may be equally good.
      double score = 0;
      std::string joined;
      for (const TokenId id : ids) {
        score += pieces[static_cast<std::size_t>(id)].score;
        joined += pieces[static_cast<std::size_t>(id)].text;
      }
      EXPECT_EQ(joined, word);
      EXPECT_NEAR(score, best_cut(pieces, word).score, 1e-9) << word;
    }
  }
}

TEST(Unigram, UnknownRunsAreOneToken) {
  const Tokenizer tokenizer = test::build(test::small_unigram());
  EXPECT_EQ(tokenizer.kind(), "Unigram");
  EXPECT_EQ(tokenizer.encode("ab"), (Ids{2, 5, 1}));
  EXPECT_EQ(tokenizer.encode("xyéa"), (Ids{2, 0, 3, 1}));
  EXPECT_EQ(tokenizer.encode("x y"), (Ids{2, 0, 2, 0, 1}));
  EXPECT_EQ(tokenizer.encode(""), (Ids{1}));
  EXPECT_EQ(tokenizer.decode(Ids{2, 5, 2, 3, 1}), "ab a");
}

TEST(Unigram, WithoutATokenForTheUnknown) {
  Json json = test::small_unigram();
  json["model"]["unk_id"] = nullptr;
  EXPECT_ERROR(test::build(json).encode("axy"),
               "the text: 'xy' has no token, and the tokenizer has none for unknown text");
}

TEST(Unigram, NoTextBecomesASpecialPiece) {
  // "</s>" is a piece of the vocabulary, as in the published files.
  const Tokenizer tokenizer = test::build(test::small_unigram());
  EXPECT_EQ(tokenizer.encode("a</s>b"), (Ids{2, 3, 1, 2, 4, 1}));
  EXPECT_EQ(tokenizer.encode("a</s>b", {.specials = Specials::as_text}), (Ids{2, 3, 0, 4, 1}));
}

/// The table {"a" → "b", "ab" → "c", "é" → "e"} as a double array: node = offset ^ byte, from the root's offset 256 on.
std::string char_map_bytes() {
  std::vector<std::uint32_t> units(2048, 0);
  const auto unit = [](std::uint32_t label, std::uint32_t offset, bool leaf) {
    return label | (leaf ? 0x100U : 0U) | offset << 10;
  };
  units[0] = unit(0, 256, false);
  units[256 ^ 'a'] = unit('a', (256 ^ 'a') ^ 512, true);
  units[512] = 0x80000000 | 0;  // replacement 0
  units[512 ^ 'b'] = unit('b', (512 ^ 'b') ^ 768, true);
  units[768] = 0x80000000 | 2;
  units[256 ^ 0xc3] = unit(0xc3, (256 ^ 0xc3) ^ 1024, false);
  units[1024 ^ 0xa9] = unit(0xa9, (1024 ^ 0xa9) ^ 1280, true);
  units[1280] = 0x80000000 | 4;
  std::string bytes;
  const auto put = [&](std::uint32_t number) {
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(number >> 8 * i & 0xff);
  };
  put(static_cast<std::uint32_t>(4 * units.size()));
  for (const std::uint32_t number : units) put(number);
  return bytes + std::string("b\0c\0e\0", 6);
}

TEST(CharMapTest, LongestShortestAndClusters) {
  const CharMap map(char_map_bytes(), "t");
  EXPECT_EQ(map.longest("abc", 0).length, 2U);
  EXPECT_EQ(map.longest("abc", 0).replacement, "c");
  EXPECT_EQ(map.shortest("abc", 0).replacement, "b");
  EXPECT_EQ(map.longest("xé", 1).replacement, "e");
  EXPECT_EQ(map.longest("x", 0).length, 0U);
  EXPECT_EQ(map.replace_clusters("abé x"), "bbe x");
  // The cluster "a" and a mark is replaced as a whole: the mark goes with it.
  EXPECT_EQ(map.replace_clusters("a\u0301b"), "bb");
  EXPECT_EQ(map.replace_clusters("a\u0301\u0301\u0301"), "b\u0301\u0301\u0301");
  EXPECT_TRUE(CharMap("", "t").empty());
}

TEST(CharMapTest, SaysWhatIsWrong) {
  using namespace std::string_literals;
  EXPECT_ERROR(CharMap("abc", "f"), "f: the table of characters has 3 bytes, too few");
  EXPECT_ERROR(CharMap("\xff\0\0\0xxxx"s, "f"),
               "f: the table of characters says that its index has 255 bytes, but 4 follow");
  EXPECT_ERROR(CharMap("\4\0\0\0xxxx\xff"s, "f"),
               "f: the table of characters holds a replacement that is not UTF-8 (byte 8)");
}

}  // namespace
}  // namespace filigree::text
