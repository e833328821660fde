#include "tensor/float8.h"

#include <cmath>
#include <limits>
#include <set>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace filigree::tensor {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Values of table 1 in Micikevicius et al., arXiv 2209.05433.
TEST(Float8, HasThePublishedValues) {
  EXPECT_EQ(float8_value(0b0'1111'110, Float8::e4m3), 448.0f);
  EXPECT_EQ(float8_value(0b0'0001'000, Float8::e4m3), std::ldexp(1.0f, -6));
  EXPECT_EQ(float8_value(0b0'0000'111, Float8::e4m3), 0.875f * std::ldexp(1.0f, -6));
  EXPECT_EQ(float8_value(0b0'0000'001, Float8::e4m3), std::ldexp(1.0f, -9));
  EXPECT_TRUE(std::isnan(float8_value(0b0'1111'111, Float8::e4m3)));
  EXPECT_TRUE(std::isnan(float8_value(0b1'1111'111, Float8::e4m3)));
  EXPECT_EQ(float8_value(0b0'11110'11, Float8::e5m2), 57344.0f);
  EXPECT_EQ(float8_value(0b0'00001'00, Float8::e5m2), std::ldexp(1.0f, -14));
  EXPECT_EQ(float8_value(0b0'00000'11, Float8::e5m2), 0.75f * std::ldexp(1.0f, -14));
  EXPECT_EQ(float8_value(0b0'00000'01, Float8::e5m2), std::ldexp(1.0f, -16));
  EXPECT_EQ(float8_value(0b0'11111'00, Float8::e5m2), kInfinity);
  EXPECT_EQ(float8_value(0b1'11111'00, Float8::e5m2), -kInfinity);
  for (const int mantissa : {1, 2, 3}) {
    EXPECT_TRUE(std::isnan(float8_value(static_cast<std::uint8_t>(0b0'11111'00 | mantissa), Float8::e5m2)));
  }
  for (const Float8 format : {Float8::e4m3, Float8::e5m2}) {
    EXPECT_EQ(float8_value(0, format), 0.0f);
    EXPECT_TRUE(std::signbit(float8_value(0x80, format)));
    EXPECT_EQ(float8_value(format == Float8::e4m3 ? 0b0'0111'000 : 0b0'01111'00, format), 1.0f);
  }
}

TEST(Float8, RisesWithItsBitsAndMirrorsItsSign) {
  for (const Float8 format : {Float8::e4m3, Float8::e5m2}) {
    const auto& table = float8_table(format);
    for (std::size_t i = 1; i < 128 && std::isfinite(table[i]); ++i) {
      EXPECT_GT(table[i], table[i - 1]);
      EXPECT_EQ(table[i + 128], -table[i]);
    }
  }
}

/// An e5m2 number is a float16 with eight bits fewer.
TEST(Float8, AgreesWithFloat16) {
  for (int byte = 0; byte < 256; ++byte) {
    const at::Tensor half = at::full({1}, byte << 8, at::kInt).to(at::kShort).view(at::kHalf);
    const float expected = half.item<float>(), got = float8_value(static_cast<std::uint8_t>(byte), Float8::e5m2);
    EXPECT_TRUE(std::isnan(expected) ? std::isnan(got) : expected == got) << byte;
  }
}

TEST(Float8, ConvertsTensors) {
  const at::Tensor bytes = at::arange(256, at::kByte).view({2, 8, 16}).transpose(0, 2);
  const at::Tensor values = float8_to_float32(bytes, Float8::e4m3);
  EXPECT_EQ(values.sizes(), bytes.sizes());
  EXPECT_EQ(values[3][2][1].item<float>(), float8_value(128 + 2 * 16 + 3, Float8::e4m3));
  EXPECT_ERROR(float8_to_float32(at::ones({2}), Float8::e4m3),
               "float8_to_float32: expected a tensor of bytes (uint8), got Float");
}

}  // namespace
}  // namespace filigree::tensor
