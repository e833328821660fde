#include "text/base64.h"

#include <cstdint>

#include "base/error.h"

namespace filigree::text {

std::string decode_base64(std::string_view text, const std::string& where) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve(text.size() / 4 * 3);
  const std::size_t size = std::min(text.size(), text.find_last_not_of('=') + 1);
  std::uint32_t held = 0;
  int bits = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t value = kLetters.find(text[i]);
    if (value == std::string_view::npos) fail("{}: is not base64: unexpected character at position {}", where, i);
    held = (held << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(static_cast<unsigned char>(held >> bits));
  }
  return out;
}

}  // namespace filigree::text
