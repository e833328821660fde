#include <algorithm>

#include "text/build.h"
#include "text/json_part.h"
#include "text/unigram.h"

namespace filigree::text {
namespace {

std::vector<AddedToken> read_added(const JsonPart& top) {
  std::vector<AddedToken> added;
  const auto list = top.find("added_tokens");
  if (!list) return added;
  for (const JsonPart& part : list->items()) {
    AddedToken token;
    token.content = part.string("content");
    const std::int64_t id = part.at("id").integer();
    if (id < 0 || id > INT32_MAX) fail("{}: id is out of range: {}", part.place(), id);
    if (token.content.empty()) fail("{}: content is empty", part.place());
    token.id = static_cast<TokenId>(id);
    token.special = part.flag_or("special", false);
    token.single_word = part.flag_or("single_word", false);
    token.lstrip = part.flag_or("lstrip", false);
    token.rstrip = part.flag_or("rstrip", false);
    token.normalized = part.flag_or("normalized", !token.special);
    added.push_back(std::move(token));
  }
  return added;
}

/// The post-processor reduced to what stands before and behind one text.
class Template {
 public:
  Template(const Vocabulary& vocabulary, TokenizerParts& parts) : vocabulary_(vocabulary), parts_(parts) {}

  void read(const JsonPart& part, int depth = 0) {
    if (depth > 8) fail("{}: post-processors are nested deeper than 8 levels", part.place());
    const std::string type = part.string("type");
    if (type == "Sequence") {
      for (const JsonPart& item : part.at("processors").items()) read(item, depth + 1);
    } else if (type == "TemplateProcessing") {
      read_single(part);
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
      parts_.before.insert(parts_.before.begin(), pair_id(part.at("cls")));
      parts_.after.push_back(pair_id(part.at("sep")));
    } else if (type != "ByteLevel") {
      fail("{}: the post-processor '{}' is not supported{}", part.at("type").place(), type,
           did_you_mean(type, {"Sequence", "TemplateProcessing", "RobertaProcessing", "BertProcessing", "ByteLevel"}));
    }
  }

 private:
  TokenId checked(std::int64_t id, const JsonPart& part) const {
    if (!vocabulary_.contains(id)) fail("{}: no token has the id {}", part.place(), id);
    return static_cast<TokenId>(id);
  }

  /// ["</s>", 2]
  TokenId pair_id(const JsonPart& part) const {
    const auto items = part.items();
    if (items.size() != 2) fail("{}: expected a token and its id", part.place());
    return checked(items[1].integer(), items[1]);
  }

  void read_single(const JsonPart& part) {
    bool behind = false;
    std::vector<TokenId> before, after;
    for (const JsonPart& item : part.at("single").items()) {
      if (item.find("Sequence")) {
        if (behind) fail("{}: holds the text twice", part.at("single").place());
        behind = true;
        continue;
      }
      const std::string name = item.at("SpecialToken").string("id");
      for (const JsonPart& id : part.at("special_tokens").at(name).at("ids").items()) {
        (behind ? after : before).push_back(checked(id.integer(), id));
      }
    }
    if (!behind) fail("{}: does not hold the text", part.at("single").place());
    parts_.before.insert(parts_.before.begin(), before.begin(), before.end());
    parts_.after.insert(parts_.after.end(), after.begin(), after.end());
  }

  const Vocabulary& vocabulary_;
  TokenizerParts& parts_;
};

ModelPtr read_bpe(const TokenizerFile& file, const JsonPart& part, const VocabularyPtr& vocabulary) {
  BpeOptions options;
  if (const auto dropout = part.find("dropout"); dropout && dropout->json() != 0) {
    fail("{}: merges are dropped at random, which no result can be repeated with; set it to null", dropout->place());
  }
  if (const auto unknown = part.find("unk_token")) {
    options.unknown = vocabulary->find(unknown->string());
    if (!options.unknown) fail("{}: the vocabulary lacks '{}'", unknown->place(), unknown->string());
  }
  options.prefix = part.string_or("continuing_subword_prefix", "");
  options.suffix = part.string_or("end_of_word_suffix", "");
  options.fuse_unknown = part.flag_or("fuse_unk", false);
  options.byte_fallback = part.flag_or("byte_fallback", false);
  options.ignore_merges = part.flag_or("ignore_merges", false);
  return std::make_shared<BpeModel>(
      vocabulary, resolve_merges(file.merges, *vocabulary, options.prefix, part.place() + ".merges"), options);
}

TokenId unknown_piece(const JsonPart& part, std::size_t pieces) {
  const std::int64_t id = part.integer();
  if (id < 0 || id >= static_cast<std::int64_t>(pieces)) {
    fail("{}: no piece has the id {}; there are {}", part.place(), id, pieces);
  }
  return static_cast<TokenId>(id);
}

ModelPtr read_unigram(const TokenizerFile& file, const JsonPart& part, const VocabularyPtr& vocabulary) {
  UnigramOptions options;
  std::vector<UnigramPiece> pieces;
  for (const auto& [text, score] : file.scored) {
    options.min_score = pieces.empty() ? score : std::min(options.min_score, score);
    pieces.push_back({text, static_cast<TokenId>(pieces.size()), score});
  }
  if (const auto unknown = part.find("unk_id")) options.unknown = unknown_piece(*unknown, pieces.size());
  options.byte_fallback = part.flag_or("byte_fallback", false);
  return std::make_shared<UnigramModel>(vocabulary, std::move(pieces), options);
}

/// Older files leave out the model's type.
bool is_unigram(const TokenizerFile& file, const JsonPart& part) {
  const auto type = part.find("type");
  const bool unigram = type ? type->string() == "Unigram" : file.has_scored;
  if (type && !unigram && type->string() != "BPE") {
    fail("{}: the model '{}' is not supported (one of: BPE, Unigram)", type->place(), type->string());
  }
  if (unigram && !file.has_scored) fail("{}: vocab must be a list of [piece, score]", part.place());
  if (!unigram && !file.has_vocabulary) fail("{}: vocab must be an object of pieces and ids", part.place());
  return unigram;
}

void add_pieces(const TokenizerFile& file, bool unigram, const std::string& where, Vocabulary& vocabulary) {
  for (const auto& [piece, id] : file.vocabulary) vocabulary.add(piece, id, file.vocabulary.size(), where);
  std::int64_t next = 0;
  if (unigram) {
    for (const auto& entry : file.scored) vocabulary.add(entry.first, next++, file.scored.size(), where);
  }
}

}  // namespace

Tokenizer build_tokenizer(std::string_view tokenizer_json, const TokenizerConfig& config, const std::string& where) {
  const TokenizerFile file = parse_tokenizer_file(tokenizer_json, where);
  const JsonPart top(file.json, where), model = top.at("model");
  const bool unigram = is_unigram(file, model);
  const auto vocabulary = std::make_shared<Vocabulary>();
  add_pieces(file, unigram, where, *vocabulary);
  TokenizerParts parts;
  parts.origin = where;
  parts.vocabulary = vocabulary;
  std::vector<AddedToken> added = read_added(top);
  for (const AddedToken& token : added) {
    vocabulary->add(token.content, token.id, static_cast<std::size_t>(vocabulary->size()) + added.size(), where);
  }
  if (const auto part = top.find("normalizer")) parts.normalizer = read_normalizer(*part);
  if (const auto part = top.find("pre_tokenizer")) parts.pre_tokenizer = read_pre_tokenizer(*part);
  if (const auto part = top.find("decoder")) parts.decode = read_decoder(*part);
  if (const auto part = top.find("post_processor")) Template(*vocabulary, parts).read(*part);
  const std::string suffix = model.string_or("end_of_word_suffix", "");
  if (!suffix.empty()) parts.decode.suffix = suffix;
  parts.kind = unigram ? "Unigram" : !suffix.empty() ? "CLIP BPE" : parts.decode.byte_level ? "byte-level BPE" : "BPE";
  if (const auto unknown = model.find("unk_token")) parts.named.unk = vocabulary->find(unknown->string());
  if (const auto unknown = model.find("unk_id"); unknown && unigram)
    parts.named.unk = unknown_piece(*unknown, file.scored.size());
  finish_tokens(parts, *vocabulary, std::move(added), config);
  parts.model = unigram ? read_unigram(file, model, vocabulary) : read_bpe(file, model, vocabulary);
  return Tokenizer(std::move(parts));
}

}  // namespace filigree::text
