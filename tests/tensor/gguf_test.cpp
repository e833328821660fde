#include "tensor/gguf.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "gguf_bytes.h"
#include "support/expect_error.h"
#include "tensor/packed.h"

namespace filigree::tensor {
namespace {

using test::gguf_file;
using test::GgufBytes;

constexpr std::uint16_t kOne = 0x3C00, kHalf = 0x3800, kTwo = 0x4000;  // in half precision

std::vector<float> unpacked(GgufType type, const std::string& blocks) {
  const auto count = static_cast<std::int64_t>(blocks.size()) / block_bytes(type) * block_numbers(type);
  std::vector<float> out(static_cast<std::size_t>(count));
  unpack_gguf(type, blocks.data(), count, out.data());
  return out;
}

TEST(Gguf, HalfPrecision) {
  EXPECT_EQ(half_value(0x3C00), 1.0F);
  EXPECT_EQ(half_value(0xC000), -2.0F);
  EXPECT_EQ(half_value(0x7BFF), 65504.0F);
  EXPECT_EQ(half_value(0x0001), 0x1p-24F);
  EXPECT_EQ(half_value(0x8400), -0x1p-14F);
  EXPECT_TRUE(std::isinf(half_value(0x7C00)) && std::isnan(half_value(0x7E00)));
  // Every value goes through unchanged, and what lies between goes to the nearest, ties to even.
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = half_value(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    EXPECT_EQ(half_bits(value), bits);
  }
  EXPECT_EQ(half_bits(1.0F + 0x1p-11F), 0x3C00) << "tie to even";
  EXPECT_EQ(half_bits(1.0F + 3 * 0x1p-11F), 0x3C02) << "tie to even";
  EXPECT_EQ(half_bits(1.0F + 0x1.1p-11F), 0x3C01);
  EXPECT_EQ(half_bits(65520.0F), 0x7C00) << "too large";
  EXPECT_EQ(half_bits(65519.0F), 0x7BFF);
  EXPECT_EQ(half_bits(0x1p-25F), 0) << "tie to even";
  EXPECT_EQ(half_bits(0x1.8p-24F), 2) << "tie to even";
  EXPECT_TRUE(std::isnan(half_value(half_bits(std::numeric_limits<float>::quiet_NaN()))));
}

TEST(Gguf, PlainNumbers) {
  EXPECT_EQ(unpacked(GgufType::f32, GgufBytes().number(1.5F).number(-0.25F).bytes()), (std::vector{1.5F, -0.25F}));
  EXPECT_EQ(unpacked(GgufType::f16, GgufBytes().number(kTwo).number(kHalf).bytes()), (std::vector{2.0F, 0.5F}));
  EXPECT_EQ(unpacked(GgufType::bf16, GgufBytes().number(std::uint16_t{0x3FC0}).bytes()), (std::vector{1.5F}));
}

TEST(Gguf, BlockOfQ8) {
  GgufBytes block;
  block.number(kHalf);
  for (int i = 0; i < 32; ++i) block.number(static_cast<signed char>(i * 8 - 128));
  const std::vector<float> out = unpacked(GgufType::q8_0, block.bytes());
  EXPECT_EQ(out[0], -64.0F);  // 0.5 · -128
  EXPECT_EQ(out[17], 4.0F);   // 0.5 · 8
  EXPECT_EQ(out[31], 60.0F);  // 0.5 · 120
}

/// The 12 bytes of eight scales and minima of 6 bits, written from the rule: see gguf_blocks.cpp.
std::string scale_bytes(const std::array<int, 8>& scale, const std::array<int, 8>& minimum) {
  std::string bytes(12, '\0');
  for (std::size_t j = 0; j < 4; ++j) {
    bytes[j] = static_cast<char>(scale[j] | (scale[j + 4] >> 4) << 6);
    bytes[j + 4] = static_cast<char>(minimum[j] | (minimum[j + 4] >> 4) << 6);
    bytes[j + 8] = static_cast<char>((scale[j + 4] & 15) | (minimum[j + 4] & 15) << 4);
  }
  return bytes;
}

constexpr std::array<int, 8> kScale{1, 63, 7, 20, 33, 62, 48, 5}, kMinimum{0, 2, 63, 11, 40, 17, 63, 50};

TEST(Gguf, BlockOfQ4K) {
  std::array<int, 256> q{};
  for (int i = 0; i < 256; ++i) q[static_cast<std::size_t>(i)] = (i * 7 + i / 32) % 16;
  std::string bytes = GgufBytes().number(kTwo).number(kHalf).bytes() + scale_bytes(kScale, kMinimum);
  for (std::size_t pair = 0; pair < 4; ++pair) {
    for (std::size_t i = 0; i < 32; ++i) {
      bytes += static_cast<char>(q[64 * pair + i] | q[64 * pair + 32 + i] << 4);
    }
  }
  ASSERT_EQ(bytes.size(), 144U);
  const std::vector<float> out = unpacked(GgufType::q4_k, bytes);
  for (std::size_t i = 0; i < 256; ++i) {
    EXPECT_EQ(out[i], static_cast<float>(2 * kScale[i / 32] * q[i]) - 0.5F * static_cast<float>(kMinimum[i / 32])) << i;
  }
  // By hand: number 65 is in part 2, q = (65 · 7 + 2) mod 16 = 9, so 2 · 7 · 9 − 0.5 · 63.
  EXPECT_EQ(out[65], 94.5F);
}

TEST(Gguf, BlockOfQ5K) {
  std::array<int, 256> q{};
  for (int i = 0; i < 256; ++i) q[static_cast<std::size_t>(i)] = (i * 11 + i / 16) % 32;
  std::string high(32, '\0'), low;
  for (std::size_t i = 0; i < 256; ++i) high[i % 32] = static_cast<char>(high[i % 32] | (q[i] >> 4) << (i / 32));
  for (std::size_t pair = 0; pair < 4; ++pair) {
    for (std::size_t i = 0; i < 32; ++i) {
      low += static_cast<char>((q[64 * pair + i] & 15) | (q[64 * pair + 32 + i] & 15) << 4);
    }
  }
  const std::string bytes = GgufBytes().number(kOne).number(kTwo).bytes() + scale_bytes(kScale, kMinimum) + high + low;
  ASSERT_EQ(bytes.size(), 176U);
  const std::vector<float> out = unpacked(GgufType::q5_k, bytes);
  for (std::size_t i = 0; i < 256; ++i) {
    EXPECT_EQ(out[i], static_cast<float>(kScale[i / 32] * q[i] - 2 * kMinimum[i / 32])) << i;
  }
  // By hand: number 33 is in part 1, q = (33 · 11 + 2) mod 32 = 13, so 63 · 13 − 2 · 2.
  EXPECT_EQ(out[33], 815.0F);
}

TEST(Gguf, BlockOfQ6K) {
  std::array<int, 256> q{};
  std::array<int, 16> scale{};
  for (int i = 0; i < 256; ++i) q[static_cast<std::size_t>(i)] = (i * 13 + i / 8) % 64;
  for (int i = 0; i < 16; ++i) scale[static_cast<std::size_t>(i)] = i * 17 - 128;
  std::string low(128, '\0'), top(64, '\0'), scales;
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t half = i / 128, k = i % 128 / 32, place = i % 32;
    char& l = low[64 * half + place + 32 * (k % 2)];
    l = static_cast<char>(l | (q[i] & 15) << (4 * (k / 2)));
    char& t = top[32 * half + place];
    t = static_cast<char>(t | (q[i] >> 4) << (2 * k));
  }
  for (const int s : scale) scales += static_cast<char>(s);
  const std::string bytes = low + top + scales + GgufBytes().number(kHalf).bytes();
  ASSERT_EQ(bytes.size(), 210U);
  const std::vector<float> out = unpacked(GgufType::q6_k, bytes);
  for (std::size_t i = 0; i < 256; ++i) {
    EXPECT_EQ(out[i], 0.5F * static_cast<float>(scale[i / 16] * (q[i] - 32))) << i;
  }
  // By hand: number 100 has the scale 6 · 17 − 128 = −26, q = (100 · 13 + 12) mod 64 = 32, so 0; number 1 has 13 − 32.
  EXPECT_EQ(out[100], 0.0F);
  EXPECT_EQ(out[1], 1216.0F);
}

TEST(Gguf, HeadOfAFile) {
  GgufBytes settings;
  settings.text("general.architecture").number(std::uint32_t{8}).text("hidream");
  settings.text("numbers")
      .number(std::uint32_t{9})
      .number(std::uint32_t{6})
      .number(std::uint64_t{2})
      .number(1.0F)
      .number(2.0F);
  settings.text("words").number(std::uint32_t{9}).number(std::uint32_t{8}).number(std::uint64_t{1}).text("word");
  settings.text("comfy.gguf.orig_shape.b").number(std::uint32_t{9}).number(std::uint32_t{5}).number(std::uint64_t{2});
  settings.number(std::int32_t{16}).number(std::int32_t{2});
  const std::string file =
      gguf_file({{"a", {3, 2}, 0, std::string(24, 'a')}, {"b", {32}, 8, std::string(34, 'b')}}, settings.bytes(), 4);
  const GgufHeader header = parse_gguf_header(file, "x.gguf");
  EXPECT_EQ(header.texts.at("general.architecture"), "hidream");
  ASSERT_EQ(header.tensors.size(), 2U);
  EXPECT_EQ(header.tensors[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.substr(header.tensors[0].begin, 24), std::string(24, 'a'));
  EXPECT_EQ(header.tensors[1].shape, (std::vector<std::int64_t>{16, 2})) << "as it was before a converter folded it";
  EXPECT_EQ(header.tensors[1].type, GgufType::q8_0);
  EXPECT_EQ(file.substr(header.tensors[1].begin), std::string(34, 'b'));
}

TEST(Gguf, WhatCannotBeReadIsOneSentence) {
  const auto parse = [](const std::string& bytes) { return parse_gguf_header(bytes, "x.gguf"); };
  EXPECT_ERROR(parse("GGML"), "x.gguf: is no GGUF file; it does not begin with 'GGUF'");
  EXPECT_ERROR(parse("GGUF\1"), "x.gguf: ends within its head, at byte 5; it is cut short or damaged");
  EXPECT_ERROR(parse(GgufBytes().raw("GGUF").number(std::uint32_t{1}).bytes()),
               "x.gguf: is GGUF of version 1, expected 2 or 3");
  EXPECT_ERROR(parse(gguf_file({{"w", {32}, 2, std::string(18, ' ')}})),
               "x.gguf: tensor 'w' has the type Q4_0, which cannot be read; take a file with Q8_0, Q6_K, Q5_K, Q4_K, "
               "F16, BF16 or F32");
  EXPECT_ERROR(parse(gguf_file({{"w", {32}, 39, std::string(18, ' ')}})),
               "x.gguf: tensor 'w' has the type of number 39, which cannot be read; take a file with Q8_0, Q6_K, Q5_K, "
               "Q4_K, F16, BF16 or F32");
  EXPECT_ERROR(parse(gguf_file({{"w", {48}, 8, std::string(51, ' ')}})),
               "x.gguf: tensor 'w' of type Q8_0 has rows of 48, expected a multiple of 32");
  EXPECT_ERROR(parse(gguf_file({{"w", {4}, 0, std::string(15, ' ')}})),
               "x.gguf: ends before the end of tensor 'w'; it is cut short");
  EXPECT_ERROR(parse(gguf_file({{"w", {1}, 0, "1234"}, {"w", {1}, 0, "1234"}})), "x.gguf: two tensors are called 'w'");
  EXPECT_ERROR(parse(gguf_file({{"w", {0}, 0, ""}})), "x.gguf: tensor 'w' has an axis of 0, which cannot be");
  EXPECT_ERROR(parse(gguf_file({{"w", {1, 1, 1, 1, 1}, 0, "1234"}})),
               "x.gguf: tensor 'w' has 5 axes, at most 4 are possible");
  EXPECT_ERROR(parse(gguf_file({{"", {1}, 0, "1234"}})), "x.gguf: is damaged: a tensor has no readable name");
  EXPECT_ERROR(parse(gguf_file({}, GgufBytes().text("k").number(std::uint32_t{77}).bytes(), 1)),
               "x.gguf: is damaged: a setting has the unknown type 77");
  EXPECT_ERROR(
      parse(gguf_file({}, GgufBytes().text("general.alignment").number(std::uint32_t{4}).number(0U).bytes(), 1)),
      "x.gguf: general.alignment is 0");
}

TEST(Packed, WithinItsBoundsAndAsItsTwin) {
  std::vector<float> row(101 * 2);
  std::uint32_t state = 1;
  for (float& number : row) {
    state = state * 1664525 + 1013904223;
    number = (static_cast<float>(state >> 8) / 16777216.0F - 0.5F) * 3;
  }
  for (std::size_t i = 64; i < 96; ++i) row[i] = 0;  // a group of zeros
  const auto numbers = static_cast<std::int64_t>(row.size());
  for (const auto& [packing, divisor] : {std::pair{Packing::q8, 254.0F}, {Packing::q4, 14.0F}}) {
    std::string bytes(static_cast<std::size_t>(packed_row_bytes(packing, numbers)), '\0');
    std::vector<std::uint16_t> scales(static_cast<std::size_t>(packed_groups(numbers)));
    pack_row(packing, row.data(), numbers, bytes.data(), scales.data());
    std::vector<float> back(row.size());
    unpack_row(packing, bytes.data(), scales.data(), numbers, back.data());
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t begin = i / 32 * 32, end = std::min(begin + 32, row.size());
      float largest = 0;
      for (std::size_t j = begin; j < end; ++j) largest = std::max(largest, std::abs(row[j]));
      EXPECT_LE(std::abs(back[i] - row[i]), largest / divisor + largest / 1024) << enum_name(packing) << " " << i;
      EXPECT_EQ(back[i], packed_number(packing, bytes.data(), scales.data(), numbers, static_cast<std::int64_t>(i)));
    }
  }
  std::vector<std::uint16_t> scale(1);
  std::string bytes(2, '\0');
  row = {1.0F, std::numeric_limits<float>::infinity()};
  EXPECT_ERROR(pack_row(Packing::q8, row.data(), 2, bytes.data(), scale.data()),
               "a weight is inf, which cannot be packed");
  row = {1.0F, 1e9F};
  EXPECT_ERROR(pack_row(Packing::q4, row.data(), 2, bytes.data(), scale.data()),
               "a weight is 1000000000, which is too large to be packed");
}

}  // namespace
}  // namespace filigree::tensor
