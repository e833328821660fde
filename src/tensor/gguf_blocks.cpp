#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "tensor/gguf.h"

/// Blocks of quantised numbers (ggml-org/ggml: src/ggml-common.h has the fields, docs the rules).
namespace filigree::tensor {
namespace {

constexpr std::int64_t kLarge = 256;  // numbers in a block of the K types
constexpr std::int64_t kSmall = 32;   // in one of Q8_0, and in each part of a large one that has a scale

float half_at(const char* bytes) {
  std::uint16_t bits;
  std::memcpy(&bits, bytes, 2);
  return half_value(bits);
}

/// Eight scales and eight minima of 6 bits in 12 bytes: the low parts of the first four stand in bytes 0-3 (scales) and
/// 4-7 (minima); those of the last four in the nibbles of bytes 8-11, with their top bits in the top bits of bytes 0-7.
struct Scales {
  float scale[8], minimum[8];

  Scales(const unsigned char* b, float d, float d_minimum) {
    for (int j = 0; j < 4; ++j) {
      scale[j] = d * static_cast<float>(b[j] & 63);
      minimum[j] = d_minimum * static_cast<float>(b[j + 4] & 63);
      scale[j + 4] = d * static_cast<float>((b[j + 8] & 15) | (b[j] >> 6 << 4));
      minimum[j + 4] = d_minimum * static_cast<float>((b[j + 8] >> 4) | (b[j + 4] >> 6 << 4));
    }
  }
};

/// w = d q, q of 8 bits with a sign.
void unpack_q8_0(const char* block, float* out) {
  const float d = half_at(block);
  const auto* q = reinterpret_cast<const signed char*>(block + 2);
  for (std::int64_t i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(q[i]);
}

/// w = d s q − d' m for each 32 numbers, q of 4 bits: the low nibbles of 32 bytes, then their high ones.
void unpack_q4_k(const char* block, float* out) {
  const auto* b = reinterpret_cast<const unsigned char*>(block);
  const Scales s(b + 4, half_at(block), half_at(block + 2));
  const unsigned char* q = b + 16;
  for (int part = 0; part < 8; part += 2, q += kSmall) {
    for (std::int64_t i = 0; i < kSmall; ++i) {
      out[part * kSmall + i] = s.scale[part] * static_cast<float>(q[i] & 15) - s.minimum[part];
      out[(part + 1) * kSmall + i] = s.scale[part + 1] * static_cast<float>(q[i] >> 4) - s.minimum[part + 1];
    }
  }
}

/// As Q4_K with a fifth bit: bit p of byte i belongs to number i of part p.
void unpack_q5_k(const char* block, float* out) {
  const auto* b = reinterpret_cast<const unsigned char*>(block);
  const Scales s(b + 4, half_at(block), half_at(block + 2));
  const unsigned char *high = b + 16, *q = b + 48;
  for (int part = 0; part < 8; part += 2, q += kSmall) {
    for (std::int64_t i = 0; i < kSmall; ++i) {
      const int low = (q[i] & 15) | (high[i] >> part & 1) << 4;
      const int up = (q[i] >> 4) | (high[i] >> (part + 1) & 1) << 4;
      out[part * kSmall + i] = s.scale[part] * static_cast<float>(low) - s.minimum[part];
      out[(part + 1) * kSmall + i] = s.scale[part + 1] * static_cast<float>(up) - s.minimum[part + 1];
    }
  }
}

/// w = d s (q − 32), q of 6 bits, s of 8 bits for each 16 numbers. In each half of 128 numbers, number 32 k + i has its
/// low bits in byte i + 32 (k mod 2), in the nibble k / 2, and its top bits in bits 2k and 2k + 1 of the other byte i.
void unpack_q6_k(const char* block, float* out) {
  const auto* b = reinterpret_cast<const unsigned char*>(block);
  const auto* scale = reinterpret_cast<const signed char*>(block + 192);
  const float d = half_at(block + 208);
  for (std::int64_t half = 0; half < 2; ++half) {
    const unsigned char *low = b + 64 * half, *top = b + 128 + 32 * half;
    for (std::int64_t k = 0; k < 4; ++k) {
      for (std::int64_t i = 0; i < kSmall; ++i) {
        const std::int64_t scale_at = 8 * half + 2 * k + i / 16;
        const int q = (low[i + kSmall * (k % 2)] >> (4 * (k / 2)) & 15) | (top[i] >> (2 * k) & 3) << 4;
        const float s = d * static_cast<float>(scale[scale_at]);
        out[128 * half + kSmall * k + i] = s * static_cast<float>(q - 32);
      }
    }
  }
}

void unpack_plain(GgufType type, const char* from, std::int64_t count, float* out) {
  if (type == GgufType::f32) {
    std::memcpy(out, from, static_cast<std::size_t>(count) * 4);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, from + 2 * i, 2);
    out[i] = type == GgufType::f16 ? half_value(bits) : std::bit_cast<float>(std::uint32_t{bits} << 16);
  }
}

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  constexpr std::string_view names[] = {"F32", "F16", "BF16", "Q8_0", "Q4_K", "Q5_K", "Q6_K"};
  return names[static_cast<std::size_t>(type)];
}

std::int64_t block_numbers(GgufType type) {
  if (type == GgufType::q8_0) return kSmall;
  return type == GgufType::q4_k || type == GgufType::q5_k || type == GgufType::q6_k ? kLarge : 1;
}

std::int64_t block_bytes(GgufType type) {
  constexpr std::int64_t bytes[] = {4, 2, 2, 34, 144, 176, 210};
  return bytes[static_cast<std::size_t>(type)];
}

void unpack_gguf(GgufType type, const char* blocks, std::int64_t count, float* out) {
  const std::int64_t numbers = block_numbers(type), bytes = block_bytes(type);
  if (numbers == 1) return unpack_plain(type, blocks, count, out);
  FILIGREE_ASSERT(count % numbers == 0);
  const auto one = type == GgufType::q8_0   ? unpack_q8_0
                   : type == GgufType::q4_k ? unpack_q4_k
                   : type == GgufType::q5_k ? unpack_q5_k
                                            : unpack_q6_k;
  for (std::int64_t i = 0; i < count / numbers; ++i) one(blocks + i * bytes, out + i * numbers);
}

float half_value(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31, exponent = bits >> 10 & 31U, fraction = bits & 1023U;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float small = static_cast<float>(fraction) * 0x1p-24F;
  return sign != 0 ? -small : small;
}

std::uint16_t half_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
  const std::uint32_t size = bits & 0x7FFFFFFFU;
  if (size > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);   // not a number
  if (size >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // too large
  if (size < 0x38800000U) {                                                    // below the smallest normal one
    // Adding 0.5 leaves the fraction, rounded to multiples of 2^-24, in the low bits.
    const float moved = std::bit_cast<float>(size) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(moved) - 0x3F000000U));
  }
  const std::uint32_t odd = size >> 13 & 1U;
  return static_cast<std::uint16_t>(sign | ((size - 0x38000000U + 0xFFFU + odd) >> 13));
}

}  // namespace filigree::tensor
