#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "text/model.h"

/// The loop of byte-pair encoding: the best neighbours become one, again and again.
namespace filigree::text {

/// A part of a word, linked to its neighbours.
struct Symbol {
  TokenId id = 0;
  std::size_t begin = 0, end = 0;  ///< its bytes in the word
  bool frozen = false;             ///< is not merged
  std::ptrdiff_t previous = -1, next = -1;
  bool alive = true;
};

/// What two neighbours become, and how early: the lowest rank first, and of equal ranks the leftmost pair.
struct Merge {
  double rank = 0;
  TokenId id = 0;
};

/// Merges until no pair is left. O(n log n) through a heap; its plain twin in the tests looks through all pairs each time.
class Merger {
 public:
  std::vector<Symbol> symbols;  ///< set before, in order of the word; what is alive after is the result

  /// find(left, right) gives the optional<Merge> of two symbols.
  template <class Find>
  void run(const Find& find) {
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      symbols[i].previous = static_cast<std::ptrdiff_t>(i) - 1;
      symbols[i].next = i + 1 < symbols.size() ? static_cast<std::ptrdiff_t>(i + 1) : -1;
    }
    heap_.clear();
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) push(static_cast<std::ptrdiff_t>(i), find);
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Entry top = heap_.back();
      heap_.pop_back();
      Symbol& left = at(top.left);
      // Since it was pushed, one of the two may have grown or gone.
      if (!left.alive || left.next < 0 || at(left.next).end - left.begin != top.size) continue;
      Symbol& right = at(left.next);
      left.id = top.id;
      left.end = right.end;
      right.alive = false;
      left.next = right.next;
      if (right.next >= 0) at(right.next).previous = top.left;
      push(left.previous, find);
      push(top.left, find);
    }
  }

 private:
  struct Entry {
    double rank;
    std::ptrdiff_t left;
    std::size_t size;
    TokenId id;
    /// The heap's top is the greatest.
    bool operator<(const Entry& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };

  Symbol& at(std::ptrdiff_t i) { return symbols[static_cast<std::size_t>(i)]; }

  template <class Find>
  void push(std::ptrdiff_t left, const Find& find) {
    if (left < 0 || at(left).next < 0) return;
    const Symbol &a = at(left), &b = at(a.next);
    if (a.frozen || b.frozen) return;
    const std::optional<Merge> merge = find(a, b);
    if (!merge) return;
    heap_.push_back({merge->rank, left, b.end - a.begin, merge->id});
    std::push_heap(heap_.begin(), heap_.end());
  }

  std::vector<Entry> heap_;
};

}  // namespace filigree::text
