#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/pre_tokenizer.h"

/// What all kinds of tokenizer share: a vocabulary, and a model that makes tokens of words.
namespace filigree::text {

using TokenId = std::int32_t;

/// Lets a map of strings be asked with string views.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// Pieces of text and their ids. Ids may have gaps; a piece may be added once.
class Vocabulary {
 public:
  /// Error where the id is negative or far beyond `expected` entries, or where the id has another piece; `where` names
  /// the file.
  void add(const std::string& piece, std::int64_t id, std::size_t expected, const std::string& where);

  /// No text becomes this token unless its string is asked for: bos, eos, roles of a chat.
  void mark_special(TokenId id) { special_.at(static_cast<std::size_t>(id)) = true; }

  /// Its piece is text as it is, not in the vocabulary's way of writing.
  void mark_added(TokenId id) { added_.at(static_cast<std::size_t>(id)) = true; }

  std::optional<TokenId> find(std::string_view piece) const;

  /// The highest id + 1.
  std::int64_t size() const { return static_cast<std::int64_t>(pieces_.size()); }

  bool contains(std::int64_t id) const { return id >= 0 && id < size() && present_[static_cast<std::size_t>(id)]; }
  bool is_special(TokenId id) const { return special_[static_cast<std::size_t>(id)]; }
  bool is_added(TokenId id) const { return added_[static_cast<std::size_t>(id)]; }

  /// The piece of an id that exists.
  const std::string& piece(TokenId id) const { return pieces_[static_cast<std::size_t>(id)]; }

 private:
  std::vector<std::string> pieces_;
  std::vector<bool> present_, special_, added_;
  std::unordered_map<std::string, TokenId, StringHash, std::equal_to<>> ids_;
};

/// The ids of "<0x00>" to "<0xFF>"; nullopt where one is missing.
std::optional<std::vector<TokenId>> byte_tokens(const Vocabulary& vocabulary);

class Model {
 public:
  virtual ~Model() = default;

  /// Appends the tokens of the words. `special`: whether a special token may come of them, for texts in which the
  /// strings of special tokens are meant as such.
  virtual void encode(const Words& words, bool special, std::vector<TokenId>& out) const = 0;
};
using ModelPtr = std::shared_ptr<const Model>;
using VocabularyPtr = std::shared_ptr<const Vocabulary>;

/// Tokens of words seen before, within one call: `out` already holds them, so they are copied from there.
class WordCache {
 public:
  explicit WordCache(std::vector<TokenId>& out) : out_(out) {}

  /// Appends the tokens of the word, made by `encode` where it is new. The word outlives the cache.
  template <class Encode>
  void append(std::string_view word, const Encode& encode) {
    constexpr std::size_t kLongest = 128, kMost = 1 << 18;
    if (word.size() > kLongest) return encode(word);
    if (const auto found = places_.find(word); found != places_.end()) {
      for (std::size_t i = found->second.first; i < found->second.second; ++i) out_.push_back(TokenId(out_[i]));
      return;
    }
    const std::size_t begin = out_.size();
    encode(word);
    if (places_.size() < kMost) places_.emplace(word, std::pair(begin, out_.size()));
  }

 private:
  std::vector<TokenId>& out_;
  std::unordered_map<std::string_view, std::pair<std::size_t, std::size_t>> places_;
};

}  // namespace filigree::text
