#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

/// Bytes written as visible letters, so that any text is a word over 256 letters.
namespace filigree::text {

/// The letter of each byte: printable ASCII and Latin-1 stand for themselves, the other 68 bytes in turn for U+0100 to
/// U+0143 (openai/gpt-2: src/encoder.py, bytes_to_unicode).
const std::array<char32_t, 256>& byte_letters();

/// Every byte as its letter, in UTF-8: " é" gives "ĠÃ©".
std::string to_byte_letters(std::string_view bytes);

/// The byte of a letter; nullopt for other characters.
std::optional<unsigned char> byte_of_letter(char32_t letter);

/// The bytes that the letters stand for; the text itself where it has other characters.
std::string from_byte_letters(std::string_view letters);

}  // namespace filigree::text
