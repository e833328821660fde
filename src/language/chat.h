#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "language/chat_data.h"
#include "language/session.h"

/// A conversation with a model.
namespace filigree::language {

/// Why an answer ended: the model said so, a stop string came, there was no room for more, or the user stopped it.
enum class AnswerEnd { model, stop_text, length, cancelled };

struct ChatAnswer {
  std::string text;               ///< without white space around
  std::vector<std::int64_t> ids;  ///< as they were drawn, with the token that ends the answer
  AnswerEnd end = AnswerEnd::model;
  std::int64_t prompt_tokens = 0;  ///< of the whole conversation before the answer
  std::int64_t reused_tokens = 0;  ///< of these, those that were in the cache
  double prefill_seconds = 0, decode_seconds = 0;
};

struct ChatSettings {
  GenerateOptions generate = {};       ///< as Session takes it; the template's tokens are added to its stop_ids
  std::vector<std::string> stop = {};  ///< an answer ends before one of these
  std::string system = {};             ///< the first message; "": none
};

/// Turn by turn: only what is new is run, the rest stands in the cache. Answers stay in the conversation as the tokens that
/// were drawn, not as their text would be encoded, but where a stop string cut them.
class Chat {
 public:
  Chat(const Model& model, ChatFormat format, ChatSettings settings);

  /// The answer to the user's words; `show` gets its parts as they come. Where it throws, the conversation is as before.
  ChatAnswer say(const std::string& words, const std::function<void(const std::string&)>& show = {});

  /// Begins again, with the same system message.
  void restart();

  const std::vector<text::Message>& messages() const { return messages_; }

 private:
  std::vector<std::int64_t> prompt() const;
  bool ends(std::int64_t id) const;

  ChatFormat format_;
  ChatSettings settings_;
  Session session_;
  std::vector<text::Message> messages_;
  std::vector<std::vector<std::int64_t>> answers_;  ///< tokens of each; empty: as its text is encoded
};

/// {"messages": [{"role": …, "content": …}, …]}, as training reads it.
Json conversation_json(const std::vector<text::Message>& messages);

}  // namespace filigree::language

template <>
struct filigree::EnumNames<filigree::language::AnswerEnd> {
  using E = filigree::language::AnswerEnd;
  static constexpr std::array<std::pair<E, std::string_view>, 4> table{
      {{E::model, "model"}, {E::stop_text, "stop_text"}, {E::length, "length"}, {E::cancelled, "cancelled"}}};
};
