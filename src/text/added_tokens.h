#pragma once

#include <functional>
#include <string>
#include <vector>

#include "text/model.h"
#include "text/normalizer.h"
#include "text/trie.h"

/// Tokens that are found in the text before it is cut into words: special ones, and what was added to a vocabulary later.
namespace filigree::text {

struct AddedToken {
  std::string content;
  TokenId id = 0;
  bool special = false;
  bool single_word = false;             ///< only where no letter or digit is beside it
  bool lstrip = false, rstrip = false;  ///< takes the white space on that side
  bool normalized = false;              ///< is looked for after the normalisation, itself normalised
  bool operator==(const AddedToken&) const = default;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalizer);

  const std::vector<AddedToken>& all() const { return tokens_; }

  /// A part of a text: one added token, or text without any.
  struct Part {
    std::size_t begin = 0, end = 0;
    TokenId id = -1;  ///< -1: text
  };

  /// Cuts a text at the tokens to be found before (`normalized` false) or after the normalisation, the longest first
  /// from left to right. Without `special`, special tokens are text.
  std::vector<Part> split(std::string_view text, bool normalized, bool special) const;

 private:
  std::vector<AddedToken> tokens_;
  Trie raw_, normalized_;  ///< numbers are places in tokens_
};

}  // namespace filigree::text
