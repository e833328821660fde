#include "text/train.h"

#include <algorithm>
#include <set>

#include "base/file.h"
#include "text/bpe_trainer.h"
#include "text/build.h"
#include "text/byte_level.h"

namespace filigree::text {
namespace {
namespace fs = std::filesystem;

constexpr std::int64_t kMaxVocabulary = 1 << 24;

std::string quoted(const std::string& text) { return Json(text).dump(); }

std::string added_tokens(const std::vector<std::string>& special) {
  std::string out;
  for (std::size_t id = 0; id < special.size(); ++id) {
    out += fmt::format(
        "{}\n    {{\"id\": {}, \"content\": {}, \"single_word\": false, \"lstrip\": false, \"rstrip\": false, "
        "\"normalized\": false, \"special\": true}}",
        id == 0 ? "" : ",", id, quoted(special[id]));
  }
  return out;
}

/// What a tokenizer.json of ours differs in.
struct Document {
  std::vector<std::string> special;
  std::string pre_tokenizer, post_processor, decoder, unknown;
  std::vector<std::string> pieces, merges;
};

std::string to_json_text(const Document& document) {
  std::string out = fmt::format(
      "{{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [{}\n  ],\n"
      "  \"normalizer\": null,\n  \"pre_tokenizer\": {},\n  \"post_processor\": {},\n  \"decoder\": {},\n"
      "  \"model\": {{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": {},\n"
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n"
      "    \"byte_fallback\": false,\n    \"ignore_merges\": false,\n    \"vocab\": {{",
      added_tokens(document.special), document.pre_tokenizer, document.post_processor, document.decoder,
      document.unknown);
  for (std::size_t id = 0; id < document.pieces.size(); ++id) {
    out += fmt::format("{}\n      {}: {}", id == 0 ? "" : ",", quoted(document.pieces[id]), id);
  }
  out += "\n    },\n    \"merges\": [";
  for (std::size_t i = 0; i < document.merges.size(); ++i) {
    out += fmt::format("{}\n      {}", i == 0 ? "" : ",", quoted(document.merges[i]));
  }
  return out + "\n    ]\n  }\n}\n";
}

std::string config_text(const std::vector<std::string>& special, const std::string& unknown) {
  Json config;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  if (!special.empty()) {
    config["eos_token"] = special.front();
    config["pad_token"] = special.front();
  }
  if (!unknown.empty()) config["unk_token"] = unknown;
  config["clean_up_tokenization_spaces"] = false;
  return to_text(config);
}

void check_special(const std::vector<std::string>& special) {
  std::set<std::string> seen;
  for (const std::string& token : special) {
    if (token.empty()) fail("a special token is empty; give each a name such as <|endoftext|>");
    check_utf8(token, "a special token");
    if (!seen.insert(token).second) fail("the special token '{}' is named twice", token);
  }
}

/// The parts of a file without special tokens, cut at line ends so that none is much longer than a megabyte.
template <class Use>
void for_each_part(const fs::path& file, const std::vector<std::string>& special, const Use& use) {
  constexpr std::size_t kPart = 1 << 20;
  const std::string text = read_file(file);
  check_utf8(text, file.string());
  std::vector<AddedToken> tokens;
  for (const std::string& token : special) {
    tokens.push_back({.content = token});
    tokens.back().special = true;
  }
  for (const AddedTokens::Part& part : AddedTokens(std::move(tokens), {}).split(text, false, true)) {
    if (part.id >= 0) continue;
    for (std::size_t begin = part.begin; begin < part.end;) {
      std::size_t end = part.end;
      if (part.end - begin > kPart) {
        // Behind a line end and before a visible character: no expression in use reaches across.
        std::size_t at = begin + kPart;
        while (at < part.end && !(text[at - 1] == '\n' && static_cast<unsigned char>(text[at]) > ' ')) ++at;
        end = at;
      }
      use(std::string_view(text).substr(begin, end - begin));
      begin = end;
    }
  }
}

std::vector<CountedWord> count_words(const std::vector<fs::path>& files, const TrainOptions& options) {
  PreTokenizer cut;
  cut.add_split(Regex(options.pattern, "the pattern of words"), SplitBehavior::isolated);
  cut.add_byte_level(false, false);
  std::unordered_map<std::string, std::int64_t, StringHash, std::equal_to<>> counts;
  Progress progress(options.progress, static_cast<std::int64_t>(files.size()), "files");
  for (const fs::path& file : files) {
    for_each_part(file, options.special_tokens, [&](std::string_view part) {
      const Words words = cut(std::string(part), false);
      for (std::size_t i = 0; i < words.ranges.size(); ++i) {
        const std::string_view word = words.word(i);
        if (const auto found = counts.find(word); found != counts.end()) {
          ++found->second;
        } else {
          counts.emplace(word, 1);
        }
      }
    });
    progress.advance();
  }
  std::vector<CountedWord> words;
  words.reserve(counts.size());
  for (const auto& [word, count] : counts) words.push_back({word, count});
  std::sort(words.begin(), words.end(), [](const auto& a, const auto& b) { return a.letters < b.letters; });
  return words;
}

void check_files(const std::vector<fs::path>& files, std::size_t found) {
  if (files.empty()) fail("no file to learn from was given");
  if (found == 0) fail("{}: holds no text to learn from", files.front().string());
}

}  // namespace

TrainedTokenizer train_bpe(const std::vector<fs::path>& files, const TrainOptions& options) {
  check_special(options.special_tokens);
  const auto least = static_cast<std::int64_t>(options.special_tokens.size()) + 256;
  if (options.vocabulary_size < least || options.vocabulary_size > kMaxVocabulary) {
    fail("vocabulary_size must be between {} ({} special tokens and 256 bytes) and {}, got {}", least,
         options.special_tokens.size(), kMaxVocabulary, options.vocabulary_size);
  }
  for (const std::string& token : options.special_tokens) {
    std::size_t at = 0;
    if (utf8_length(token[0]) == token.size() && byte_of_letter(next_character(token, at))) {
      fail("the special token '{}' is how a byte is written; take a longer one", token);
    }
  }
  const std::vector<CountedWord> words = count_words(files, options);
  check_files(files, words.size());
  Document document;
  document.special = document.pieces = options.special_tokens;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    document.pieces.push_back(to_byte_letters(std::string(1, static_cast<char>(static_cast<unsigned char>(byte)))));
  }
  TrainedMerges found = BpeTrainer(words, document.pieces, document.special.size())
                            .run(static_cast<std::size_t>(options.vocabulary_size),
                                 std::max<std::int64_t>(options.min_count, 1), options.progress);
  document.pieces = std::move(found.pieces);
  for (const auto& [left, right] : found.merges) {
    const auto piece = [&](TokenId id) { return document.pieces[static_cast<std::size_t>(id)]; };
    document.merges.push_back(piece(left) + " " + piece(right));
  }
  document.pre_tokenizer = fmt::format(
      "{{\"type\": \"Sequence\", \"pretokenizers\": [\n"
      "    {{\"type\": \"Split\", \"pattern\": {{\"Regex\": {}}}, \"behavior\": \"Isolated\", \"invert\": false}},\n"
      "    {{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": false}}\n"
      "  ]}}",
      quoted(options.pattern));
  document.decoder = R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})";
  document.post_processor = document.decoder;
  document.unknown = "null";
  return {to_json_text(document), config_text(document.special, ""), static_cast<std::int64_t>(document.pieces.size()),
          static_cast<std::int64_t>(document.merges.size()), static_cast<std::int64_t>(words.size())};
}

TrainedTokenizer train_characters(const std::vector<fs::path>& files, const std::vector<std::string>& special_tokens) {
  Document document;
  document.special = special_tokens;
  const std::string unknown = "<unk>";
  if (std::find(special_tokens.begin(), special_tokens.end(), unknown) == special_tokens.end()) {
    document.special.push_back(unknown);
  }
  check_special(document.special);
  std::set<char32_t> characters;
  for (const fs::path& file : files) {
    for_each_part(file, document.special, [&](std::string_view part) {
      for (std::size_t at = 0; at < part.size();) characters.insert(next_character(part, at));
    });
  }
  check_files(files, characters.size());
  document.pieces = document.special;
  for (const char32_t character : characters) {
    std::string piece;
    append_utf8(piece, character);
    if (std::find(document.special.begin(), document.special.end(), piece) == document.special.end()) {
      document.pieces.push_back(piece);
    }
  }
  document.pre_tokenizer = document.post_processor = "null";
  document.decoder = R"({"type": "Fuse"})";
  document.unknown = quoted(unknown);
  return {to_json_text(document), config_text(special_tokens, unknown),
          static_cast<std::int64_t>(document.pieces.size()), 0, static_cast<std::int64_t>(characters.size())};
}

void save_tokenizer(const TrainedTokenizer& trained, const fs::path& folder) {
  write_file(folder / "tokenizer.json", trained.tokenizer_json);
  write_file(folder / "tokenizer_config.json", trained.config_json);
}

Tokenizer read_trained(const TrainedTokenizer& trained, const std::string& where) {
  return build_tokenizer(trained.tokenizer_json,
                         parse_tokenizer_config(trained.config_json, where + "/tokenizer_config.json"), where);
}

}  // namespace filigree::text
