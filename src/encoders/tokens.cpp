#include "encoders/tokens.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace filigree::encoders {

Tokens tokenize(const text::Tokenizer& tokenizer, const std::vector<std::string>& texts, std::int64_t length) {
  const auto count = static_cast<std::int64_t>(texts.size());
  Tokens tokens{at::full({count, length}, tokenizer.padding(), at::kLong), at::zeros({count, length}, at::kBool), {}};
  for (std::int64_t row = 0; row < count; ++row) {
    const std::string& text = texts[static_cast<std::size_t>(row)];
    text::EncodeOptions options;
    const std::vector<text::TokenId> whole = tokenizer.encode(text, options);
    options.max_length = length;
    const std::vector<text::TokenId> kept = tokenizer.encode(text, options);
    auto* id = tokens.ids_BT.data_ptr<std::int64_t>() + row * length;
    std::copy(kept.begin(), kept.end(), id);
    tokens.mask_BT[row].narrow(0, 0, static_cast<std::int64_t>(kept.size())).fill_(true);
    std::string lost;
    if (whole.size() > kept.size()) {
      const std::size_t behind = tokenizer.after().size();
      const auto cut = std::span(whole).subspan(kept.size() - behind, whole.size() - kept.size());
      lost = tokenizer.decode(cut);
    }
    tokens.lost.push_back(std::move(lost));
  }
  return tokens;
}

}  // namespace filigree::encoders
