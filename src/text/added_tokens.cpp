#include "text/added_tokens.h"

#include <algorithm>

#include <unicode/uchar.h>

#include "text/unicode.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

/// The first byte of the last character of text[0, end).
std::size_t last_character(std::string_view text, std::size_t end) {
  do --end;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80);
  return end;
}

bool is_word(std::string_view text, std::size_t at) {
  const auto c = static_cast<UChar32>(next_character(text, at));
  return u_hasBinaryProperty(c, UCHAR_POSIX_ALNUM) != 0 || (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_PC_MASK)) != 0;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && is_word(text, last_character(text, begin))) return false;
  return end == text.size() || !is_word(text, end);
}

bool is_space(std::string_view text, std::size_t at) { return is_white_space(next_character(text, at)); }

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalizer) : tokens_(std::move(tokens)) {
  std::vector<std::pair<std::string, std::int32_t>> raw, after;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    std::string content = token.normalized ? normalizer(token.content) : token.content;
    if (!content.empty())
      (token.normalized ? after : raw).emplace_back(std::move(content), static_cast<std::int32_t>(i));
  }
  raw_ = Trie(std::move(raw));
  normalized_ = Trie(std::move(after));
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text, bool normalized, bool special) const {
  const Trie& trie = normalized ? normalized_ : raw_;
  std::vector<Part> parts;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size() && !trie.empty();) {
    const Trie::Longest found = trie.longest(text, at);
    if (found.length == 0) {
      at += utf8_length(text[at]);
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(found.number)];
    std::size_t begin = at, end = at + found.length;
    at = end;
    if (token.special && !special) continue;
    if (token.single_word && !stands_alone(text, begin, end)) continue;
    while (token.lstrip && begin > done && is_space(text, last_character(text, begin))) {
      begin = last_character(text, begin);
    }
    while (token.rstrip && end < text.size() && is_space(text, end)) end += utf8_length(text[end]);
    if (begin > done) parts.push_back({done, begin, -1});
    parts.push_back({begin, end, token.id});
    done = at = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
  return parts;
}

}  // namespace filigree::text
