#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "text/tokenizer.h"

/// Learning a tokenizer from text files.
namespace filigree::text {

struct TrainOptions {
  std::int64_t vocabulary_size = 0;                             ///< special tokens, 256 bytes and merges together
  std::vector<std::string> special_tokens = {"<|endoftext|>"};  ///< get the first ids; the first is eos and pad
  std::int64_t min_count = 2;                                   ///< pairs that are seen less often are not merged
  std::string pattern{kLlama3Pattern};                          ///< cuts the text into words
  ProgressSink* progress = nullptr;
};

/// A tokenizer as the files that Hugging Face's libraries read too.
struct TrainedTokenizer {
  std::string tokenizer_json, config_json;
  std::int64_t vocabulary_size = 0;  ///< less than asked for where no pair is left that is seen often enough
  std::int64_t merges = 0;
  std::int64_t different_words = 0;
};

/// A byte-level BPE (Sennrich et al. 2016, arXiv 1508.07909, algorithm 1): the most frequent pair of neighbours is merged,
/// again and again; of equally frequent ones the pair whose tokens have the lowest ids. Counts are kept up to date, so
/// that a merge costs only the words that it changes. The strings of special tokens are not learned from. Stops early,
/// with what it has, where the work is cancelled. Error where a file is not UTF-8 or has no text, or where
/// vocabulary_size has no room for the special tokens and bytes.
TrainedTokenizer train_bpe(const std::vector<std::filesystem::path>& files, const TrainOptions& options);

/// One token for each character of the files, in order of their code points, behind the special tokens and "<unk>".
TrainedTokenizer train_characters(const std::vector<std::filesystem::path>& files,
                                  const std::vector<std::string>& special_tokens = {"<|endoftext|>"});

/// Writes tokenizer.json and tokenizer_config.json.
void save_tokenizer(const TrainedTokenizer& trained, const std::filesystem::path& folder);

/// The tokenizer that was trained, as load_tokenizer would read it from a folder `where`.
Tokenizer read_trained(const TrainedTokenizer& trained, const std::string& where);

}  // namespace filigree::text
