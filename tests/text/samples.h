#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "text/tokenizer.h"

/// Small tokenizers and awkward texts for the tests.
namespace filigree::test {

/// A new folder, removed with its content when it goes out of scope.
class TextFolder {
 public:
  TextFolder();
  ~TextFolder();
  TextFolder(const TextFolder&) = delete;
  TextFolder& operator=(const TextFolder&) = delete;

  std::filesystem::path path(const std::string& name = "") const { return path_ / name; }

  /// Writes a file and returns its path.
  std::filesystem::path write(const std::string& name, std::string_view content) const;

 private:
  std::filesystem::path path_;
};

/// A tokenizer.json: byte-level BPE over the letters a to e, space and "<|end|>" (special, id 0). Merges: a b, ab c, Ġ ab.
Json small_bpe();

/// A tokenizer.json: Unigram over ▁, a, b, ab, ▁ab and "</s>".
Json small_unigram();

/// Built without files beside it.
text::Tokenizer build(const Json& tokenizer_json);

/// Empty, white space of all kinds, CRLF, emoji with joiners and flags, combining marks, ligatures, right-to-left and
/// Indic scripts, controls, strings of special tokens.
const std::vector<std::string>& awkward_texts();

/// `length` parts of the awkward texts, in any order.
std::string random_text(Random& random, int length);

}  // namespace filigree::test
