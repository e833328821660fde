#include "text/tokenizer.h"

namespace filigree::text {

Tokenizer::Tokenizer(TokenizerParts parts) : parts_(std::make_shared<const TokenizerParts>(std::move(parts))) {
  FILIGREE_ASSERT(parts_->vocabulary != nullptr && parts_->model != nullptr);
}

void Tokenizer::encode_text(std::string_view text, bool special, std::vector<TokenId>& out) const {
  const TokenizerParts& parts = *parts_;
  for (const AddedTokens::Part& raw : parts.added.split(text, false, special)) {
    if (raw.id >= 0) {
      out.push_back(raw.id);
      continue;
    }
    const std::string_view piece = text.substr(raw.begin, raw.end - raw.begin);
    const std::string clean = parts.normalizer.empty() ? std::string(piece) : parts.normalizer(piece);
    for (const AddedTokens::Part& part : parts.added.split(clean, true, special)) {
      if (part.id >= 0) {
        out.push_back(part.id);
        continue;
      }
      const bool at_start = raw.begin == 0 && part.begin == 0;
      parts.model->encode(parts.pre_tokenizer(clean.substr(part.begin, part.end - part.begin), at_start), special, out);
    }
  }
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  check_utf8(text, "the text");
  const std::size_t around = options.add_special ? parts_->before.size() + parts_->after.size() : 0;
  const auto limit = static_cast<std::size_t>(std::max<std::int64_t>(options.max_length, 0));
  if (options.max_length < 0) fail("max_length must be at least 0, got {}", options.max_length);
  if (options.max_length > 0 && limit < around) {
    fail("max_length {} leaves no room for the {} tokens that {} puts around a text", limit, around, origin());
  }
  if (options.pad && options.max_length == 0) fail("padding needs max_length");
  std::vector<TokenId> ids;
  if (options.add_special) ids = parts_->before;
  encode_text(text, options.specials == Specials::as_ids, ids);
  const std::size_t behind = options.add_special ? parts_->after.size() : 0;
  if (options.max_length > 0 && ids.size() + behind > limit) ids.resize(limit - behind);
  if (options.add_special) ids.insert(ids.end(), parts_->after.begin(), parts_->after.end());
  if (options.pad && ids.size() < limit) ids.resize(limit, padding());
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, const DecodeOptions& options) const {
  StreamDecoder stream(*this, options);
  std::string out;
  for (const TokenId id : ids) out += stream.push(id);
  return out + stream.finish();
}

const std::string& Tokenizer::piece(TokenId id) const {
  if (!contains(id)) fail("{}: no token has the id {}; ids go from 0 to {}", origin(), id, vocabulary_size() - 1);
  return parts_->vocabulary->piece(id);
}

bool Tokenizer::is_special(TokenId id) const {
  piece(id);
  return parts_->vocabulary->is_special(id);
}

TokenId Tokenizer::padding() const {
  if (parts_->named.pad) return *parts_->named.pad;
  if (parts_->named.eos) return *parts_->named.eos;
  fail("{}: names neither a pad nor an eos token, so nothing can be padded; name pad_token in tokenizer_config.json",
       origin());
}

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options)
    : parts_(tokenizer.parts_), options_(options) {}

/// The first word's space belongs to the vocabulary; the last word's, where it is a suffix, too.
std::string StreamDecoder::drop_space(std::string bytes) {
  if (first_ && parts_->decode.strip_first_space && bytes.starts_with(' ')) bytes.erase(0, 1);
  first_ = false;
  if (parts_->decode.suffix.empty()) return bytes;
  if (held_space_) bytes.insert(0, 1, ' ');
  held_space_ = bytes.ends_with(' ');
  if (held_space_) bytes.pop_back();
  return bytes;
}

std::string StreamDecoder::push(TokenId id) {
  const Vocabulary& vocabulary = *parts_->vocabulary;
  if (!vocabulary.contains(id)) {
    fail("{}: no token has the id {}; ids go from 0 to {}", parts_->origin, id, vocabulary.size() - 1);
  }
  if (vocabulary.is_special(id)) {
    if (options_.skip_special) return "";
    first_ = false;
    std::string space(held_space_ ? " " : "");
    held_space_ = false;
    return joiner_.finish() + space + vocabulary.piece(id);
  }
  const std::string& piece = vocabulary.piece(id);
  return joiner_.push(drop_space(vocabulary.is_added(id) ? piece : parts_->decode.bytes(piece)));
}

std::string StreamDecoder::finish() {
  held_space_ = false;
  first_ = true;
  return joiner_.finish();
}

}  // namespace filigree::text
