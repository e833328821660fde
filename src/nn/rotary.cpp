#include "nn/rotary.h"

#include <ATen/ATen.h>

namespace filigree::nn {

Angles rotary_angles(const at::Tensor& positions_BT, std::int64_t rotary_size, double base) {
  const at::TensorOptions options = at::TensorOptions().dtype(at::kFloat).device(positions_BT.device());
  const at::Tensor exponent = at::arange(0, rotary_size, 2, options) / static_cast<double>(rotary_size);
  const at::Tensor frequency = 1.0 / at::pow(at::scalar_tensor(base, options), exponent);
  const at::Tensor angle = positions_BT.to(at::kFloat).unsqueeze(-1) * frequency;
  return {angle.cos().unsqueeze(1), angle.sin().unsqueeze(1)};
}

at::Tensor rotate(const at::Tensor& x_BHTR, const Angles& angles, RotaryPairs pairs) {
  const at::Tensor x = x_BHTR.to(at::kFloat);
  const std::int64_t half = x.size(-1) / 2;
  if (pairs == RotaryPairs::halves) {
    const at::Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
    return at::cat({a * angles.cos - b * angles.sin, b * angles.cos + a * angles.sin}, -1).to(x_BHTR.scalar_type());
  }
  const at::Tensor split = x.unflatten(-1, {half, 2});
  const at::Tensor a = split.select(-1, 0), b = split.select(-1, 1);
  return at::stack({a * angles.cos - b * angles.sin, b * angles.cos + a * angles.sin}, -1)
      .flatten(-2)
      .to(x_BHTR.scalar_type());
}

}  // namespace filigree::nn
