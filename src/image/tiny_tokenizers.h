#pragma once

#include <cstdint>
#include <filesystem>

/// Small tokenizers of the three kinds that the text encoders use, over single characters and some common words of
/// prompts.
namespace filigree::image {

/// Each writes tokenizer.json and tokenizer_config.json, and returns how many ids there are.
struct TinyTokenizer {
  std::int64_t vocabulary = 0, begin = 0, end = 0;
};
TinyTokenizer write_tiny_clip_tokenizer(const std::filesystem::path& folder);   ///< BPE with "</w>", lower case
TinyTokenizer write_tiny_t5_tokenizer(const std::filesystem::path& folder);     ///< Unigram; begin is not used
TinyTokenizer write_tiny_llama_tokenizer(const std::filesystem::path& folder);  ///< byte-level BPE

}  // namespace filigree::image
