#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/progress.h"
#include "text/model.h"

/// The loop that finds merges, apart from files and formats.
namespace filigree::text {

struct CountedWord {
  std::string letters;  ///< byte letters
  std::int64_t count = 0;
};

struct TrainedMerges {
  std::vector<std::string> pieces;  ///< by id: the given ones, then one for each new merge
  std::vector<std::pair<TokenId, TokenId>> merges;
};

class BpeTrainer {
 public:
  /// `pieces` are the tokens to begin with: the first `num_special` are special, and all byte letters are among the rest.
  BpeTrainer(const std::vector<CountedWord>& words, std::vector<std::string> pieces, std::size_t num_special);

  /// Merges until there are `size` pieces or no pair is seen `min_count` times.
  TrainedMerges run(std::size_t size, std::int64_t min_count, ProgressSink* progress);

 private:
  using Pair = std::uint64_t;  ///< left << 32 | right, so that the order is by left, then right
  struct Word {
    std::vector<TokenId> symbols;
    std::int64_t count;
  };
  struct Candidate {
    std::int64_t count;
    Pair pair;
    /// The heap's top is the greatest: more often, then the lower pair.
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : pair > other.pair;
    }
  };
  struct Seen {
    std::int64_t count = 0;
    std::vector<std::uint32_t> words;  ///< those that have it; some may have lost it
  };

  void count_pairs(std::uint32_t word, std::int64_t sign);
  TokenId merged_token(Pair pair);
  void apply(Pair pair, TokenId merged);

  std::vector<std::string> pieces_;
  std::unordered_map<std::string, TokenId> ids_;
  std::size_t num_special_;
  std::vector<Word> words_;
  std::unordered_map<Pair, Seen> pairs_;
  std::unordered_set<Pair> banned_, touched_;
  std::vector<Candidate> heap_;
};

}  // namespace filigree::text
