#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/json_part.h"

/// How the pieces of tokens become text again.
namespace filigree::text {

/// All decoders of published tokenizers are of this form: each piece gives bytes by itself, and the first may lose a space.
struct DecodeRules {
  bool byte_level = false;                                   ///< letters stand for bytes
  bool byte_fallback = false;                                ///< "<0x41>" stands for a byte
  std::vector<std::pair<std::string, std::string>> replace;  ///< in each piece, in turn: "▁" by " "
  std::string suffix;                                        ///< the end of a piece that stands for a space: "</w>"
  bool strip_first_space = false;

  std::string bytes(std::string_view piece) const;
};

/// From the key "decoder" of a tokenizer.json (huggingface/tokenizers: tokenizers/src/decoders).
DecodeRules read_decoder(const JsonPart& part);

}  // namespace filigree::text
