#pragma once

#include <vector>

#include "text/model.h"
#include "text/trie.h"

/// The Unigram model (Kudo 2018, arXiv 1804.10959, section 3.2): of all ways to cut a word into pieces, the one whose
/// pieces have the greatest sum of log probabilities, found by the Viterbi algorithm.
namespace filigree::text {

struct UnigramPiece {
  std::string text;
  TokenId id = 0;
  double score = 0;           ///< log probability
  bool user_defined = false;  ///< taken wherever it stands
};

struct UnigramOptions {
  std::optional<TokenId> unknown;  ///< for runs of characters without a piece; Error at such a text without it
  bool byte_fallback = false;      ///< their bytes instead, "<0x41>", where the vocabulary has all 256
  double min_score = 0;            ///< an unknown character scores 10 less
  double max_score = 0;            ///< a user-defined piece scores this times its bytes
  bool single_precision = false;   ///< sums rounded to float, as SentencePiece's are
};

class UnigramModel : public Model {
 public:
  UnigramModel(VocabularyPtr vocabulary, std::vector<UnigramPiece> pieces, UnigramOptions options);

  void encode(const Words& words, bool special, std::vector<TokenId>& out) const override;

 private:
  struct Node {
    std::size_t begin = 0;  ///< where the best last piece begins
    double score = 0;       ///< of the best way up to here
    std::int32_t piece = kNone;
  };
  static constexpr std::int32_t kNone = -2, kUnknown = -1;

  void fill(std::string_view word, bool special, std::vector<Node>& nodes) const;
  void encode_word(std::string_view word, bool special, std::vector<Node>& nodes, std::vector<TokenId>& out) const;
  void append_unknown(std::string_view text, std::vector<TokenId>& out) const;

  VocabularyPtr vocabulary_;
  std::vector<UnigramPiece> pieces_;
  Trie trie_;  ///< numbers are places in pieces_
  UnigramOptions options_;
  std::optional<std::vector<TokenId>> bytes_;
};

}  // namespace filigree::text
