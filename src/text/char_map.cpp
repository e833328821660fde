#include "text/char_map.h"

#include <cstring>

#include "base/error.h"
#include "text/regex.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

// The fields of a unit of the double array.
bool has_leaf(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t leaf_value(std::uint32_t unit) { return unit & 0x7fffffff; }
std::uint32_t label(std::uint32_t unit) { return unit & 0x800000ff; }
std::uint32_t offset(std::uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }

bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

}  // namespace

CharMap::CharMap(std::string_view bytes, const std::string& where) {
  if (bytes.empty()) return;
  const auto number = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  if (bytes.size() < 8) fail("{}: the table of characters has {} bytes, too few", where, bytes.size());
  const std::size_t size = number(0);
  if (size % 4 != 0 || size == 0 || size > bytes.size() - 4) {
    fail("{}: the table of characters says that its index has {} bytes, but {} follow", where, size, bytes.size() - 4);
  }
  units_.reserve(size / 4);
  for (std::size_t at = 4; at < 4 + size; at += 4) units_.push_back(number(at));
  replacements_ = bytes.substr(4 + size);
  if (const auto bad = first_invalid_utf8(replacements_)) {
    fail("{}: the table of characters holds a replacement that is not UTF-8 (byte {})", where, 4 + size + *bad);
  }
}

template <class Found>
void CharMap::walk(std::string_view text, std::size_t at, const Found& found) const {
  if (units_.empty()) return;
  std::size_t node = offset(units_[0]);
  for (std::size_t i = at; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) return;
    const std::uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size()) return;
    const std::size_t value = leaf_value(units_[node]);
    if (value > replacements_.size()) return;
    // An entry ends between characters: a table that says otherwise would break the text.
    if (i + 1 < text.size() && (static_cast<unsigned char>(text[i + 1]) & 0xc0) == 0x80) continue;
    const std::size_t end = std::min(replacements_.find('\0', value), replacements_.size());
    const std::string_view replacement = std::string_view(replacements_).substr(value, end - value);
    if (!replacement.empty() && (static_cast<unsigned char>(replacement[0]) & 0xc0) == 0x80) continue;
    if (!found(Match{i + 1 - at, replacement})) return;
  }
}

CharMap::Match CharMap::longest(std::string_view text, std::size_t at) const {
  Match best;
  walk(text, at, [&](const Match& match) {
    best = match;
    return true;
  });
  return best;
}

CharMap::Match CharMap::shortest(std::string_view text, std::size_t at) const {
  Match best;
  walk(text, at, [&](const Match& match) {
    best = match;
    return false;
  });
  return best;
}

void CharMap::append_cluster(std::string& out, std::string_view cluster) const {
  if (cluster.size() < 6) {
    if (const Match match = shortest(cluster, 0); match.length > 0) {
      out += match.replacement;
      return;
    }
  }
  for (std::size_t at = 0; at < cluster.size();) {
    const std::string_view character = cluster.substr(at, utf8_length(cluster[at]));
    const Match match = shortest(character, 0);
    out += match.length > 0 ? match.replacement : character;
    at += character.size();
  }
}

std::string CharMap::replace_clusters(std::string_view text) const {
  static const Regex cluster("\\X", "clusters of characters");
  std::optional<Regex::Search> search;
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    // Between two ASCII characters there is a boundary, but for CR LF.
    const auto single = [&](std::size_t i) {
      return is_ascii(text[i]) && text[i] != '\r' && (i + 1 == text.size() || is_ascii(text[i + 1]));
    };
    if (single(at)) {
      append_cluster(out, text.substr(at++, 1));
      continue;
    }
    std::size_t end = at + 1;
    while (end < text.size() && !(single(end) && is_ascii(text[end - 1]) && text[end - 1] != '\r')) ++end;
    const std::string_view part = text.substr(at, end - at);
    if (!search) search.emplace(cluster);
    search->start(part);
    while (search->next()) append_cluster(out, part.substr(search->begin(), search->end() - search->begin()));
    at = end;
  }
  return out;
}

}  // namespace filigree::text
