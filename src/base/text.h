#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Small text helpers: parsing numbers strictly, splitting, and "did you mean".
namespace filigree::text {

/// Splits at every separator; "a,,b" gives three parts, "" gives none.
std::vector<std::string> split(std::string_view text, char separator);

/// Without white space at both ends.
std::string_view trim(std::string_view text);

/// ASCII lower case.
std::string lower(std::string_view text);

/// Joins with a separator.
std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// A number that fills the whole text, locale-free; nullopt for anything else. Infinities and NaN are refused.
std::optional<double> parse_double(std::string_view text);
std::optional<std::int64_t> parse_int(std::string_view text);

/// Number of single-character edits (insert, delete, replace, swap neighbours) from a to b.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// "; did you mean 'x'?" for the candidate nearest to `word`, or "" where none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// 1234567 as "1,234,567".
std::string with_thousands(std::int64_t value);

}  // namespace filigree::text
