#include "text/sentencepiece.h"

#include <algorithm>
#include <memory>

#include "text/char_map.h"
#include "text/merge.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

using Type = SentencePieceFile::PieceType;
constexpr std::string_view kMark = "▁";

Trie user_defined_trie(const SentencePieceFile& file) {
  std::vector<std::pair<std::string, std::int32_t>> entries;
  for (std::size_t id = 0; id < file.pieces.size(); ++id) {
    if (file.pieces[id].type == Type::user_defined)
      entries.emplace_back(file.pieces[id].text, static_cast<std::int32_t>(id));
  }
  return Trie(std::move(entries));
}

/// The settings of one model's normalisation.
struct Rules {
  CharMap map;
  Trie user_defined;
  bool dummy_prefix, remove_extra, escape, suffix;

  /// What stands at text[at] after normalisation; moves `at` behind it.
  std::string_view next(std::string_view text, std::size_t& at) const {
    const std::size_t begin = at;
    if (const auto whole = user_defined.longest(text, at); whole.length > 0) {
      at += whole.length;
      return text.substr(begin, whole.length);
    }
    if (const CharMap::Match match = map.longest(text, at); match.length > 0) {
      at += match.length;
      return match.replacement;
    }
    at += utf8_length(text[at]);
    return text.substr(begin, at - begin);
  }

  std::string apply(std::string_view text) const {
    const std::string_view space = escape ? kMark : " ";
    std::size_t at = 0;
    if (remove_extra) {
      while (at < text.size()) {
        std::size_t behind = at;
        if (next(text, behind) != " ") break;
        at = behind;
      }
    }
    if (at == text.size()) return "";
    std::string out;
    out.reserve(text.size() + text.size() / 4);
    if (dummy_prefix && !suffix) out += space;
    bool after_space = remove_extra;
    while (at < text.size()) {
      std::string_view part = next(text, at);
      while (after_space && part.starts_with(' ')) part.remove_prefix(1);
      if (part.empty()) continue;
      for (const char byte : part) {
        if (byte == ' ') {
          out += space;
        } else {
          out += byte;
        }
      }
      after_space = remove_extra && part.ends_with(' ');
    }
    while (remove_extra && out.ends_with(space)) out.resize(out.size() - space.size());
    if (dummy_prefix && suffix) out += space;
    return out;
  }
};

}  // namespace

Normalizer sentencepiece_normalizer(const SentencePieceFile& file, const std::string& where) {
  const auto rules =
      std::make_shared<Rules>(Rules{CharMap(file.char_map, where), user_defined_trie(file), file.dummy_prefix,
                                    file.remove_extra_spaces, file.escape_spaces, file.space_as_suffix});
  Normalizer out;
  out.add([rules](std::string_view text) { return rules->apply(text); });
  return out;
}

PreTokenizer sentencepiece_words(const SentencePieceFile& file) {
  // A cut before a "▁" behind something else is free where no piece has one there and "▁" itself is a piece: then it is
  // no unknown character that its neighbours would fuse with.
  bool has_mark = false;
  for (const SentencePieceFile::Piece& piece : file.pieces) {
    has_mark = has_mark || (piece.text == kMark && piece.type == Type::normal);
    std::size_t body = 0;
    while (std::string_view(piece.text).substr(body).starts_with(kMark)) body += kMark.size();
    const bool merges = piece.type == Type::normal || piece.type == Type::user_defined || piece.type == Type::unused;
    if (merges && piece.text.find(kMark, body) != std::string::npos) return {};
  }
  PreTokenizer out;
  if (has_mark && file.escape_spaces) {
    out.add_split(Regex("▁*[^▁]+|▁+", "words of SentencePiece"), SplitBehavior::isolated);
  }
  return out;
}

SentencePieceBpe::SentencePieceBpe(VocabularyPtr vocabulary, const SentencePieceFile& file)
    : vocabulary_(std::move(vocabulary)),
      user_defined_(user_defined_trie(file)),
      unknown_(static_cast<TokenId>(file.unk)) {
  for (const SentencePieceFile::Piece& piece : file.pieces) {
    scores_.push_back(piece.score);
    mergeable_.push_back(piece.type == Type::normal || piece.type == Type::user_defined || piece.type == Type::unused);
    unused_.push_back(piece.type == Type::unused);
  }
  if (file.byte_fallback) bytes_ = byte_tokens(*vocabulary_);
}

void SentencePieceBpe::append_piece(std::string_view piece, bool special, std::vector<TokenId>& out) const {
  const auto id = vocabulary_->find(piece);
  if (id && (special || !vocabulary_->is_special(*id)) && static_cast<std::size_t>(*id) < mergeable_.size() &&
      mergeable_[static_cast<std::size_t>(*id)]) {
    out.push_back(*id);
  } else if (bytes_) {
    for (const char byte : piece) out.push_back((*bytes_)[static_cast<unsigned char>(byte)]);
  } else {
    out.push_back(unknown_);
  }
}

void SentencePieceBpe::encode_word(std::string_view word, bool special, std::vector<TokenId>& out) const {
  Merger merger;
  for (std::size_t at = 0; at < word.size();) {
    auto whole = user_defined_.longest(word, at);
    if (whole.length > 0 && !special && vocabulary_->is_special(whole.number)) whole = {};
    const std::size_t length = whole.length > 0 ? whole.length : utf8_length(word[at]);
    merger.symbols.push_back({.id = 0, .begin = at, .end = at + length, .frozen = whole.length > 0});
    at += length;
  }
  // Pieces that the model has but does not give out are taken apart again, as they were put together.
  std::unordered_map<std::string_view, std::size_t> unused;
  merger.run([&](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
    const std::string_view piece = word.substr(left.begin, right.end - left.begin);
    const auto id = vocabulary_->find(piece);
    if (!id) return std::nullopt;
    const auto place = static_cast<std::size_t>(*id);
    if (place >= scores_.size() || !mergeable_[place] || (!special && vocabulary_->is_special(*id)))
      return std::nullopt;
    if (unused_[place]) unused[piece] = left.end - left.begin;
    return Merge{-scores_[place], *id};
  });
  std::vector<std::string_view> stack;
  bool after_unknown = false;
  for (const Symbol& symbol : merger.symbols) {
    if (!symbol.alive) continue;
    stack.push_back(word.substr(symbol.begin, symbol.end - symbol.begin));
    while (!stack.empty()) {
      const std::string_view piece = stack.back();
      stack.pop_back();
      if (const auto cut = unused.find(piece); cut != unused.end()) {
        stack.push_back(piece.substr(cut->second));
        stack.push_back(piece.substr(0, cut->second));
        continue;
      }
      const std::size_t before = out.size();
      append_piece(piece, special, out);
      const bool is_unknown = !bytes_ && out.back() == unknown_;
      if (is_unknown && after_unknown) out.resize(before);
      after_unknown = is_unknown;
    }
  }
}

void SentencePieceBpe::encode(const Words& words, bool special, std::vector<TokenId>& out) const {
  WordCache cache(out);
  for (std::size_t i = 0; i < words.ranges.size(); ++i) {
    cache.append(words.word(i), [&](std::string_view word) { encode_word(word, special, out); });
  }
}

}  // namespace filigree::text
