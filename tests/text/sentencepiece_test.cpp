#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <gtest/gtest.h>

#include "base/file.h"
#include "samples.h"
#include "support/expect_error.h"
#include "support/paths.h"
#include "text/build.h"

/// Our reader of SentencePiece models against SentencePiece itself, on models that it trains here.
namespace filigree::text {
namespace {
namespace fs = std::filesystem;
using Ids = std::vector<TokenId>;

constexpr EncodeOptions kLetters{.add_special = false, .specials = Specials::as_text};

std::string sample_text() {
  std::string text;
  Random random(11);
  for (int i = 0; i < 3000; ++i) text += test::random_text(random, 6) + "\n";
  std::string clean;
  for (const char byte : text) clean += byte == '\0' ? ' ' : byte;
  return clean;
}

class SentencePieceTest : public testing::Test {
 protected:
  /// Trains a model and compares ids on many texts.
  void expect_equal(const std::string& options) {
    const fs::path sample = folder_.write("sample.txt", sample_text());
    const std::string prefix = folder_.path("m").string();
    const auto status = sentencepiece::SentencePieceTrainer::Train(
        "--minloglevel=2 --num_threads=1 --input=" + sample.string() + " --model_prefix=" + prefix + " " + options);
    ASSERT_TRUE(status.ok()) << status.ToString();
    compare(prefix + ".model");
  }

  void compare(const fs::path& model) {
    sentencepiece::SentencePieceProcessor oracle;
    ASSERT_TRUE(oracle.Load(model.string()).ok());
    const Tokenizer tokenizer = build_tokenizer(parse_sentencepiece(read_file(model), "m"), {}, "m");
    EXPECT_EQ(tokenizer.vocabulary_size(), oracle.GetPieceSize());
    Random random(12);
    std::vector<std::string> texts = test::awkward_texts();
    for (int i = 0; i < 500; ++i) texts.push_back(test::random_text(random, 1 + static_cast<int>(random.below(12))));
    for (const std::string& text : texts) {
      Ids expected;
      oracle.Encode(text, &expected);
      EXPECT_EQ(tokenizer.encode(text, kLetters), expected) << text;
    }
  }

  test::TextFolder folder_;
};

TEST_F(SentencePieceTest, Unigram) { expect_equal("--model_type=unigram --vocab_size=600 --hard_vocab_limit=false"); }
TEST_F(SentencePieceTest, UnigramWithBytes) {
  expect_equal("--model_type=unigram --vocab_size=700 --byte_fallback=true --character_coverage=0.98");
}
TEST_F(SentencePieceTest, UnigramWithDefinedPieces) {
  expect_equal(
      "--model_type=unigram --vocab_size=600 --user_defined_symbols=fox,og --normalization_rule_name=identity");
}
TEST_F(SentencePieceTest, Bpe) { expect_equal("--model_type=bpe --vocab_size=600"); }
TEST_F(SentencePieceTest, BpeWithBytesAndAllSpaces) {
  expect_equal(
      "--model_type=bpe --vocab_size=800 --byte_fallback=true --character_coverage=0.98 "
      "--remove_extra_whitespaces=false "
      "--add_dummy_prefix=false --normalization_rule_name=identity --split_digits=true");
}
TEST_F(SentencePieceTest, BpeWithDefinedPieces) {
  expect_equal("--model_type=bpe --vocab_size=600 --user_defined_symbols=fox,og --normalization_rule_name=nfkc_cf");
}
TEST_F(SentencePieceTest, BpeAcrossSpaces) {
  expect_equal("--model_type=bpe --vocab_size=700 --split_by_whitespace=false");
}
TEST_F(SentencePieceTest, SpaceAsSuffix) {
  expect_equal("--model_type=bpe --vocab_size=500 --treat_whitespace_as_suffix=true");
}

TEST(SentencePieceReference, TheModelOfTheCase) {
  const fs::path model = fs::path(test::reference_dir()) / "hidream" / "model" / "tokenizer_3" / "spiece.model";
  if (!fs::is_directory(test::reference_dir())) GTEST_SKIP() << "no folder " << test::reference_dir();
  sentencepiece::SentencePieceProcessor oracle;
  ASSERT_TRUE(oracle.Load(model.string()).ok());
  const Tokenizer tokenizer = load_tokenizer(model);
  Random random(13);
  for (int i = 0; i < 1000; ++i) {
    const std::string text = test::random_text(random, 8);
    Ids expected;
    oracle.Encode(text, &expected);
    EXPECT_EQ(tokenizer.encode(text, kLetters), expected) << text;
  }
}

/// Protocol buffers by hand: tag, length, bytes.
std::string field(int number, const std::string& bytes) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(bytes.size()) + bytes;
}
std::string small_number(int field_number, int value) {
  const int tag = field_number << 3;
  std::string out;
  if (tag >= 128) out += static_cast<char>((tag & 0x7f) | 0x80);
  out += static_cast<char>(tag >= 128 ? tag >> 7 : tag);
  return out + static_cast<char>(value);
}
std::string score(float value) {
  std::string out = "\x15";
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  for (int i = 0; i < 4; ++i) out += static_cast<char>(bits >> 8 * i & 0xff);
  return out;
}
std::string piece(const std::string& text, float value, int type) {
  return field(1, field(1, text) + score(value) + small_number(3, type));
}

std::string small_model() {
  return piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("▁", -1, 1) + piece("a", -2, 1) +
         piece("b", -3, 1) + piece("ab", -1, 1) + piece("[unused9]", 0, 4);
}

TEST(SentencePieceFileTest, ReadsPiecesAndSettings) {
  const SentencePieceFile file =
      parse_sentencepiece(small_model() + field(2, small_number(3, 2) + small_number(41, 1)), "m");
  ASSERT_EQ(file.pieces.size(), 8U);
  EXPECT_EQ(file.pieces[6].text, "ab");
  EXPECT_EQ(file.kind, SentencePieceFile::Kind::bpe);
  EXPECT_EQ(file.unk, 0);
  EXPECT_EQ(file.bos, 1);
  EXPECT_EQ(file.eos, 2);
  EXPECT_EQ(file.pad, -1);
}

TEST(SentencePieceFileTest, MarkersAreSpecial) {
  const Tokenizer tokenizer =
      build_tokenizer(parse_sentencepiece(small_model() + field(2, small_number(3, 2)), "m"), {}, "m");
  EXPECT_EQ(tokenizer.encode("[unused9]ab"), (Ids{1, 7, 3, 6}));
  EXPECT_EQ(tokenizer.encode("[unused9]ab", kLetters), (Ids{3, 0, 6}));
  EXPECT_EQ(tokenizer.decode(Ids{1, 7, 3, 6, 3, 4}), "ab a");
  EXPECT_EQ(tokenizer.decode(Ids{1, 7, 3, 6}, {.skip_special = false}), "<s>[unused9] ab");
}

TEST(SentencePieceFileTest, BosAndEos) {
  const SentencePieceFile bpe = parse_sentencepiece(small_model() + field(2, small_number(3, 2)), "m");
  EXPECT_EQ(build_tokenizer(bpe, {.add_bos = false, .add_eos = true}, "m").encode("a"), (Ids{3, 4, 2}));
  const SentencePieceFile unigram = parse_sentencepiece(small_model(), "m");
  EXPECT_EQ(build_tokenizer(unigram, {}, "m").encode("a"), (Ids{3, 4}));
  SentencePieceFile t5 = unigram;
  t5.bos = -1;
  EXPECT_EQ(build_tokenizer(t5, {}, "m").encode("a"), (Ids{3, 4, 2}));
}

TEST(SentencePieceFileTest, SentinelsOfT5CountBackwards) {
  TokenizerConfig config;
  config.extra_special = {"<extra_id_0>", "<extra_id_1>", "<extra_id_2>"};
  const Tokenizer tokenizer = build_tokenizer(parse_sentencepiece(small_model(), "m"), config, "m");
  EXPECT_EQ(tokenizer.vocabulary_size(), 11);
  EXPECT_EQ(tokenizer.find("<extra_id_0>"), 10);
  EXPECT_EQ(tokenizer.find("<extra_id_2>"), 8);
}

TEST(SentencePieceFileTest, SaysWhatIsWrong) {
  const auto read = [](const std::string& bytes) { return parse_sentencepiece(bytes, "m"); };
  const std::string no = "m: is no SentencePiece model: ";
  EXPECT_ERROR(read(""), "m: is empty, expected a SentencePiece model");
  EXPECT_ERROR(read("\x0a"), no + "it ends inside a number at byte 1");
  EXPECT_ERROR(read("\x0a\x7f"
                    "abc"),
               no + "a field at byte 2 says it has 127 bytes, but only 3 follow");
  EXPECT_ERROR(read("\x0f"), no + "byte 0 begins no field");
  EXPECT_ERROR(read("\x15"
                    "ab"),
               no + "it ends inside a field at byte 1");
  EXPECT_ERROR(read("\x08\x01"), no + "field 1 before byte 2 has another type than it should");
  EXPECT_ERROR(read(std::string(11, '\xff')), no + "the number before byte 10 has more than 64 bits");
  EXPECT_ERROR(read(field(9, "x")), no + "it has no pieces");
  EXPECT_ERROR(read(piece("a", 0, 1)), "m: no piece is the unknown one");
  EXPECT_ERROR(read(piece("u", 0, 2) + piece("v", 0, 2)), "m: the pieces 0 and 1 are both the unknown one");
  EXPECT_ERROR(read(piece("a", 0, 7)), "m: piece 0 has the type 7, expected 1 to 6");
  EXPECT_ERROR(read(piece("", 0, 1)), "m: piece 0 is empty");
  EXPECT_ERROR(read(piece("a\xff", 0, 1)), "m: piece 0 is not UTF-8 (byte 1 of it)");
  EXPECT_ERROR(read(piece("a", NAN, 1)), "m: the score of piece 0 ('a') is not finite");
  EXPECT_ERROR(read(small_model() + field(2, small_number(3, 9))), "m: the kind of the model is 9, expected 1 to 4");
  EXPECT_ERROR(read(field(2, std::string("\x18\xff\xff\xff\xff\xff\x01"))), "m: field 3 is out of range: 68719476735");
  const auto kind = [&](int number) {
    return build_tokenizer(read(small_model() + field(2, small_number(3, number))), {}, "m");
  };
  EXPECT_ERROR(kind(3), "m: holds a model of whole words; only Unigram and BPE models are supported");
  EXPECT_ERROR(kind(4), "m: holds a model of whole characters; only Unigram and BPE models are supported");
  EXPECT_ERROR(build_tokenizer(read(small_model() + piece("a", 0, 1)), {}, "m"),
               "m: the token 'a' has two ids, 4 and 8");
}

}  // namespace
}  // namespace filigree::text
