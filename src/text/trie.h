#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// All entries of a list that a text begins with, found in one walk.
namespace filigree::text {

class Trie {
 public:
  /// Entries that are not empty, each with a number that is not negative. Of equal entries the last one counts.
  explicit Trie(std::vector<std::pair<std::string, std::int32_t>> entries = {});

  bool empty() const { return nodes_.size() <= 1; }

  /// Calls found(length, number) for each entry that stands at text[at], shortest first.
  template <class Found>
  void walk(std::string_view text, std::size_t at, const Found& found) const {
    std::uint32_t node = 0;
    for (std::size_t i = at; i < text.size(); ++i) {
      node = child(node, static_cast<unsigned char>(text[i]));
      if (node == 0) return;
      if (nodes_[node].number >= 0) found(i + 1 - at, nodes_[node].number);
    }
  }

  struct Longest {
    std::size_t length = 0;  ///< 0: none
    std::int32_t number = -1;
  };
  Longest longest(std::string_view text, std::size_t at) const {
    Longest best;
    walk(text, at, [&](std::size_t length, std::int32_t number) { best = {length, number}; });
    return best;
  }

 private:
  struct Node {
    std::uint32_t first = 0;  ///< its children stand one after another, by byte
    std::uint16_t count = 0;
    unsigned char byte = 0;
    std::int32_t number = -1;
  };

  std::uint32_t child(std::uint32_t node, unsigned char byte) const;

  std::vector<Node> nodes_;
  std::array<std::uint32_t, 256> root_{};
};

}  // namespace filigree::text
