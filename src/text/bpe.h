#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "text/merge.h"
#include "text/model.h"

/// Byte-pair encoding by a list of merges (Sennrich et al. 2016, arXiv 1508.07909, algorithm 1), as GPT-2, CLIP, Llama 3
/// and Qwen use it.
namespace filigree::text {

struct BpeOptions {
  std::optional<TokenId> unknown;  ///< for characters without a token; without it they are left out
  std::string prefix, suffix;      ///< of every symbol but the first, of the last symbol ("</w>")
  bool fuse_unknown = false;       ///< neighbouring unknown characters are one token
  bool byte_fallback = false;      ///< unknown characters as "<0x41>" where the vocabulary has all their bytes
  bool ignore_merges = false;      ///< a whole word that the vocabulary has is taken as it is
};

/// (left, right) in order of rank, with what they become.
struct BpeMerge {
  TokenId left = 0, right = 0, merged = 0;
};

class BpeModel : public Model {
 public:
  BpeModel(VocabularyPtr vocabulary, const std::vector<BpeMerge>& merges, BpeOptions options);

  void encode(const Words& words, bool special, std::vector<TokenId>& out) const override;

 private:
  /// Open addressing: two ids to rank and result. Half of the places stay free.
  class PairTable {
   public:
    explicit PairTable(std::size_t pairs);
    void add(const BpeMerge& merge, std::uint32_t rank);  ///< the first of equal pairs counts
    std::optional<Merge> find(TokenId left, TokenId right) const;

   private:
    struct Place {
      std::uint64_t key = ~std::uint64_t{0};
      std::uint32_t rank = 0;
      TokenId merged = 0;
    };
    std::size_t slot(std::uint64_t key) const;
    std::vector<Place> places_;
  };

  /// Tokens of characters below kFast, that is of all byte letters, by "is not the first, is the last".
  static constexpr std::size_t kFast = 0x180;
  using FastTable = std::array<TokenId, kFast>;

  std::optional<TokenId> lookup(std::string_view character, bool first, bool last) const;
  std::optional<TokenId> symbol(std::string_view character, bool first, bool last, bool special) const;
  void start_symbols(std::string_view word, bool special, Merger& merger) const;
  void encode_word(std::string_view word, bool special, Merger& merger, std::vector<TokenId>& out) const;

  VocabularyPtr vocabulary_;
  PairTable pairs_;
  BpeOptions options_;
  std::optional<std::vector<TokenId>> bytes_;
  std::array<FastTable, 4> fast_;
};

}  // namespace filigree::text
