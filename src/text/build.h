#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "text/bpe.h"
#include "text/sentencepiece_file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"

/// From files that have been read to a tokenizer.
namespace filigree::text {

/// What tokenizer_config.json and its neighbours say beside the vocabulary. All of it may be missing.
struct TokenizerConfig {
  std::string tokenizer_class = {};
  std::string bos = {}, eos = {}, pad = {}, unk = {};  ///< pieces; "" where not named
  std::optional<bool> add_bos = {}, add_eos = {};
  std::vector<AddedToken> added = {};           ///< with ids
  std::vector<std::string> extra_special = {};  ///< without
  std::string chat_template = {};
  std::int64_t model_max_length = 0;
};

/// Reads the settings of a folder from tokenizer_config.json, special_tokens_map.json, added_tokens.json and
/// chat_template.jinja, as far as they are there.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder);

/// The same from the text of one tokenizer_config.json.
TokenizerConfig parse_tokenizer_config(std::string_view text, const std::string& where);

/// A tokenizer from the text of a tokenizer.json; `where` names it in messages.
Tokenizer build_tokenizer(std::string_view tokenizer_json, const TokenizerConfig& config, const std::string& where);

/// From a SentencePiece model. Around a text stand bos (if the model has one, and `add_bos` does not say no; for Unigram
/// models only if it says yes) and eos (if `add_eos` says so; for Unigram models without bos, such as T5's, unless it says
/// no).
Tokenizer build_tokenizer(const SentencePieceFile& file, const TokenizerConfig& config, const std::string& where);

/// From vocab.json and merges.txt: CLIP where pieces end with "</w>", else the byte-level BPE of GPT-2, or of Qwen 2 where
/// the config's class says so.
struct VocabularyFiles {
  std::vector<std::pair<std::string, std::int64_t>> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;
  std::string vocabulary_where, merges_where;
};
Tokenizer build_tokenizer(const VocabularyFiles& files, const TokenizerConfig& config, const std::string& where);

/// Merges as ids. Error naming the merge whose parts or result the vocabulary lacks.
std::vector<BpeMerge> resolve_merges(const std::vector<std::pair<std::string, std::string>>& merges,
                                     const Vocabulary& vocabulary, const std::string& prefix, const std::string& place);

/// Marks added tokens in the vocabulary, adds those that the config names, and fills `named` and `added` of the parts.
void finish_tokens(TokenizerParts& parts, Vocabulary& vocabulary, std::vector<AddedToken> added,
                   const TokenizerConfig& config);

}  // namespace filigree::text
