#include "text/bpe.h"

#include <bit>

#include "text/utf8.h"

namespace filigree::text {

BpeModel::PairTable::PairTable(std::size_t pairs) : places_(std::bit_ceil(2 * pairs + 2)) {}

std::size_t BpeModel::PairTable::slot(std::uint64_t key) const {
  const std::size_t mask = places_.size() - 1;
  std::size_t at = static_cast<std::size_t>((key * 0x9e3779b97f4a7c15ULL) >> 20) & mask;
  while (places_[at].key != key && places_[at].key != ~std::uint64_t{0}) at = (at + 1) & mask;
  return at;
}

namespace {
std::uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 | static_cast<std::uint32_t>(right);
}
}  // namespace

void BpeModel::PairTable::add(const BpeMerge& merge, std::uint32_t rank) {
  const std::uint64_t key = pair_key(merge.left, merge.right);
  Place& place = places_[slot(key)];
  if (place.key != key) place = {key, rank, merge.merged};
}

std::optional<Merge> BpeModel::PairTable::find(TokenId left, TokenId right) const {
  const std::uint64_t key = pair_key(left, right);
  const Place& place = places_[slot(key)];
  if (place.key != key) return std::nullopt;
  return Merge{static_cast<double>(place.rank), place.merged};
}

BpeModel::BpeModel(VocabularyPtr vocabulary, const std::vector<BpeMerge>& merges, BpeOptions options)
    : vocabulary_(std::move(vocabulary)), pairs_(merges.size()), options_(std::move(options)) {
  std::uint32_t rank = 0;
  for (const BpeMerge& merge : merges) pairs_.add(merge, rank++);
  if (options_.byte_fallback) bytes_ = byte_tokens(*vocabulary_);
  for (std::size_t kind = 0; kind < fast_.size(); ++kind) {
    for (std::size_t c = 0; c < kFast; ++c) {
      std::string character;
      append_utf8(character, static_cast<char32_t>(c));
      fast_[kind][c] = lookup(character, (kind & 1) == 0, (kind & 2) != 0).value_or(-1);
    }
  }
}

std::optional<TokenId> BpeModel::lookup(std::string_view character, bool first, bool last) const {
  if ((first || options_.prefix.empty()) && (!last || options_.suffix.empty())) return vocabulary_->find(character);
  std::string name = first ? "" : options_.prefix;
  name += character;
  if (last) name += options_.suffix;
  return vocabulary_->find(name);
}

std::optional<TokenId> BpeModel::symbol(std::string_view character, bool first, bool last, bool special) const {
  std::optional<TokenId> id;
  std::size_t at = 0;
  const std::size_t code = character.size() <= 2 ? next_character(character, at) : kFast;
  if (code < kFast) {
    const TokenId found = fast_[(first ? 0U : 1U) | (last ? 2U : 0U)][code];
    if (found >= 0) id = found;
  } else {
    id = lookup(character, first, last);
  }
  if (id && !special && vocabulary_->is_special(*id)) id.reset();
  return id;
}

void BpeModel::start_symbols(std::string_view word, bool special, Merger& merger) const {
  merger.symbols.clear();
  bool after_unknown = false;
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t begin = at;
    at += utf8_length(word[at]);
    const std::string_view character = word.substr(begin, at - begin);
    const auto put = [&](TokenId id) { merger.symbols.push_back({.id = id, .begin = begin, .end = at}); };
    if (const auto id = symbol(character, begin == 0, at == word.size(), special)) {
      put(*id);
      after_unknown = false;
    } else if (bytes_) {
      // Each byte as its own symbol, so that the ranges stay true.
      for (std::size_t i = begin; i < at; ++i) {
        merger.symbols.push_back({.id = (*bytes_)[static_cast<unsigned char>(word[i])], .begin = i, .end = i + 1});
      }
      after_unknown = false;
    } else if (options_.unknown) {
      if (options_.fuse_unknown && after_unknown) {
        merger.symbols.back().end = at;
      } else {
        put(*options_.unknown);
      }
      after_unknown = true;
    }
  }
}

void BpeModel::encode_word(std::string_view word, bool special, Merger& merger, std::vector<TokenId>& out) const {
  if (options_.ignore_merges) {
    const auto whole = vocabulary_->find(word);
    if (whole && (special || !vocabulary_->is_special(*whole))) {
      out.push_back(*whole);
      return;
    }
  }
  start_symbols(word, special, merger);
  merger.run([&](const Symbol& left, const Symbol& right) {
    auto merge = pairs_.find(left.id, right.id);
    if (merge && !special && vocabulary_->is_special(merge->id)) merge.reset();
    return merge;
  });
  for (const Symbol& symbol : merger.symbols) {
    if (symbol.alive) out.push_back(symbol.id);
  }
}

void BpeModel::encode(const Words& words, bool special, std::vector<TokenId>& out) const {
  out.reserve(out.size() + words.text.size() / 3);
  WordCache cache(out);
  Merger merger;
  for (std::size_t i = 0; i < words.ranges.size(); ++i) {
    cache.append(words.word(i), [&](std::string_view word) { encode_word(word, special, merger, out); });
  }
}

}  // namespace filigree::text
