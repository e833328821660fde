#pragma once

#include <string>
#include <string_view>

/// What needs tables of Unicode; valid UTF-8 in and out.
namespace filigree::text {

enum class NormalForm { nfc, nfd, nfkc, nfkd };

/// Unicode Standard Annex 15.
std::string normalized(std::string_view text, NormalForm form);

/// Each character in lower case by itself: a final sigma is as any other, "İ" gives "i̇".
std::string lower_characters(std::string_view text);

/// Without combining marks (general category M).
std::string without_marks(std::string_view text);

/// White space (property White_Space).
bool is_white_space(char32_t character);

/// Valid UTF-8 without the white space at one end or both.
std::string strip_white_space(std::string_view text, bool left, bool right);

}  // namespace filigree::text
