#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/visit.h"

/// Weights of 8 or 4 bits with one scale for each 32 in a row. No LibTorch here.
///
/// A group of numbers w has the scale s = max|w| / 127 or max|w| / 7, kept in half precision, and the whole numbers
/// q = round(w / s) within ±127 or ±7; the value read back is s q. So with m = max|w| of a group each number is off by at
/// most m / 254 or m / 14, and m / 1024 for the rounding of the scale.
///
/// q8: a row of n numbers is n bytes with a sign. q4: n / 2 bytes (n is even); in a group of g numbers byte i holds
/// q_i + 8 in its low half and q_(i + g/2) + 8 in its high half. The last group of a row may be shorter.
namespace filigree::tensor {

enum class Packing { q8, q4 };

constexpr std::int64_t kPackGroup = 32;

/// Of a row of so many numbers.
std::int64_t packed_row_bytes(Packing packing, std::int64_t numbers);
std::int64_t packed_groups(std::int64_t numbers);

/// One row. Error where a number is not finite or too large for a half-precision scale.
void pack_row(Packing packing, const float* row, std::int64_t numbers, char* bytes, std::uint16_t* scales);
void unpack_row(Packing packing, const char* bytes, const std::uint16_t* scales, std::int64_t numbers, float* row);

/// The plain twin of unpack_row: one number.
float packed_number(Packing packing, const char* bytes, const std::uint16_t* scales, std::int64_t numbers,
                    std::int64_t place);

}  // namespace filigree::tensor

template <>
struct filigree::EnumNames<filigree::tensor::Packing> {
  using P = filigree::tensor::Packing;
  static constexpr std::array<std::pair<P, std::string_view>, 2> table{{{P::q8, "q8"}, {P::q4, "q4"}}};
};
