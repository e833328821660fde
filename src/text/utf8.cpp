#include "text/utf8.h"

#include "base/error.h"

namespace filigree::text {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

}  // namespace

void check_utf8(std::string_view text, const std::string& where) {
  const auto at = first_invalid_utf8(text);
  if (!at) return;
  fail("{}: byte {} (0x{:02x}) is not UTF-8; convert the text to UTF-8 first", where, *at,
       static_cast<unsigned char>(text[*at]));
}

char32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[at + i])); };
  const std::size_t length = utf8_length(text[at]);
  char32_t character = byte(0);
  if (length == 2) character = (character & 0x1f) << 6 | (byte(1) & 0x3f);
  if (length == 3) character = (character & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
  if (length == 4) {
    character = (character & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
  }
  at += length;
  return character;
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xc0 | c >> 6);
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3f));
  } else {
    put(0xf0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3f));
    put(0x80 | (c >> 6 & 0x3f));
  }
  put(0x80 | (c & 0x3f));
}

std::string Utf8Joiner::push(std::string_view bytes) {
  waiting_ += bytes;
  std::string out;
  std::size_t at = 0;
  while (at < waiting_.size()) {
    const Utf8Step step = utf8_step(waiting_, at);
    if (step.kind == Utf8Step::Kind::incomplete) break;
    if (step.kind == Utf8Step::Kind::character) {
      out.append(waiting_, at, step.length);
    } else {
      out += kReplacement;
    }
    at += step.length;
  }
  waiting_.erase(0, at);
  return out;
}

std::string Utf8Joiner::finish() {
  std::string out(waiting_.empty() ? "" : kReplacement);
  waiting_.clear();
  return out;
}

}  // namespace filigree::text
