#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/model.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/utf8.h"

/// Texts as ids of tokens and back: one interface for CLIP, byte-level BPE (GPT-2, Llama 3, Qwen), T5's Unigram and
/// SentencePiece.
///
///   const auto tokenizer = text::load_tokenizer("model/tokenizer");
///   const std::vector<text::TokenId> ids = tokenizer.encode("a red fox");
///   tokenizer.decode(ids) == "a red fox";
namespace filigree::text {

/// What the string of a special token inside a text is.
enum class Specials {
  as_ids,   ///< the token: for texts that a program has put together
  as_text,  ///< letters like any others: for what a user wrote. No special token comes of such a text.
};

struct EncodeOptions {
  bool add_special = true;  ///< put around what the tokenizer's template says: bos, eos
  Specials specials = Specials::as_ids;
  std::int64_t max_length = 0;  ///< cut the text so that no more ids than this come out; 0: as many as there are
  bool pad = false;             ///< fill up to max_length with the pad token behind
};

struct DecodeOptions {
  bool skip_special = true;  ///< leave out special tokens
};

/// Tokens with a name; nullopt where the tokenizer has none.
struct NamedTokens {
  std::optional<TokenId> bos, eos, pad, unk;
};

/// What a tokenizer is made of; load_tokenizer fills it.
struct TokenizerParts {
  std::string origin;  ///< for messages: the file or folder
  std::string kind;    ///< "CLIP BPE", "byte-level BPE", "Unigram", …
  std::shared_ptr<const Vocabulary> vocabulary;
  ModelPtr model;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokens added;
  DecodeRules decode;
  std::vector<TokenId> before, after;  ///< put around a text
  NamedTokens named;
  std::string chat_template;          ///< the folder's own, in Jinja; "" where it has none
  std::int64_t model_max_length = 0;  ///< what the folder says the model takes; 0: nothing
};

/// Never changes once made; may be used by several threads.
class Tokenizer {
 public:
  explicit Tokenizer(TokenizerParts parts);

  /// Error where the text is not UTF-8 (with the byte's place), where options.max_length leaves no room for the
  /// template's tokens, or where padding is asked for without a pad or eos token.
  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// Error where an id is not in the vocabulary. Bytes that are no UTF-8 become U+FFFD.
  std::string decode(std::span<const TokenId> ids, const DecodeOptions& options = {}) const;

  /// The highest id + 1; ids without a token may lie below it.
  std::int64_t vocabulary_size() const { return parts_->vocabulary->size(); }

  bool contains(std::int64_t id) const { return parts_->vocabulary->contains(id); }

  /// The piece of an id as the vocabulary writes it ("Ġfox"); Error where there is none.
  const std::string& piece(TokenId id) const;

  /// The id of a piece as the vocabulary writes it.
  std::optional<TokenId> find(std::string_view piece) const { return parts_->vocabulary->find(piece); }

  bool is_special(TokenId id) const;

  const NamedTokens& named() const { return parts_->named; }
  const std::vector<AddedToken>& added_tokens() const { return parts_->added.all(); }

  /// What padding uses: the pad token, or else eos, as the HiDream pipeline does for Llama. Error where both are missing.
  TokenId padding() const;

  /// What encode puts before and behind a text.
  const std::vector<TokenId>& before() const { return parts_->before; }
  const std::vector<TokenId>& after() const { return parts_->after; }

  const std::string& kind() const { return parts_->kind; }
  const std::string& origin() const { return parts_->origin; }
  const std::string& chat_template() const { return parts_->chat_template; }
  std::int64_t model_max_length() const { return parts_->model_max_length; }

 private:
  friend class StreamDecoder;
  void encode_text(std::string_view text, bool special, std::vector<TokenId>& out) const;

  std::shared_ptr<const TokenizerParts> parts_;
};

/// Decodes token by token, as a model generates them: the parts joined are what decode gives of all ids.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, DecodeOptions options = {});

  /// The text that is certain now. The first bytes of a character wait for its last.
  std::string push(TokenId id);

  /// What still waits: the beginning of a character, as U+FFFD.
  std::string finish();

 private:
  std::string drop_space(std::string bytes);

  std::shared_ptr<const TokenizerParts> parts_;
  DecodeOptions options_;
  Utf8Joiner joiner_;
  bool first_ = true;
  bool held_space_ = false;  ///< of a suffix: it goes away at the end
};

/// Reads a tokenizer from a folder (tokenizer.json, else spiece.model or tokenizer.model, else vocab.json with
/// merges.txt; tokenizer_config.json and special_tokens_map.json beside them name bos, eos and pad) or from one such
/// file. Error, with file and place, where a file is missing, wrong, or of a kind that is not supported.
Tokenizer load_tokenizer(const std::filesystem::path& folder_or_file);

}  // namespace filigree::text
