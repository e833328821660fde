#include "samples.h"

#include <cstdlib>

#include "base/file.h"
#include "text/build.h"
#include "text/byte_level.h"

namespace filigree::test {
namespace fs = std::filesystem;

TextFolder::TextFolder() {
  std::string name = (fs::temp_directory_path() / "filigree-text-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw Error("no temporary folder can be made");
  path_ = name;
}

TextFolder::~TextFolder() {
  std::error_code code;
  fs::remove_all(path_, code);
}

fs::path TextFolder::write(const std::string& name, std::string_view content) const {
  write_file(path_ / name, content);
  return path(name);
}

Json small_bpe() {
  return parse_json(R"({
    "version": "1.0",
    "added_tokens": [{"id": 0, "content": "<|end|>", "special": true, "normalized": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "post_processor": null,
    "decoder": {"type": "ByteLevel"},
    "model": {
      "type": "BPE", "dropout": null, "unk_token": null, "ignore_merges": false,
      "vocab": {"<|end|>": 0, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "Ġ": 6, "ab": 7, "abc": 8, "Ġab": 9},
      "merges": ["a b", "ab c", "Ġ ab"]
    }
  })",
                    "small_bpe");
}

Json small_unigram() {
  return parse_json(R"({
    "added_tokens": [{"id": 1, "content": "</s>", "special": true, "normalized": false}],
    "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
    "post_processor": {"type": "TemplateProcessing",
                       "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}],
                       "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
    "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"},
    "model": {"type": "Unigram", "unk_id": 0,
              "vocab": [["<unk>", 0], ["</s>", 0], ["▁", -2], ["a", -3], ["b", -3.5], ["ab", -4], ["▁ab", -7]]}
  })",
                    "small_unigram");
}

text::Tokenizer build(const Json& tokenizer_json) {
  return text::build_tokenizer(tokenizer_json.dump(), text::TokenizerConfig{}, "small");
}

const std::vector<std::string>& awkward_texts() {
  static const std::vector<std::string> texts = {
      "",
      " ",
      "   \t\n",
      "\r\n\r\n",
      "a\r\nb\rc\n\nd",
      "tab\tand\vvertical\ffeed",
      "no\u00a0break\u2007space\u202fhere\u3000wide",
      "zero\u200bwidth\u2060joiner\ufeff",
      "mongolian\u180evowel",
      "next\u0085line\u2028sep\u2029end",
      "🙂🚀👩‍👩‍👧‍👦🇩🇪👍🏽",
      "e\u0301 \u0301 a\u0308\u0323",
      "ﬁ ﬂ Ⅷ ½ ① ㎏ ﷽ ﬁ\u0301",
      "İstanbul ıǅ ΣΊΣΥΦΟΣ ſtraße",
      "naïve café über straße",
      "東京タワー か\u3099き 한국어 각",
      "Привет, мир!",
      "हिन्दी ไทย עִבְרִית العربية ٣٤٥",
      "DON'T can'T we'LL I'm he'd they'VE 's'S 'ſ",
      "1 22 333 4444 55555 1,234.56 x² 3½",
      "!?... --- ___ ((())) @#$%^&*",
      "<|endoftext|> </s><s> <pad> <|end|><|im_end|> [unused10] <unk>",
      "<|endof text|> < /s> <|<|end|>|>",
      "▁ ▁▁ Ġ Ċ </w> <0x41> ##",
      "\u0001\u001f\u007f \u0080\u009f",
      "\ufffd\uffff\U0010ffff\U0001d400",
      "the quick brown fox jumps over the lazy dog, and the dog sleeps",
      "  leading and trailing  ",
      "a" + std::string(300, ' ') + "b",
      std::string(500, 'x'),
  };
  return texts;
}

std::string random_text(Random& random, int length) {
  const std::vector<std::string>& texts = awkward_texts();
  std::string out;
  for (int i = 0; i < length; ++i) {
    const std::string& text = texts[random.below(texts.size() - 2)];
    // A part of it, cut between characters.
    std::vector<std::size_t> starts;
    for (std::size_t at = 0; at < text.size(); at += text::utf8_length(text[at])) starts.push_back(at);
    if (starts.empty()) continue;
    const std::size_t from = starts[random.below(starts.size())];
    const std::size_t count = 1 + random.below(6);
    std::size_t to = from;
    for (std::size_t k = 0; k < count && to < text.size(); ++k) to += text::utf8_length(text[to]);
    out += text.substr(from, to - from);
  }
  return out;
}

}  // namespace filigree::test
