#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/json_part.h"
#include "text/regex.h"

/// How a text is cut into the words within which tokens are made.
namespace filigree::text {

/// A text and the words it is cut into: ranges [first, second) that do not overlap, in order, none empty.
struct Words {
  std::string text;
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  bool at_start = false;  ///< the text begins where the whole input begins

  std::string_view word(std::size_t i) const {
    return std::string_view(text).substr(ranges[i].first, ranges[i].second - ranges[i].first);
  }
};

/// Which of the parts between and in matches are kept, and how they are joined (huggingface/tokenizers:
/// tokenizers/src/tokenizer/normalizer.rs, SplitDelimiterBehavior).
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// Steps one after another, each cutting further.
class PreTokenizer {
 public:
  using Step = std::function<void(Words&)>;

  void add(Step step) { steps_.push_back(std::move(step)); }

  /// The words of a text; all of it is one word where there are no steps.
  Words operator()(std::string text, bool at_start) const;

  /// Cuts each word at the matches of an expression; with `invert` matches and what is between them change places.
  void add_split(Regex regex, SplitBehavior behavior, bool invert = false);

  /// Bytes as letters, after the cut of GPT-2 if `use_regex`.
  void add_byte_level(bool prefix_space, bool use_regex);

 private:
  std::vector<Step> steps_;
};

/// The cut of GPT-2 (openai/gpt-2: src/encoder.py) and of Llama 3 (meta-llama/llama3: llama/tokenizer.py).
extern const std::string_view kGpt2Pattern;
extern const std::string_view kLlama3Pattern;
/// The cut of Qwen 2: as Llama 3, but every digit by itself.
extern const std::string_view kQwen2Pattern;

/// From the key "pre_tokenizer" of a tokenizer.json (huggingface/tokenizers: tokenizers/src/pre_tokenizers).
PreTokenizer read_pre_tokenizer(const JsonPart& part);

/// The cut of CLIP (openai/CLIP: clip/simple_tokenizer.py): what the expression matches, and nothing else.
PreTokenizer clip_pre_tokenizer();

}  // namespace filigree::text
