#pragma once

#include <string>
#include <string_view>

#include "base/utf8.h"

/// Walking through UTF-8, and joining bytes of it that come in parts.
namespace filigree::text {

/// Error naming the first byte that is not UTF-8; `where` is the file, or "the text".
void check_utf8(std::string_view text, const std::string& where);

/// The character at `at` of valid UTF-8; moves `at` behind it.
char32_t next_character(std::string_view text, std::size_t& at);

/// Number of bytes of a character by its first byte, in valid UTF-8.
inline std::size_t utf8_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

void append_utf8(std::string& out, char32_t character);

/// Gives out whole characters only: the first bytes of a character wait for the rest. What cannot be UTF-8 becomes U+FFFD.
class Utf8Joiner {
 public:
  std::string push(std::string_view bytes);

  /// What still waits, as U+FFFD.
  std::string finish();

 private:
  std::string waiting_;
};

}  // namespace filigree::text
