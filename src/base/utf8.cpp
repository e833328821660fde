#include "base/utf8.h"

namespace filigree {
namespace {

struct Lead {
  std::size_t length;       ///< 0: no character begins so
  unsigned char low, high;  ///< bounds of the second byte
};

/// Unicode 15, table 3-7.
Lead lead(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xc2) return {0, 0, 0};
  if (byte < 0xe0) return {2, 0x80, 0xbf};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte < 0xf0) return {3, 0x80, 0xbf};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte < 0xf4) return {4, 0x80, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

}  // namespace

Utf8Step utf8_step(std::string_view text, std::size_t at) {
  using Kind = Utf8Step::Kind;
  const Lead first = lead(static_cast<unsigned char>(text[at]));
  if (first.length == 0) return {Kind::invalid, 1};
  for (std::size_t i = 1; i < first.length; ++i) {
    if (at + i == text.size()) return {Kind::incomplete, i};
    const auto byte = static_cast<unsigned char>(text[at + i]);
    const unsigned char low = i == 1 ? first.low : 0x80, high = i == 1 ? first.high : 0xbf;
    if (byte < low || byte > high) return {Kind::invalid, i};
  }
  return {Kind::character, first.length};
}

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Utf8Step step = utf8_step(text, at);
    if (step.kind != Utf8Step::Kind::character) return at;
    at += step.length;
  }
  return std::nullopt;
}

}  // namespace filigree
