#include "text/trie.h"

#include <algorithm>

#include "base/error.h"

namespace filigree::text {

Trie::Trie(std::vector<std::pair<std::string, std::int32_t>> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  struct Range {
    std::size_t from, to, depth;
  };
  // Breadth first: a node's entries are a range of the sorted ones, and its children get the next free places.
  std::vector<Range> ranges{{0, entries.size(), 0}};
  nodes_.emplace_back();
  for (std::size_t node = 0; node < ranges.size(); ++node) {
    auto [from, to, depth] = ranges[node];
    while (from < to && entries[from].first.size() == depth) nodes_[node].number = entries[from++].second;
    nodes_[node].first = static_cast<std::uint32_t>(nodes_.size());
    while (from < to) {
      const char byte = entries[from].first[depth];
      std::size_t end = from;
      while (end < to && entries[end].first[depth] == byte) ++end;
      ranges.push_back({from, end, depth + 1});
      nodes_.emplace_back().byte = static_cast<unsigned char>(byte);
      ++nodes_[node].count;
      from = end;
    }
  }
  FILIGREE_ASSERT(nodes_[0].number < 0);
  for (std::uint32_t i = 0; i < nodes_[0].count; ++i) root_[nodes_[nodes_[0].first + i].byte] = nodes_[0].first + i;
}

std::uint32_t Trie::child(std::uint32_t node, unsigned char byte) const {
  if (node == 0) return root_[byte];
  const auto first = nodes_.begin() + nodes_[node].first, last = first + nodes_[node].count;
  const auto found = std::lower_bound(first, last, byte, [](const Node& n, unsigned char b) { return n.byte < b; });
  return found != last && found->byte == byte ? static_cast<std::uint32_t>(found - nodes_.begin()) : 0;
}

}  // namespace filigree::text
