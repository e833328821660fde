#include "image/tiny_tokenizers.h"

#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "text/byte_level.h"
#include "text/pre_tokenizer.h"
#include "text/utf8.h"

namespace filigree::image {
namespace {

constexpr std::string_view kWords =
    "a an and at background beautiful big black blue bright brown by car cat city close cloud cold color colorful dark "
    "day detailed dog dream evening eyes face field fire flower flying forest fox from garden girl glass gold green "
    "grey hair hand high holding house image in into is it lake large landscape light little long looking low make man "
    "morning mountain moon mouth near night no ocean of old on one orange over painting paper person photo photograph "
    "picture pink portrait purple quality rain realistic red remove resolution river road room running sea sitting sky "
    "small smiling snow soft space standing star stone street style sun sunset tall the their through to tree turn two "
    "under very walking wall warm water wearing white wild wind window winter with woman wood yellow young";

std::vector<std::string> words() {
  std::vector<std::string> out;
  for (const std::string& word : text::split(std::string(kWords), ' ')) out.push_back(word);
  return out;
}

std::string letter(char32_t character) {
  std::string out;
  text::append_utf8(out, character);
  return out;
}

/// A vocabulary of pieces and the merges that make its words, letter by letter from the left.
class Pieces {
 public:
  void add(const std::string& piece) {
    if (known_.insert(piece).second) vocabulary_[piece] = next_++;
  }
  void add_word(const std::vector<std::string>& letters) {
    std::string made = letters.front();
    for (std::size_t i = 1; i < letters.size(); ++i) {
      const std::string merge = made + " " + letters[i];
      made += letters[i];
      if (merged_.insert(merge).second) merges_.push_back(merge);
      add(made);
    }
  }
  std::int64_t size() const { return next_; }
  const Json& vocabulary() const { return vocabulary_; }
  const Json& merges() const { return merges_; }

 private:
  Json vocabulary_ = Json::object(), merges_ = Json::array();
  std::set<std::string> known_, merged_;
  std::int64_t next_ = 0;
};

Json special(std::int64_t id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

Json token(const std::string& name, std::int64_t id) {
  return {{name, {{"id", name}, {"ids", {id}}, {"tokens", {name}}}}};
}

Json part_text() { return {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}; }
Json part_special(const std::string& name) { return {{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; }

void write(const std::filesystem::path& folder, Json parts, const Json& config) {
  Json file = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  file.update(parts);
  write_file(folder / "tokenizer.json", to_text(file));
  write_file(folder / "tokenizer_config.json", to_text(config));
}

Json bpe(const Pieces& pieces, const Json& suffix, const Json& unknown, bool ignore_merges) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", suffix},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", ignore_merges},
          {"vocab", pieces.vocabulary()},
          {"merges", pieces.merges()}};
}

Json byte_level(bool regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", regex}};
}

}  // namespace

TinyTokenizer write_tiny_clip_tokenizer(const std::filesystem::path& folder) {
  const std::string begin = "<|startoftext|>", end = "<|endoftext|>", word_end = "</w>";
  Pieces pieces;
  for (const char32_t c : text::byte_letters()) pieces.add(letter(c));
  for (const char32_t c : text::byte_letters()) pieces.add(letter(c) + word_end);
  for (const std::string& word : words()) {
    std::vector<std::string> letters;
    for (const char c : word) letters.emplace_back(1, c);
    letters.back() += word_end;
    pieces.add_word(letters);
  }
  pieces.add(begin);
  pieces.add(end);
  const TinyTokenizer out{pieces.size(), pieces.size() - 2, pieces.size() - 1};
  const std::string pattern =
      R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
  const Json split = {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Removed"}, {"invert", true}};
  const Json spaces = {{"type", "Replace"}, {"pattern", {{"Regex", "\\s+"}}}, {"content", " "}};
  Json parts;
  parts["added_tokens"] = {special(out.begin, begin), special(out.end, end)};
  parts["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, spaces, {{"type", "Lowercase"}}}}};
  parts["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, byte_level(true)}}};
  parts["post_processor"] = {{"type", "RobertaProcessing"},
                             {"sep", Json::array({end, out.end})},
                             {"cls", Json::array({begin, out.begin})},
                             {"trim_offsets", false},
                             {"add_prefix_space", false}};
  parts["decoder"] = byte_level(true);
  parts["model"] = bpe(pieces, word_end, end, false);
  write(folder, parts,
        {{"tokenizer_class", "CLIPTokenizer"},
         {"bos_token", begin},
         {"eos_token", end},
         {"pad_token", end},
         {"unk_token", end},
         {"model_max_length", 248}});
  return out;
}

TinyTokenizer write_tiny_t5_tokenizer(const std::filesystem::path& folder) {
  const std::string space = "\xE2\x96\x81";  // ▁
  Json pieces = Json::array();
  std::set<std::string> known;
  const auto add = [&](const std::string& piece, double score) {
    if (known.insert(piece).second) pieces.push_back(Json::array({piece, score}));
  };
  add("<pad>", 0);
  add("</s>", 0);
  add("<unk>", 0);
  add(space, -3);
  for (const std::string& word : words()) add(space + word, -6);
  for (char c = '!'; c <= '~'; ++c) add(std::string(1, c), -8);
  const Json metaspace = {{"type", "Metaspace"}, {"replacement", space}, {"prepend_scheme", "always"}, {"split", true}};
  const Json strip = {{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}};
  const Json spaces = {{"type", "Replace"}, {"pattern", {{"Regex", " {2,}"}}}, {"content", space}};
  Json parts;
  parts["added_tokens"] = {special(0, "<pad>"), special(1, "</s>"), special(2, "<unk>")};
  parts["normalizer"] = {{"type", "Sequence"}, {"normalizers", {strip, spaces}}};
  parts["pre_tokenizer"] = metaspace;
  parts["post_processor"] = {{"type", "TemplateProcessing"},
                             {"single", {part_text(), part_special("</s>")}},
                             {"pair", {part_text(), part_special("</s>")}},
                             {"special_tokens", token("</s>", 1)}};
  parts["decoder"] = metaspace;
  parts["model"] = {{"type", "Unigram"}, {"unk_id", 2}, {"vocab", pieces}, {"byte_fallback", false}};
  write(folder, parts,
        {{"tokenizer_class", "T5Tokenizer"}, {"eos_token", "</s>"}, {"pad_token", "<pad>"}, {"unk_token", "<unk>"}});
  return {static_cast<std::int64_t>(pieces.size()), 0, 1};
}

TinyTokenizer write_tiny_llama_tokenizer(const std::filesystem::path& folder) {
  const std::string begin = "<|begin_of_text|>", end = "<|eot_id|>";
  Pieces pieces;
  for (const char32_t c : text::byte_letters()) pieces.add(letter(c));
  for (const std::string& word : words()) {
    std::vector<std::string> letters{text::to_byte_letters(" ")};
    for (const char c : word) letters.emplace_back(1, c);
    pieces.add_word(letters);
    pieces.add_word({letters.begin() + 1, letters.end()});
  }
  const TinyTokenizer out{pieces.size() + 2, pieces.size(), pieces.size() + 1};
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", text::kLlama3Pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  Json parts;
  parts["added_tokens"] = {special(out.begin, begin), special(out.end, end)};
  parts["normalizer"] = nullptr;
  parts["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split, byte_level(false)}}};
  parts["post_processor"] = {{"type", "TemplateProcessing"},
                             {"single", {part_special(begin), part_text()}},
                             {"pair", {part_special(begin), part_text()}},
                             {"special_tokens", token(begin, out.begin)}};
  parts["decoder"] = byte_level(true);
  parts["model"] = bpe(pieces, nullptr, nullptr, true);
  write(folder, parts, {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"bos_token", begin}, {"eos_token", end}});
  return out;
}

}  // namespace filigree::image
