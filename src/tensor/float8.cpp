#include "tensor/float8.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::tensor {
namespace {

std::array<float, 256> make_table(Float8 format) {
  std::array<float, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = float8_value(static_cast<std::uint8_t>(i), format);
  return table;
}

}  // namespace

float float8_value(std::uint8_t byte, Float8 format) {
  const int mantissa_bits = format == Float8::e4m3 ? 3 : 2;
  const int bias = format == Float8::e4m3 ? 7 : 15;
  const int mantissa = byte & ((1 << mantissa_bits) - 1);
  const int exponent = (byte & 0x7F) >> mantissa_bits;
  const float sign = (byte & 0x80) != 0 ? -1.0f : 1.0f;
  if (format == Float8::e4m3 && (byte & 0x7F) == 0x7F)
    return std::copysign(std::numeric_limits<float>::quiet_NaN(), sign);
  if (format == Float8::e5m2 && exponent == 31) {
    const float special =
        mantissa == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
    return std::copysign(special, sign);
  }
  // Without the leading one where the exponent is zero.
  const int whole = exponent == 0 ? mantissa : mantissa + (1 << mantissa_bits);
  return sign * std::ldexp(static_cast<float>(whole), std::max(exponent, 1) - bias - mantissa_bits);
}

const std::array<float, 256>& float8_table(Float8 format) {
  static const std::array<float, 256> e4m3 = make_table(Float8::e4m3);
  static const std::array<float, 256> e5m2 = make_table(Float8::e5m2);
  return format == Float8::e4m3 ? e4m3 : e5m2;
}

at::Tensor float8_to_float32(const at::Tensor& bytes, Float8 format) {
  if (bytes.scalar_type() != at::kByte) {
    fail("float8_to_float32: expected a tensor of bytes (uint8), got {}", c10::toString(bytes.scalar_type()));
  }
  if (bytes.device().is_cpu()) {
    const at::Tensor in = bytes.contiguous();
    at::Tensor out = at::empty(in.sizes(), in.options().dtype(at::kFloat));
    const auto& table = float8_table(format);
    const std::uint8_t* from = in.data_ptr<std::uint8_t>();
    float* to = out.data_ptr<float>();
    for (std::int64_t i = 0; i < in.numel(); ++i) to[i] = table[from[i]];
    return out;
  }
  const auto& table = float8_table(format);
  const at::Tensor values = at::empty({256}, at::kFloat);
  std::copy(table.begin(), table.end(), values.data_ptr<float>());
  return values.to(bytes.device()).index_select(0, bytes.reshape({-1}).to(at::kLong)).view(bytes.sizes());
}

}  // namespace filigree::tensor
