#pragma once

#include "text/model.h"
#include "text/normalizer.h"
#include "text/sentencepiece_file.h"
#include "text/trie.h"

/// What a SentencePiece model does with a text: its normalisation, and its byte-pair encoding by scores.
namespace filigree::text {

/// Characters replaced by the longest entry of the model's map, spaces as "▁", a first "▁" before the text, no doubled
/// and no outer spaces, as the model says (google/sentencepiece: src/normalizer.cc).
Normalizer sentencepiece_normalizer(const SentencePieceFile& file, const std::string& where);

/// Words that no piece crosses, so that they can be encoded one by one; the whole text where there are no such.
PreTokenizer sentencepiece_words(const SentencePieceFile& file);

/// Merges the two neighbours whose union is the piece of the highest score, again and again
/// (google/sentencepiece: src/bpe_model.cc).
class SentencePieceBpe : public Model {
 public:
  SentencePieceBpe(VocabularyPtr vocabulary, const SentencePieceFile& file);

  void encode(const Words& words, bool special, std::vector<TokenId>& out) const override;

 private:
  void encode_word(std::string_view word, bool special, std::vector<TokenId>& out) const;
  void append_piece(std::string_view piece, bool special, std::vector<TokenId>& out) const;

  VocabularyPtr vocabulary_;
  std::vector<double> scores_;
  std::vector<bool> mergeable_, unused_;
  Trie user_defined_;
  TokenId unknown_;
  std::optional<std::vector<TokenId>> bytes_;
};

}  // namespace filigree::text
