#include "language/chat.h"

#include <algorithm>
#include <utility>

#include "base/cancel.h"
#include "base/text.h"
#include "language/text_stream.h"

namespace filigree::language {
namespace {

using Ids = std::vector<std::int64_t>;

ChatSettings complete(ChatSettings settings, const ChatFormat& format) {
  const Ids stop_ids = format.stop_ids();
  settings.generate.stop_ids.insert(settings.generate.stop_ids.end(), stop_ids.begin(), stop_ids.end());
  // Models without tokens for roles go on with the user's next words.
  if (format.name() == "plain") settings.stop.emplace_back("\nUser:");
  return settings;
}

}  // namespace

Chat::Chat(const Model& model, ChatFormat format, ChatSettings settings)
    : format_(std::move(format)),
      settings_(complete(std::move(settings), format_)),
      session_(model, settings_.generate) {
  restart();
}

void Chat::restart() {
  messages_.clear();
  answers_.clear();
  if (!settings_.system.empty()) messages_.push_back({text::Role::system, settings_.system});
  static_cast<void>(format_.encode_prompt(messages_));  // says what is wrong with it
}

bool Chat::ends(std::int64_t id) const {
  const Ids& stop_ids = settings_.generate.stop_ids;
  return std::find(stop_ids.begin(), stop_ids.end(), id) != stop_ids.end();
}

/// The conversation up to where the next answer begins, each earlier answer as it was drawn.
Ids Chat::prompt() const {
  const Ids encoded = format_.encode_prompt(messages_);
  const std::vector<bool> assistant = format_.encode(messages_).assistant;
  const auto said = [&](std::size_t i) { return i < assistant.size() && assistant[i]; };
  Ids out;
  std::size_t turn = 0;
  for (std::size_t i = 0; i < encoded.size();) {
    if (!said(i)) {
      out.push_back(encoded[i++]);
      continue;
    }
    const auto begin = encoded.begin() + static_cast<std::ptrdiff_t>(i);
    while (said(i)) ++i;
    const auto end = encoded.begin() + static_cast<std::ptrdiff_t>(i);
    const Ids drawn = turn < answers_.size() ? answers_[turn] : Ids();
    ++turn;
    if (drawn.empty()) {
      out.insert(out.end(), begin, end);
      continue;
    }
    out.insert(out.end(), drawn.begin(), drawn.end());
    if (!ends(drawn.back()) && ends(*(end - 1))) out.push_back(*(end - 1));
  }
  return out;
}

ChatAnswer Chat::say(const std::string& words, const std::function<void(const std::string&)>& show) {
  messages_.push_back({text::Role::user, words});
  try {
    const Ids ids = prompt();
    TextStream stream(format_.tokenizer(), settings_.stop);
    const auto shown = [&](const std::string& part) {
      if (show && !part.empty()) show(part);
    };
    const auto on_token = [&](std::int64_t id) {
      shown(stream.push(id));
      return !stream.stopped() && !cancelled();
    };
    const Generated generated = session_.continue_text(ids, on_token);
    shown(stream.finish());
    ChatAnswer answer{.text = std::string(text::trim(stream.text())),
                      .ids = generated.ids[0],
                      .prompt_tokens = static_cast<std::int64_t>(ids.size()),
                      .reused_tokens = session_.reused(),
                      .prefill_seconds = generated.prefill_seconds,
                      .decode_seconds = generated.decode_seconds};
    if (stream.stopped()) {
      answer.end = AnswerEnd::stop_text;
    } else if (answer.ids.empty() || !ends(answer.ids.back())) {
      answer.end = cancelled() ? AnswerEnd::cancelled : AnswerEnd::length;
    }
    messages_.push_back({text::Role::assistant, answer.text});
    answers_.push_back(stream.stopped() ? Ids() : answer.ids);
    return answer;
  } catch (...) {
    messages_.pop_back();
    throw;
  }
}

Json conversation_json(const std::vector<text::Message>& messages) {
  Json list = Json::array();
  for (const text::Message& message : messages) {
    list.push_back({{"role", std::string(text::role_name(message.role))}, {"content", message.content}});
  }
  return {{"messages", list}};
}

}  // namespace filigree::language
