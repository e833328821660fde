#include <gtest/gtest.h>

#include "base/file.h"
#include "samples.h"
#include "support/expect_error.h"
#include "support/paths.h"
#include "text/build.h"

namespace filigree::text {
namespace {

using Ids = std::vector<TokenId>;

/// Expects that the small BPE with this change is refused so.
void expect_refused(const std::string& patch, const std::string& message) {
  Json json = test::small_bpe();
  json.merge_patch(parse_json(patch, "patch"));
  EXPECT_ERROR(test::build(json), message);
}

void expect_text_refused(const std::string& text, const std::string& message) {
  EXPECT_ERROR(build_tokenizer(text, {}, "t.json"), message);
}

TEST(TokenizerJson, NotJson) {
  expect_text_refused("", "t.json: is empty, expected JSON");
  expect_text_refused("{\"a\": ", "t.json: is not valid JSON: it ends too early at line 1, column 6");
  expect_text_refused("{\"a\": 1,\n x}", "t.json: is not valid JSON: unexpected text at line 2, column 2");
  expect_text_refused("[1e999]", "t.json: is not valid JSON: a number or a text in it cannot be represented");
  expect_text_refused("{\"a\": 1, \"a\": 2}", "t.json: key 'a' appears twice in one object");
  expect_text_refused(std::string(100'000, '['), "t.json: is nested deeper than 64 levels");
  expect_text_refused("[]", "t.json: the top level must be an object, got a list");
  expect_text_refused("{}", "t.json: key 'model' is missing at the top level");
  std::string many = "{\"k0\": 0";
  for (int i = 1; i <= 10'000; ++i) many += fmt::format(", \"k{}\": 0", i);
  expect_text_refused(many + "}", "t.json: an object has more than 10000 keys");
}

TEST(TokenizerJson, Vocabularies) {
  const auto model = [](const std::string& inside, const std::string& message) {
    expect_text_refused("{\"model\": {" + inside + "}}", "t.json: " + message);
  };
  model(R"("type": "WordPiece")", "model.type: the model 'WordPiece' is not supported (one of: BPE, Unigram)");
  model(R"("type": "BPE")", "model: vocab must be an object of pieces and ids");
  model(R"("type": "BPE", "vocab": [])", "model: vocab must be an object of pieces and ids");
  model(R"("type": "Unigram", "vocab": {})", "model: vocab must be a list of [piece, score]");
  model(R"("vocab": [["a", 0], ["b"]])", "model.vocab[1] is not a list of a text and a number");
  model(R"("vocab": [["a", 0, 1]])", "model.vocab[0] is not a list of a text and a number");
  model(R"("vocab": ["a"])", "model.vocab[0] is not a list of a text and a number");
  model(R"("vocab": [[["a"], 0]])", "model.vocab[0] is not a list of a text and a number");
  model(R"("vocab": [{}])", "model.vocab[0] is not a list of a text and a number");
  model(R"("vocab": {"a": [1]})", "the id of 'a' in the vocabulary is not a whole number");
  model(R"("vocab": [["a", 0], ["a", 1]])", "the token 'a' has two ids, 0 and 1");
  model(R"("vocab": {"a": 0}, "merges": [["a"]])", "model.merges[0] is not a text 'a b' or a list of two texts");
  model(R"("vocab": {"a": 0}, "merges": ["a a", 3])", "model.merges[1] is not a text 'a b' or a list of two texts");
  model(R"("vocab": {"a": 0}, "merges": ["a"])",
        "model.merges[0]: 'a' is no merge; expected two pieces with one space between them");
  model(R"("vocab": {"a": 0}, "merges": [["a", "a"]])",
        "model.merges: merge 0 ('a a') needs 'aa', which the vocabulary lacks");
  model(R"("vocab": {"a": 0}, "dropout": 0.1)",
        "model.dropout: merges are dropped at random, which no result can be repeated with; set it to null");
  model(R"("vocab": {"a": 0}, "unk_token": "b")", "model.unk_token: the vocabulary lacks 'b'");
  model(R"("vocab": [["a", 0]], "unk_id": 1)", "model.unk_id: no piece has the id 1; there are 1");
}

TEST(TokenizerJson, AddedTokens) {
  expect_refused(R"({"added_tokens": 3})", "small: added_tokens must be a list, got the number 3");
  expect_refused(R"({"added_tokens": [{"content": "x"}]})", "small: key 'id' is missing in added_tokens[0]");
  expect_refused(R"({"added_tokens": [{"content": "", "id": 1}]})", "small: added_tokens[0]: content is empty");
  expect_refused(R"({"added_tokens": [{"content": "x", "id": -1}]})", "small: added_tokens[0]: id is out of range: -1");
  expect_refused(R"({"added_tokens": [{"content": "x", "id": 1}]})",
                 "small: the tokens 'a' and 'x' have the same id 1");
}

TEST(TokenizerJson, Steps) {
  expect_refused(R"({"normalizer": {"type": "NFX"}})",
                 "small: normalizer.type: the normalizer 'NFX' is not supported; did you mean 'NFC'?");
  expect_refused(R"({"normalizer": {"type": "Replace", "pattern": {"Regex": "("}, "content": ""}})",
                 "small: normalizer.pattern: the regular expression is wrong: missing closing parenthesis");
  expect_refused(R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "!"}})",
                 "small: normalizer.precompiled_charsmap: is not base64: unexpected character at position 0");
  expect_refused(
      R"({"pre_tokenizer": {"type": "Bytelevel"}})",
      "small: pre_tokenizer.type: the pre-tokenizer 'Bytelevel' is not supported; did you mean 'ByteLevel'?");
  expect_refused(R"({"pre_tokenizer": {"type": "Split", "pattern": {"String": "a"}, "behavior": "isolated"}})",
                 "small: pre_tokenizer: behavior cannot be 'isolated' (one of: Removed, Isolated, MergedWithPrevious, "
                 "MergedWithNext, Contiguous)");
  expect_refused(R"({"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "last"}})",
                 "small: pre_tokenizer: prepend_scheme cannot be 'last' (one of: always, first, never)");
  expect_refused(R"({"pre_tokenizer": {"type": "Metaspace", "replacement": ""}})",
                 "small: pre_tokenizer: replacement is empty; expected one character");
  expect_refused(R"({"decoder": {"type": "CTC"}})", "small: decoder.type: the decoder 'CTC' is not supported");
  std::string normalizer = R"({"type": "NFC"})", cut = R"({"type": "Whitespace"})", decoder = R"({"type": "Fuse"})",
              processor = R"({"type": "ByteLevel"})";
  for (int i = 0; i < 10; ++i) {
    normalizer = R"({"type": "Sequence", "normalizers": [)" + normalizer + "]}";
    cut = R"({"type": "Sequence", "pretokenizers": [)" + cut + "]}";
    decoder = R"({"type": "Sequence", "decoders": [)" + decoder + "]}";
    processor = R"({"type": "Sequence", "processors": [)" + processor + "]}";
  }
  const auto nested = [](const std::string& key, const std::string& list, const std::string& value,
                         const std::string& what) {
    std::string path = key;
    for (int i = 0; i < 9; ++i) path += "." + list + "[0]";
    expect_refused(fmt::format("{{\"{}\": {}}}", key, value),
                   fmt::format("small: {}: {} are nested deeper than 8 levels", path, what));
  };
  nested("normalizer", "normalizers", normalizer, "normalizers");
  nested("pre_tokenizer", "pretokenizers", cut, "pre-tokenizers");
  nested("decoder", "decoders", decoder, "decoders");
  nested("post_processor", "processors", processor, "post-processors");
}

TEST(TokenizerJson, Templates) {
  const auto processor = [](const std::string& inside, const std::string& message) {
    expect_refused("{\"post_processor\": {" + inside + "}}", "small: post_processor" + message);
  };
  processor(R"("type": "Template")", ".type: the post-processor 'Template' is not supported");
  processor(R"("type": "TemplateProcessing", "single": [])", ".single: does not hold the text");
  processor(R"("type": "TemplateProcessing", "single": [{"Sequence": {}}, {"Sequence": {}}])",
            ".single: holds the text twice");
  processor(R"("type": "TemplateProcessing", "special_tokens": {"x": {"ids": [99]}},
               "single": [{"SpecialToken": {"id": "x"}}, {"Sequence": {}}])",
            ".special_tokens.x.ids[0]: no token has the id 99");
  processor(R"("type": "RobertaProcessing", "cls": ["a"], "sep": ["b", 2])", ".cls: expected a token and its id");
  Json json = test::small_bpe();
  json["post_processor"] = parse_json(R"({"type": "RobertaProcessing", "cls": ["d", 4], "sep": ["e", 5]})", "t");
  EXPECT_EQ(test::build(json).encode("ab"), (Ids{4, 7, 5}));
}

/// Files under cases/: a tokenizer.json, texts, and what Hugging Face's tokenizers made of them.
TEST(TokenizerJson, EqualsTheLibraryThatTheFilesAreOf) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::source_dir() + "/tests/text/cases")) {
    const Json json = load_json(entry.path());
    const Tokenizer tokenizer = build_tokenizer(json.at("tokenizer").get<std::string>(), {}, entry.path().string());
    for (const Json& item : json.at("texts")) {
      const auto text = item.at("text").get<std::string>();
      EXPECT_EQ(tokenizer.encode(text), item.at("ids").get<Ids>()) << entry.path() << ": " << text;
      if (item.contains("decoded")) {
        EXPECT_EQ(tokenizer.decode(item.at("ids").get<Ids>()), item.at("decoded").get<std::string>()) << entry.path();
      }
    }
    ++count;
  }
  EXPECT_GE(count, 8);
}

}  // namespace
}  // namespace filigree::text
