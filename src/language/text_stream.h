#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace filigree::language {

/// Text from tokens as they come, up to the first of some strings. The parts joined are the text before that string.
class TextStream {
 public:
  TextStream(const text::Tokenizer& tokenizer, std::vector<std::string> stop);

  /// The text that is certain now: a character waits for its last byte, and the beginning of a stop string for what
  /// becomes of it. An id without a token, as padded vocabularies have them, is U+FFFD. "" once a stop was complete.
  std::string push(std::int64_t id);

  /// What still waits.
  std::string finish();

  /// Whether a stop string was complete.
  bool stopped() const { return stopped_; }

  /// All that was given out so far.
  std::string text() const { return text_.substr(0, shown_); }

 private:
  std::string show(std::size_t end);
  std::size_t certain() const;

  text::Tokenizer tokenizer_;
  text::StreamDecoder decoder_;
  std::vector<std::string> stop_;
  bool stopped_ = false;
  std::string text_;
  std::size_t shown_ = 0;
};

}  // namespace filigree::language
