#include "text/bpe_trainer.h"

#include <algorithm>

#include "base/cancel.h"
#include "base/error.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

std::uint64_t pair_of(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}
TokenId left_of(std::uint64_t pair) { return static_cast<TokenId>(pair >> 32); }
TokenId right_of(std::uint64_t pair) { return static_cast<TokenId>(pair & 0xffffffff); }

}  // namespace

BpeTrainer::BpeTrainer(const std::vector<CountedWord>& words, std::vector<std::string> pieces, std::size_t num_special)
    : pieces_(std::move(pieces)), num_special_(num_special) {
  for (std::size_t id = 0; id < pieces_.size(); ++id) ids_.emplace(pieces_[id], static_cast<TokenId>(id));
  words_.reserve(words.size());
  for (const CountedWord& word : words) {
    Word& to = words_.emplace_back();
    to.count = word.count;
    for (std::size_t at = 0; at < word.letters.size();) {
      const std::size_t length = utf8_length(word.letters[at]);
      to.symbols.push_back(ids_.at(word.letters.substr(at, length)));
      at += length;
    }
  }
  for (std::uint32_t i = 0; i < words_.size(); ++i) count_pairs(i, 1);
}

void BpeTrainer::count_pairs(std::uint32_t index, std::int64_t sign) {
  const Word& word = words_[index];
  for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i) {
    const Pair pair = pair_of(word.symbols[i], word.symbols[i + 1]);
    Seen& seen = pairs_[pair];
    seen.count += sign * word.count;
    if (sign < 0) continue;
    touched_.insert(pair);
    if (seen.words.empty() || seen.words.back() != index) seen.words.push_back(index);
  }
}

TokenId BpeTrainer::merged_token(Pair pair) {
  const std::string piece =
      pieces_[static_cast<std::size_t>(left_of(pair))] + pieces_[static_cast<std::size_t>(right_of(pair))];
  const auto [entry, is_new] = ids_.emplace(piece, static_cast<TokenId>(pieces_.size()));
  if (is_new) pieces_.push_back(piece);
  return entry->second;
}

void BpeTrainer::apply(Pair pair, TokenId merged) {
  std::vector<std::uint32_t> words = std::move(pairs_[pair].words);
  pairs_[pair].words.clear();
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  const TokenId left = left_of(pair), right = right_of(pair);
  for (const std::uint32_t index : words) {
    std::vector<TokenId>& symbols = words_[index].symbols;
    const auto begins = [&](std::size_t i) {
      return i + 1 < symbols.size() && symbols[i] == left && symbols[i + 1] == right;
    };
    std::size_t from = 0;
    while (from < symbols.size() && !begins(from)) ++from;
    if (from == symbols.size()) continue;
    count_pairs(index, -1);
    std::size_t to = from;
    while (from < symbols.size()) {
      const bool merge = begins(from);
      symbols[to++] = merge ? merged : symbols[from];
      from += merge ? 2 : 1;
    }
    symbols.resize(to);
    count_pairs(index, 1);
  }
}

TrainedMerges BpeTrainer::run(std::size_t size, std::int64_t min_count, ProgressSink* sink) {
  TrainedMerges out;
  Progress progress(sink, static_cast<std::int64_t>(size - std::min(size, pieces_.size())), "merges");
  const auto push_touched = [&] {
    for (const Pair pair : touched_) {
      heap_.push_back({pairs_[pair].count, pair});
      std::push_heap(heap_.begin(), heap_.end());
    }
    touched_.clear();
  };
  push_touched();
  while (pieces_.size() < size && !heap_.empty() && !cancelled()) {
    std::pop_heap(heap_.begin(), heap_.end());
    const Candidate top = heap_.back();
    heap_.pop_back();
    const std::int64_t count = pairs_[top.pair].count;
    if (count != top.count) {
      // Counts that grew were pushed again when they did; those that shrank take their new place now.
      if (count < top.count && count > 0) {
        heap_.push_back({count, top.pair});
        std::push_heap(heap_.begin(), heap_.end());
      }
      continue;
    }
    if (count < min_count) break;
    if (banned_.contains(top.pair)) continue;
    const std::size_t before = pieces_.size();
    const TokenId merged = merged_token(top.pair);
    if (static_cast<std::size_t>(merged) < num_special_) {
      // The word spells a special token, which no text may become.
      banned_.insert(top.pair);
      continue;
    }
    out.merges.emplace_back(left_of(top.pair), right_of(top.pair));
    apply(top.pair, merged);
    push_touched();
    if (pieces_.size() > before) progress.advance();
  }
  out.pieces = pieces_;
  return out;
}

}  // namespace filigree::text
