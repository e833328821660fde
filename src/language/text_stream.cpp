#include "language/text_stream.h"

#include <algorithm>
#include <utility>

namespace filigree::language {

TextStream::TextStream(const text::Tokenizer& tokenizer, std::vector<std::string> stop)
    : tokenizer_(tokenizer), decoder_(tokenizer), stop_(std::move(stop)) {
  std::erase(stop_, "");
}

std::string TextStream::push(std::int64_t id) {
  if (stopped_) return {};
  if (tokenizer_.contains(id)) {
    text_ += decoder_.push(static_cast<text::TokenId>(id));
  } else {
    text_ += "\uFFFD";
  }
  for (const std::string& word : stop_) {
    const std::size_t at = text_.find(word, shown_);
    if (at == std::string::npos) continue;
    text_.resize(at);
    stopped_ = true;
  }
  return show(stopped_ ? text_.size() : certain());
}

std::string TextStream::finish() {
  if (!stopped_) text_ += decoder_.finish();
  return show(text_.size());
}

/// Without what can still become part of a stop string.
std::size_t TextStream::certain() const {
  std::size_t held = 0;
  for (const std::string& word : stop_) {
    for (std::size_t length = std::min(word.size() - 1, text_.size() - shown_); length > held; --length) {
      if (text_.ends_with(std::string_view(word).substr(0, length))) held = length;
    }
  }
  return text_.size() - held;
}

std::string TextStream::show(std::size_t end) {
  std::string part = text_.substr(shown_, end - shown_);
  shown_ = end;
  return part;
}

}  // namespace filigree::language
