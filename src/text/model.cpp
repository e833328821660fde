#include "text/model.h"

#include "base/error.h"
#include "text/utf8.h"

namespace filigree::text {

void Vocabulary::add(const std::string& piece, std::int64_t id, std::size_t expected, const std::string& where) {
  // A wrong id must not cost memory; published vocabularies leave gaps of a few hundred.
  const std::int64_t limit = 2 * static_cast<std::int64_t>(expected) + 100'000;
  if (id < 0 || id >= limit) {
    fail("{}: the token '{}' has the id {}; ids of {} tokens must be between 0 and {}", where, piece, id, expected,
         limit - 1);
  }
  const auto place = static_cast<std::size_t>(id);
  if (place >= pieces_.size()) {
    pieces_.resize(place + 1);
    present_.resize(place + 1);
    special_.resize(place + 1);
    added_.resize(place + 1);
  }
  if (present_[place] && pieces_[place] != piece) {
    fail("{}: the tokens '{}' and '{}' have the same id {}", where, pieces_[place], piece, id);
  }
  const auto [entry, is_new] = ids_.emplace(piece, static_cast<TokenId>(id));
  if (!is_new && entry->second != id) {
    fail("{}: the token '{}' has two ids, {} and {}", where, piece, entry->second, id);
  }
  pieces_[place] = piece;
  present_[place] = true;
}

std::optional<TokenId> Vocabulary::find(std::string_view piece) const {
  const auto found = ids_.find(piece);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::vector<TokenId>> byte_tokens(const Vocabulary& vocabulary) {
  std::vector<TokenId> ids;
  for (int byte = 0; byte < 256; ++byte) {
    const auto id = vocabulary.find(fmt::format("<0x{:02X}>", byte));
    if (!id) return std::nullopt;
    ids.push_back(*id);
  }
  return ids;
}

}  // namespace filigree::text
