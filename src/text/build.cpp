#include "text/build.h"

#include <algorithm>

#include "text/sentencepiece.h"
#include "text/unicode.h"
#include "text/unigram.h"

namespace filigree::text {
namespace {

AddedToken special_token(const std::string& content, TokenId id) {
  AddedToken token{.content = content};
  token.id = id;
  token.special = true;
  return token;
}

/// Extra tokens without ids get the next free ones; T5 counts its sentinels backwards ("<extra_id_0>" is the last).
void add_extra(Vocabulary& vocabulary, std::vector<AddedToken>& added, const TokenizerConfig& config) {
  std::vector<std::string> missing;
  for (const std::string& content : config.extra_special) {
    if (!content.empty() && !vocabulary.find(content)) missing.push_back(content);
  }
  std::stable_sort(missing.begin(), missing.end(), [](const std::string& a, const std::string& b) {
    const auto number = [](const std::string& text) -> std::int64_t {
      constexpr std::string_view kHead = "<extra_id_";
      if (!text.starts_with(kHead) || !text.ends_with('>')) return -1;
      return parse_int(text.substr(kHead.size(), text.size() - kHead.size() - 1)).value_or(-1);
    };
    return number(a) > number(b);
  });
  for (const std::string& content : missing) {
    if (!vocabulary.find(content)) {
      vocabulary.add(content, vocabulary.size(), static_cast<std::size_t>(vocabulary.size()), "tokenizer_config.json");
    }
  }
  for (const std::string& content : config.extra_special) {
    if (!content.empty()) added.push_back(special_token(content, *vocabulary.find(content)));
  }
}

/// Pieces such as "[unused9]" or "<|im_start|>" that a user must not be able to write.
bool looks_like_marker(std::string_view piece) {
  return piece.size() > 2 &&
         ((piece.front() == '<' && piece.back() == '>') || (piece.front() == '[' && piece.back() == ']'));
}

SentencePieceFile::PieceType type_of(const SentencePieceFile& file, std::size_t id) { return file.pieces[id].type; }

/// Control pieces, the unknown one and user-defined markers are special, and found in texts.
std::vector<AddedToken> special_pieces(const SentencePieceFile& file) {
  using Type = SentencePieceFile::PieceType;
  std::vector<AddedToken> added;
  for (std::size_t id = 0; id < file.pieces.size(); ++id) {
    const Type type = type_of(file, id);
    const std::string& text = file.pieces[id].text;
    if (type == Type::control || type == Type::unknown || (type == Type::user_defined && looks_like_marker(text))) {
      added.push_back(special_token(text, static_cast<TokenId>(id)));
    }
  }
  return added;
}

ModelPtr sentencepiece_model(const SentencePieceFile& file, const VocabularyPtr& vocabulary) {
  using Type = SentencePieceFile::PieceType;
  if (file.kind == SentencePieceFile::Kind::bpe) return std::make_shared<SentencePieceBpe>(vocabulary, file);
  std::vector<UnigramPiece> pieces;
  UnigramOptions options;
  options.unknown = static_cast<TokenId>(file.unk);
  options.byte_fallback = file.byte_fallback;
  options.single_precision = true;
  bool any = false;
  for (std::size_t id = 0; id < file.pieces.size(); ++id) {
    const SentencePieceFile::Piece& piece = file.pieces[id];
    if (piece.type == Type::normal) {
      options.min_score = any ? std::min(options.min_score, piece.score) : piece.score;
      options.max_score = any ? std::max(options.max_score, piece.score) : piece.score;
      any = true;
    }
    if (piece.type == Type::normal || piece.type == Type::user_defined) {
      pieces.push_back({piece.text, static_cast<TokenId>(id), piece.score, piece.type == Type::user_defined});
    }
  }
  return std::make_shared<UnigramModel>(vocabulary, std::move(pieces), options);
}

}  // namespace

void finish_tokens(TokenizerParts& parts, Vocabulary& vocabulary, std::vector<AddedToken> added,
                   const TokenizerConfig& config) {
  const auto known = [&](const std::string& content) {
    return std::any_of(added.begin(), added.end(), [&](const AddedToken& token) { return token.content == content; });
  };
  for (const AddedToken& token : config.added) {
    if (known(token.content) || token.content.empty()) continue;
    const auto expected = static_cast<std::size_t>(vocabulary.size()) + config.added.size();
    vocabulary.add(token.content, token.id, expected, "tokenizer_config.json");
    added.push_back(token);
  }
  add_extra(vocabulary, added, config);
  const auto name = [&](const std::string& content) -> std::optional<TokenId> {
    if (content.empty()) return std::nullopt;
    const auto id = vocabulary.find(content);
    if (id && !known(content)) added.push_back(special_token(content, *id));
    return id;
  };
  const auto fill = [](std::optional<TokenId>& out, std::optional<TokenId> id) {
    if (id) out = id;
  };
  fill(parts.named.bos, name(config.bos));
  fill(parts.named.eos, name(config.eos));
  fill(parts.named.pad, name(config.pad));
  fill(parts.named.unk, name(config.unk));
  for (const AddedToken& token : added) {
    vocabulary.mark_added(token.id);
    if (token.special) vocabulary.mark_special(token.id);
  }
  parts.chat_template = config.chat_template;
  parts.model_max_length = config.model_max_length;
  parts.added = AddedTokens(std::move(added), parts.normalizer);
}

std::vector<BpeMerge> resolve_merges(const std::vector<std::pair<std::string, std::string>>& merges,
                                     const Vocabulary& vocabulary, const std::string& prefix,
                                     const std::string& place) {
  std::vector<BpeMerge> out;
  out.reserve(merges.size());
  for (const auto& merge : merges) {
    const std::string &left = merge.first, &right = merge.second;
    std::string_view tail = right;
    if (!prefix.empty() && tail.starts_with(prefix)) tail.remove_prefix(prefix.size());
    const std::string merged = left + std::string(tail);
    const auto id = [&](const std::string& piece) {
      const auto found = vocabulary.find(piece);
      if (!found)
        fail("{}: merge {} ('{} {}') needs '{}', which the vocabulary lacks", place, out.size(), left, right, piece);
      return *found;
    };
    out.push_back({id(left), id(right), id(merged)});
  }
  return out;
}

Tokenizer build_tokenizer(const SentencePieceFile& file, const TokenizerConfig& config, const std::string& where) {
  using Kind = SentencePieceFile::Kind;
  if (file.kind != Kind::unigram && file.kind != Kind::bpe) {
    fail("{}: holds a model of whole {}; only Unigram and BPE models are supported", where,
         file.kind == Kind::word ? "words" : "characters");
  }
  const auto vocabulary = std::make_shared<Vocabulary>();
  std::int64_t id = 0;
  for (const SentencePieceFile::Piece& piece : file.pieces)
    vocabulary->add(piece.text, id++, file.pieces.size(), where);
  TokenizerParts parts;
  parts.origin = where;
  parts.kind = file.kind == Kind::bpe ? "SentencePiece BPE" : "SentencePiece Unigram";
  parts.vocabulary = vocabulary;
  const auto named = [](std::int64_t number) {
    return number >= 0 ? std::optional(static_cast<TokenId>(number)) : std::nullopt;
  };
  parts.named = {named(file.bos), named(file.eos), named(file.pad), named(file.unk)};
  finish_tokens(parts, *vocabulary, special_pieces(file), config);
  parts.normalizer = sentencepiece_normalizer(file, where);
  // Unigram sums run over the whole text: equally good cuts are told apart by how the sum before them is rounded.
  if (file.kind == Kind::bpe) parts.pre_tokenizer = sentencepiece_words(file);
  parts.model = sentencepiece_model(file, vocabulary);
  parts.decode.byte_fallback = file.byte_fallback;
  if (file.escape_spaces) parts.decode.replace.emplace_back("▁", " ");
  parts.decode.strip_first_space = file.dummy_prefix && !file.space_as_suffix;
  const bool bpe = file.kind == Kind::bpe;
  if (parts.named.bos && config.add_bos.value_or(bpe)) parts.before.push_back(*parts.named.bos);
  if (parts.named.eos && config.add_eos.value_or(!bpe && file.bos < 0)) parts.after.push_back(*parts.named.eos);
  return Tokenizer(std::move(parts));
}

Tokenizer build_tokenizer(const VocabularyFiles& files, const TokenizerConfig& config, const std::string& where) {
  const auto vocabulary = std::make_shared<Vocabulary>();
  bool ends_words = false;
  for (const auto& [piece, id] : files.vocabulary) {
    vocabulary->add(piece, id, files.vocabulary.size(), files.vocabulary_where);
    ends_words = ends_words || (piece.size() > 4 && piece.ends_with("</w>"));
  }
  TokenizerParts parts;
  parts.origin = where;
  parts.vocabulary = vocabulary;
  parts.kind = ends_words ? "CLIP BPE" : "byte-level BPE";
  parts.decode.byte_level = true;
  BpeOptions options;
  if (ends_words) {
    options.suffix = parts.decode.suffix = "</w>";
    parts.normalizer = clip_normalizer();
    parts.pre_tokenizer = clip_pre_tokenizer();
  } else if (config.tokenizer_class.starts_with("Qwen2")) {
    parts.normalizer.add([](std::string_view text) { return normalized(text, NormalForm::nfc); });
    parts.pre_tokenizer.add_split(Regex(kQwen2Pattern, "the cut of Qwen 2"), SplitBehavior::isolated);
    parts.pre_tokenizer.add_byte_level(false, false);
  } else {
    parts.pre_tokenizer.add_byte_level(false, true);
  }
  TokenizerConfig names = config;
  if (ends_words) {
    // What openai/CLIP: clip/simple_tokenizer.py calls them, where no file says otherwise.
    if (names.bos.empty()) names.bos = "<|startoftext|>";
    if (names.eos.empty()) names.eos = "<|endoftext|>";
    if (names.pad.empty()) names.pad = names.eos;
    if (names.unk.empty()) names.unk = names.eos;
  }
  finish_tokens(parts, *vocabulary, {}, names);
  if (ends_words) {
    if (!parts.named.bos || !parts.named.eos) {
      fail("{}: the vocabulary lacks '{}' or '{}', which CLIP puts around a text", files.vocabulary_where, names.bos,
           names.eos);
    }
    parts.before = {*parts.named.bos};
    parts.after = {*parts.named.eos};
    options.unknown = parts.named.unk;
  }
  parts.model = std::make_shared<BpeModel>(vocabulary,
                                           resolve_merges(files.merges, *vocabulary, "", files.merges_where), options);
  return Tokenizer(std::move(parts));
}

}  // namespace filigree::text
