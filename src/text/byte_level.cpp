#include "text/byte_level.h"

#include <cstdint>

#include "text/utf8.h"

namespace filigree::text {
namespace {

std::array<char32_t, 256> make_letters() {
  std::array<char32_t, 256> letters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool visible = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    letters[byte] = visible ? byte : next++;
  }
  return letters;
}

std::array<std::string, 256> make_texts() {
  std::array<std::string, 256> texts;
  for (std::size_t byte = 0; byte < 256; ++byte) append_utf8(texts[byte], byte_letters()[byte]);
  return texts;
}

std::array<std::int16_t, 0x144> make_bytes() {
  std::array<std::int16_t, 0x144> bytes{};
  bytes.fill(-1);
  for (std::size_t byte = 0; byte < 256; ++byte) bytes[byte_letters()[byte]] = static_cast<std::int16_t>(byte);
  return bytes;
}

}  // namespace

const std::array<char32_t, 256>& byte_letters() {
  static const std::array<char32_t, 256> letters = make_letters();
  return letters;
}

std::string to_byte_letters(std::string_view bytes) {
  static const std::array<std::string, 256> texts = make_texts();
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 4);
  for (const char byte : bytes) out += texts[static_cast<unsigned char>(byte)];
  return out;
}

std::optional<unsigned char> byte_of_letter(char32_t letter) {
  static const std::array<std::int16_t, 0x144> bytes = make_bytes();
  if (letter >= bytes.size() || bytes[letter] < 0) return std::nullopt;
  return static_cast<unsigned char>(bytes[letter]);
}

std::string from_byte_letters(std::string_view letters) {
  std::string out;
  for (std::size_t at = 0; at < letters.size();) {
    const auto byte = byte_of_letter(next_character(letters, at));
    if (!byte) return std::string(letters);
    out += static_cast<char>(*byte);
  }
  return out;
}

}  // namespace filigree::text
