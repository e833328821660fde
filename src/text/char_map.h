#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The compiled table of replacements that SentencePiece models carry for normalisation (NFKC and more).
namespace filigree::text {

/// A double array of 32-bit units (the trie) and the replacements, each ended by a zero byte
/// (google/sentencepiece: src/normalizer.cc; s-yata/darts-clone).
class CharMap {
 public:
  CharMap() = default;

  /// Error where the bytes are no such table; `where` names file and place. No bytes: nothing is replaced.
  CharMap(std::string_view bytes, const std::string& where);

  bool empty() const { return units_.empty(); }

  struct Match {
    std::size_t length = 0;  ///< bytes that are replaced; 0: none
    std::string_view replacement;
  };

  /// The longest entry at text[at].
  Match longest(std::string_view text, std::size_t at) const;

  /// The shortest entry at text[at].
  Match shortest(std::string_view text, std::size_t at) const;

  /// The text as the fast tokenizers normalise it: a cluster of characters (Unicode Standard Annex 29) of less than 6
  /// bytes is replaced as a whole by the shortest entry it begins with, if there is one; in all others each character is
  /// replaced by itself (huggingface/spm_precompiled: src/lib.rs).
  std::string replace_clusters(std::string_view text) const;

 private:
  template <class Found>
  void walk(std::string_view text, std::size_t at, const Found& found) const;
  void append_cluster(std::string& out, std::string_view cluster) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace filigree::text
