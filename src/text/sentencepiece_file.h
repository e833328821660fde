#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The files of SentencePiece (spiece.model, tokenizer.model), read without its library: a few fields of one protocol
/// buffer (google/sentencepiece: src/sentencepiece_model.proto). Its library is what the tests compare with.
namespace filigree::text {

struct SentencePieceFile {
  enum class Kind { unigram = 1, bpe = 2, word = 3, character = 4 };
  enum class PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

  struct Piece {
    std::string text;
    double score = 0;
    PieceType type = PieceType::normal;
  };

  Kind kind = Kind::unigram;
  std::vector<Piece> pieces;                         ///< the place is the id
  std::int64_t unk = 0, bos = 1, eos = 2, pad = -1;  ///< -1: none
  bool byte_fallback = false;
  bool space_as_suffix = false;
  std::string char_map;  ///< bytes of a CharMap
  bool dummy_prefix = true;
  bool remove_extra_spaces = true;
  bool escape_spaces = true;
};

/// Error naming `where` and the byte where the file is not such a model, is cut short, or contradicts itself.
SentencePieceFile parse_sentencepiece(std::string_view bytes, const std::string& where);

}  // namespace filigree::text
