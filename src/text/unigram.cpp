#include "text/unigram.h"

#include "base/error.h"
#include "text/utf8.h"

namespace filigree::text {
namespace {

constexpr double kUnknownPenalty = 10;

Trie make_trie(const std::vector<UnigramPiece>& pieces) {
  std::vector<std::pair<std::string, std::int32_t>> entries;
  entries.reserve(pieces.size());
  for (const UnigramPiece& piece : pieces) {
    if (!piece.text.empty()) entries.emplace_back(piece.text, static_cast<std::int32_t>(entries.size()));
  }
  return Trie(std::move(entries));
}

}  // namespace

UnigramModel::UnigramModel(VocabularyPtr vocabulary, std::vector<UnigramPiece> pieces, UnigramOptions options)
    : vocabulary_(std::move(vocabulary)), pieces_(std::move(pieces)), options_(options) {
  std::erase_if(pieces_, [](const UnigramPiece& piece) { return piece.text.empty(); });
  trie_ = make_trie(pieces_);
  if (options_.byte_fallback) bytes_ = byte_tokens(*vocabulary_);
}

void UnigramModel::fill(std::string_view word, bool special, std::vector<Node>& nodes) const {
  nodes.assign(word.size() + 1, {});
  const auto rounded = [&](double sum) { return options_.single_precision ? static_cast<float>(sum) : sum; };
  // SentencePiece keeps rounded sums and compares them with sums that are not, which tells apart equally good cuts.
  const auto offer = [&](std::size_t begin, std::size_t end, double score, std::int32_t piece) {
    Node& node = nodes[end];
    const double sum = score + nodes[begin].score;
    if (node.piece == kNone || sum > node.score) node = {begin, rounded(sum), piece};
  };
  const double unknown = rounded(options_.min_score - kUnknownPenalty);
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t length = utf8_length(word[begin]);
    bool single = false;
    trie_.walk(word, begin, [&](std::size_t bytes, std::int32_t number) {
      const UnigramPiece& piece = pieces_[static_cast<std::size_t>(number)];
      if (!special && vocabulary_->is_special(piece.id)) return;
      // google/sentencepiece: src/unigram_model.cc gives user-defined pieces this score.
      const double score = piece.user_defined ? static_cast<double>(bytes) * options_.max_score - 0.1 : piece.score;
      offer(begin, begin + bytes, score, number);
      single = single || bytes == length;
    });
    if (!single) offer(begin, begin + length, unknown, kUnknown);
    begin += length;
  }
}

void UnigramModel::append_unknown(std::string_view text, std::vector<TokenId>& out) const {
  if (bytes_) {
    for (const char byte : text) out.push_back((*bytes_)[static_cast<unsigned char>(byte)]);
  } else if (options_.unknown) {
    out.push_back(*options_.unknown);
  } else {
    fail("the text: '{}' has no token, and the tokenizer has none for unknown text", text.substr(0, 40));
  }
}

void UnigramModel::encode_word(std::string_view word, bool special, std::vector<Node>& nodes,
                               std::vector<TokenId>& out) const {
  fill(word, special, nodes);
  std::vector<std::size_t> ends;
  for (std::size_t end = word.size(); end > 0; end = nodes[end].begin) ends.push_back(end);
  for (std::size_t i = ends.size(); i-- > 0;) {
    const Node& node = nodes[ends[i]];
    if (node.piece != kUnknown) {
      out.push_back(pieces_[static_cast<std::size_t>(node.piece)].id);
      continue;
    }
    while (i > 0 && nodes[ends[i - 1]].piece == kUnknown) --i;
    append_unknown(word.substr(node.begin, ends[i] - node.begin), out);
  }
}

void UnigramModel::encode(const Words& words, bool special, std::vector<TokenId>& out) const {
  WordCache cache(out);
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < words.ranges.size(); ++i) {
    cache.append(words.word(i), [&](std::string_view word) { encode_word(word, special, nodes, out); });
  }
}

}  // namespace filigree::text
