#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

/// Whether bytes are UTF-8 (Unicode 15, section 3.9).
namespace filigree {

/// What stands at one place of a byte string.
struct Utf8Step {
  enum class Kind {
    character,   ///< `length` bytes are a character
    incomplete,  ///< `length` bytes, up to the end, begin a character
    invalid,     ///< `length` bytes cannot be part of one (Unicode 15, section 3.9: maximal subpart)
  };
  Kind kind = Kind::invalid;
  std::size_t length = 1;
};
Utf8Step utf8_step(std::string_view text, std::size_t at);

/// Where the first byte stands that is not UTF-8; nullopt where all are.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

}  // namespace filigree
