#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "text/tokenizer.h"

namespace filigree::encoders {

/// Texts as the encoders take them: all of one length. B texts, T tokens.
struct Tokens {
  at::Tensor ids_BT;   ///< int64, padded behind
  at::Tensor mask_BT;  ///< bool: false where padded
  /// Of each text, what did not fit: the words behind its last token that is kept; "" where all fitted.
  std::vector<std::string> lost;
};

/// Tokens of texts, cut and padded to `length`. The tokens that the tokenizer puts around a text are kept when it is cut.
Tokens tokenize(const text::Tokenizer& tokenizer, const std::vector<std::string>& texts, std::int64_t length);

}  // namespace filigree::encoders
