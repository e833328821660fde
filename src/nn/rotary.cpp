#include "nn/rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

namespace filigree::nn {
namespace {

/// Which part of each pair's frequency stays as it was.
at::Tensor yarn_kept(std::int64_t rotary_size, double base, const RotaryScaling& s, const at::TensorOptions& options) {
  const auto size = static_cast<double>(rotary_size);
  const auto pair_with_turns = [&](double turns) {
    return size * std::log(s.original_positions / (turns * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  double from = pair_with_turns(s.beta_fast), to = pair_with_turns(s.beta_slow);
  if (s.whole_pairs) {
    from = std::floor(from);
    to = std::ceil(to);
  }
  from = std::max(from, 0.0);
  to = std::min(to, size - 1);
  if (from == to) to += 0.001;
  return 1 - ((at::arange(rotary_size / 2, options) - from) / (to - from)).clamp(0, 1);
}

at::Tensor llama3_kept(const at::Tensor& frequency, const RotaryScaling& s) {
  const at::Tensor turns = s.original_positions / (2 * std::numbers::pi / frequency);
  return ((turns - s.low) / (s.high - s.low)).clamp(0, 1);
}

/// Whether each pair begins at an even place of the memory, as complex numbers do.
bool pairs_are_aligned(const at::Tensor& x) {
  bool even = x.storage_offset() % 2 == 0;
  for (std::int64_t axis = 0; axis + 1 < x.dim(); ++axis) even = even && x.stride(axis) % 2 == 0;
  return even;
}

at::Tensor rotate_plain(const at::Tensor& x_BHTR, const Angles& angles, RotaryPairs pairs) {
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

}  // namespace

at::Tensor rotary_frequencies(std::int64_t rotary_size, double base, const RotaryScaling& scaling, at::Device device) {
  const at::TensorOptions options = at::TensorOptions().dtype(at::kFloat).device(device);
  const at::Tensor exponent = at::arange(0, rotary_size, 2, options) / static_cast<double>(rotary_size);
  const at::Tensor power = at::pow(at::scalar_tensor(base, options), exponent);
  const at::Tensor frequency = 1.0 / power;
  if (scaling.kind == RotaryScaling::Kind::none) return frequency;
  if (scaling.kind == RotaryScaling::Kind::linear) return frequency / scaling.factor;
  const bool yarn = scaling.kind == RotaryScaling::Kind::yarn;
  const at::Tensor kept = yarn ? yarn_kept(rotary_size, base, scaling, options) : llama3_kept(frequency, scaling);
  const at::Tensor stretched = yarn ? 1.0 / (scaling.factor * power) : frequency / scaling.factor;
  return stretched * (1 - kept) + frequency * kept;
}

Angles rotary_angles(const at::Tensor& positions_BT, std::int64_t rotary_size, double base,
                     const RotaryScaling& scaling) {
  const at::Tensor frequency = rotary_frequencies(rotary_size, base, scaling, positions_BT.device());
  const at::Tensor angle = positions_BT.to(at::kFloat).unsqueeze(-1) * frequency;
  Angles angles{angle.cos().unsqueeze(1), angle.sin().unsqueeze(1)};
  if (scaling.angle_factor == 1) return angles;
  return {angles.cos * scaling.angle_factor, angles.sin * scaling.angle_factor};
}

at::Tensor rotate(const at::Tensor& x_BHTR, const Angles& angles, RotaryPairs pairs) {
  // Neighbours are complex numbers, turned by one product; on a GPU that is a third of the passes over the
  // memory. The CPU takes the plain twin, which the GPU is held against.
  const bool complex = pairs == RotaryPairs::neighbours && x_BHTR.is_cuda() && x_BHTR.stride(-1) == 1;
  if (!complex) return rotate_plain(x_BHTR, angles, pairs);
  at::Tensor x = x_BHTR.to(at::kFloat);
  if (!pairs_are_aligned(x)) x = x.contiguous();
  const at::Tensor z = at::view_as_complex(x.unflatten(-1, {x.size(-1) / 2, 2}));
  return at::view_as_real(z * at::complex(angles.cos, angles.sin)).flatten(-2).to(x_BHTR.scalar_type());
}

}  // namespace filigree::nn
