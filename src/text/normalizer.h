#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_part.h"

/// What happens to a text before it is cut into words.
namespace filigree::text {

/// Steps one after another; each takes and gives valid UTF-8.
class Normalizer {
 public:
  using Step = std::function<std::string(std::string_view)>;

  void add(Step step) { steps_.push_back(std::move(step)); }
  bool empty() const { return steps_.empty(); }
  std::string operator()(std::string_view text) const;

 private:
  std::vector<Step> steps_;
};

/// From the key "normalizer" of a tokenizer.json (huggingface/tokenizers: tokenizers/src/normalizers).
Normalizer read_normalizer(const JsonPart& part);

/// White space becomes one space, letters lower case; NFC first. What CLIP does to its text.
Normalizer clip_normalizer();

}  // namespace filigree::text
