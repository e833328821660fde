#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "language/model.h"
#include "text/chat.h"

/// Conversations as training data: only what the assistant says is learned.
///
/// B rows, T tokens a row.
namespace filigree::language {

/// One line of a file: {"messages": [{"role": "user", "content": "…"}, …]} or {"prompt": "…", "response": "…"}, both with
/// "answer" where rewards compare with something. Other keys are left alone.
struct Dialogue {
  std::vector<text::Message> messages;
  std::string answer;
};

/// Conversations with an answer by the assistant. Error, with the line, for broken JSON, what is not UTF-8, neither or both
/// of the two forms, an unknown role, a system message that is not the first, no word of the assistant, and for a file
/// without lines.
std::vector<Dialogue> read_dialogues(const std::filesystem::path& path);

/// Conversations that the assistant is to answer: they end with another's message. {"prompt"} alone, or {"messages"}.
std::vector<Dialogue> read_prompts(const std::filesystem::path& path);

/// How conversations become tokens: by a template of text/chat.h, or ("none") as their contents one behind another, with
/// eos behind what the assistant says.
class ChatFormat {
 public:
  /// "": the template of the tokenizer's folder or, where it has none, plain. Error for an unknown name, a template that is
  /// not recognised, or "none" without an eos token.
  ChatFormat(text::Tokenizer tokenizer, const std::string& name);

  const text::Tokenizer& tokenizer() const { return tokenizer_; }
  std::string name() const { return chat_ ? chat_->name() : "none"; }

  /// Tokens, and for each whether the assistant said it (the token that ends its answer included).
  text::ChatIds encode(const std::vector<text::Message>& messages) const;

  /// Tokens up to where the assistant's next answer begins.
  std::vector<std::int64_t> encode_prompt(const std::vector<text::Message>& messages) const;

  /// The tokens that end an answer.
  std::vector<std::int64_t> stop_ids() const;

  /// What the assistant said, from its tokens: without special ones, without white space around.
  std::string answer_text(const std::vector<std::int64_t>& ids) const;

 private:
  text::Tokenizer tokenizer_;
  std::optional<text::ChatTemplate> chat_;
};

/// Of several rows.
struct ChatBatch {
  at::Tensor ids_BT;
  at::Tensor target_BT;    ///< the next token, where it is of the same conversation and the assistant's; else -100
  at::Tensor second_BT;    ///< the token after it, so
  at::Tensor position_BT;  ///< from 0 in each conversation
  at::Tensor part_BT;      ///< number of the conversation within its row, -1 for padding
};

/// For a forward pass over the batch: a token sees earlier tokens of its own conversation only.
Pass make_pass(const Model& model, const ChatBatch& batch);

/// Conversations in rows of one length. Several stand in one row, the longest first wherever room is left (best fit), and
/// do not see each other: attention ends at a conversation's first token, where positions begin again. So a row teaches
/// what its conversations would teach alone.
class ChatData {
 public:
  /// A conversation longer than a row is cut at its end; one that has then nothing of the assistant left is dropped.
  /// Error where none is left, or for a token outside the model's vocabulary.
  ChatData(const ChatFormat& format, const std::vector<Dialogue>& dialogues, std::int64_t length,
           std::int64_t vocabulary);

  std::int64_t length() const { return length_; }
  std::int64_t num_rows() const { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t num_samples() const { return static_cast<std::int64_t>(samples_.size()); }
  std::int64_t num_cut() const { return cut_; }          ///< conversations whose end is missing
  std::int64_t num_dropped() const { return dropped_; }  ///< that are left out
  std::int64_t num_tokens() const { return tokens_; }    ///< without padding
  std::int64_t num_learned() const { return learned_; }  ///< tokens that are targets

  /// Targets in these rows.
  std::int64_t num_learned(const std::vector<std::int64_t>& rows) const;

  /// Rows by their numbers.
  ChatBatch batch(const std::vector<std::int64_t>& rows, at::Device device) const;

  /// "1,200 conversations in 310 rows of 512 tokens, 78 % full, …", for people.
  std::string summary() const;

 private:
  struct Sample {
    std::vector<std::int64_t> ids;
    std::vector<bool> assistant;
  };
  void pack();

  std::int64_t length_, padding_ = 0, cut_ = 0, dropped_ = 0, tokens_ = 0, learned_ = 0;
  std::vector<Sample> samples_;
  std::vector<std::vector<std::size_t>> rows_;  ///< samples of each
};

}  // namespace filigree::language
