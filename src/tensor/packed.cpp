#include "tensor/packed.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "tensor/gguf.h"

namespace filigree::tensor {
namespace {

constexpr float kLargest = 65504;  // in half precision

float steps(Packing packing) { return packing == Packing::q8 ? 127.0F : 7.0F; }

/// The scale of a group, rounded as it is kept.
std::uint16_t scale_of(Packing packing, const float* numbers, std::int64_t count) {
  float largest = 0;
  bool finite = true;
  for (std::int64_t i = 0; i < count; ++i) {
    const float size = std::abs(numbers[i]);
    finite = finite && size <= std::numeric_limits<float>::max();
    largest = std::max(largest, size);
  }
  for (std::int64_t i = 0; !finite && i < count; ++i) {
    if (!std::isfinite(numbers[i])) fail("a weight is {}, which cannot be packed", numbers[i]);
  }
  const float scale = largest / steps(packing);
  if (scale > kLargest) fail("a weight is {}, which is too large to be packed", largest);
  return half_bits(scale);
}

/// Rounded to the nearest, ties to even: adding 1.5 · 2^23 leaves the whole number in the low bits. (A call of
/// nearbyint for each number would take most of the time.)
int quantised(float number, float scale, float most) {
  const float whole = std::min(std::max(number / scale, -most), most) + 0x1.8p23F;
  return std::bit_cast<std::int32_t>(whole) - std::bit_cast<std::int32_t>(0x1.8p23F);
}

}  // namespace

std::int64_t packed_row_bytes(Packing packing, std::int64_t numbers) {
  FILIGREE_ASSERT(packing == Packing::q8 || numbers % 2 == 0);
  return packing == Packing::q8 ? numbers : numbers / 2;
}

std::int64_t packed_groups(std::int64_t numbers) { return (numbers + kPackGroup - 1) / kPackGroup; }

void pack_row(Packing packing, const float* row, std::int64_t numbers, char* bytes, std::uint16_t* scales) {
  for (std::int64_t begin = 0; begin < numbers; begin += kPackGroup) {
    const std::int64_t count = std::min(kPackGroup, numbers - begin);
    const float* group = row + begin;
    const std::uint16_t kept = scale_of(packing, group, count);
    scales[begin / kPackGroup] = kept;
    // A group of zeros, or one too small for a scale, becomes zeros whatever it is divided by.
    const float scale = kept == 0 ? std::numeric_limits<float>::max() : half_value(kept), most = steps(packing);
    if (packing == Packing::q8) {
      for (std::int64_t i = 0; i < count; ++i) bytes[begin + i] = static_cast<char>(quantised(group[i], scale, most));
      continue;
    }
    for (std::int64_t i = 0; i < count / 2; ++i) {
      const int low = quantised(group[i], scale, most) + 8, high = quantised(group[i + count / 2], scale, most) + 8;
      bytes[begin / 2 + i] = static_cast<char>(low | high << 4);
    }
  }
}

void unpack_row(Packing packing, const char* bytes, const std::uint16_t* scales, std::int64_t numbers, float* row) {
  for (std::int64_t begin = 0; begin < numbers; begin += kPackGroup) {
    const std::int64_t count = std::min(kPackGroup, numbers - begin);
    const float scale = half_value(scales[begin / kPackGroup]);
    float* group = row + begin;
    if (packing == Packing::q8) {
      const auto* q = reinterpret_cast<const signed char*>(bytes + begin);
      for (std::int64_t i = 0; i < count; ++i) group[i] = scale * static_cast<float>(q[i]);
      continue;
    }
    const auto* q = reinterpret_cast<const unsigned char*>(bytes + begin / 2);
    const std::int64_t half = count / 2;
    for (std::int64_t i = 0; i < half; ++i) group[i] = scale * static_cast<float>(static_cast<int>(q[i] & 15) - 8);
    for (std::int64_t i = 0; i < half; ++i)
      group[half + i] = scale * static_cast<float>(static_cast<int>(q[i] >> 4) - 8);
  }
}

float packed_number(Packing packing, const char* bytes, const std::uint16_t* scales, std::int64_t numbers,
                    std::int64_t place) {
  const std::int64_t group = place / kPackGroup, begin = group * kPackGroup, inside = place - begin;
  const std::int64_t half = std::min(kPackGroup, numbers - begin) / 2;
  const float scale = half_value(scales[group]);
  if (packing == Packing::q8) return scale * static_cast<float>(std::bit_cast<std::int8_t>(bytes[place]));
  const int byte = static_cast<unsigned char>(bytes[begin / 2 + inside % half]);
  return scale * static_cast<float>((inside < half ? byte & 15 : byte >> 4) - 8);
}

}  // namespace filigree::tensor
