#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "support/paths.h"
#include "text/build.h"

/// The tokens of texts as Hugging Face's libraries made them (see README.md of the reference folder).
namespace filigree::text {
namespace {
namespace fs = std::filesystem;

class TokensReference : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(test::reference_dir()) / "hidream";
    if (!fs::is_directory(test::reference_dir())) GTEST_SKIP() << "no folder " << test::reference_dir();
    tokens_ = load_json(folder_ / "tokens.json");
  }

  /// Expects the ids of the case from this tokenizer.
  void expect_ids(const std::string& name, const Tokenizer& tokenizer) const {
    EncodeOptions options;
    options.max_length = tokens_.at("max_length").get<std::int64_t>();
    options.pad = true;
    const Json &texts = tokens_.at("texts"), &ids = tokens_.at("ids").at(name);
    ASSERT_EQ(texts.size(), ids.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto text = texts[i].get<std::string>();
      EXPECT_EQ(tokenizer.encode(text, options), ids[i].get<std::vector<TokenId>>()) << name << ": " << text;
    }
  }

  fs::path folder_;
  Json tokens_;
};

TEST_F(TokensReference, ClipL) { expect_ids("clip_l", load_tokenizer(folder_ / "model" / "tokenizer")); }
TEST_F(TokensReference, ClipG) { expect_ids("clip_g", load_tokenizer(folder_ / "model" / "tokenizer_2")); }
TEST_F(TokensReference, T5) { expect_ids("t5", load_tokenizer(folder_ / "model" / "tokenizer_3")); }
TEST_F(TokensReference, Llama) { expect_ids("llama", load_tokenizer(folder_ / "llama")); }

TEST_F(TokensReference, ClipFromVocabularyAndMerges) {
  expect_ids("clip_l", load_tokenizer(folder_ / "model" / "tokenizer" / "vocab.json"));
  expect_ids("clip_g", load_tokenizer(folder_ / "model" / "tokenizer_2" / "merges.txt"));
}

}  // namespace
}  // namespace filigree::text
