#pragma once

#include <array>
#include <cstdint>

#include <ATen/core/Tensor.h>

/// The two 8-bit floating-point formats of Micikevicius et al., FP8 Formats for Deep Learning (arXiv 2209.05433), table 1.
/// LibTorch before 2.1 has no type for them; here they are bytes (uint8), read through a table of 256 values.
namespace filigree::tensor {

enum class Float8 {
  e4m3,  ///< bias 7, no infinities, NaN is 0x7F and 0xFF; largest 448
  e5m2,  ///< bias 15, infinities and NaN as in IEEE 754; largest 57344
};

/// The value of one byte.
float float8_value(std::uint8_t byte, Float8 format);

/// The values of all bytes, by byte.
const std::array<float, 256>& float8_table(Float8 format);

/// Values, float32, of bytes (uint8 of any shape, on any device).
at::Tensor float8_to_float32(const at::Tensor& bytes, Float8 format);

}  // namespace filigree::tensor
