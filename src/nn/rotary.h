#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

/// Rotary position embedding (arXiv 2104.09864).
namespace filigree::nn {

/// Which numbers turn together: neighbours (2i, 2i + 1), or halves (i, i + R/2) as in Llama.
enum class RotaryPairs { neighbours, halves };

/// Cosines and sines for some positions, (B, 1, T, R/2) float32.
struct Angles {
  at::Tensor cos, sin;
};

/// Angle of pair i at position p: p / base^(2i / R), in float32 as published code has it.
Angles rotary_angles(const at::Tensor& positions_BT, std::int64_t rotary_size, double base);

/// Turns the last axis (size R) of x_BHTR. The result has x's dtype.
at::Tensor rotate(const at::Tensor& x_BHTR, const Angles& angles, RotaryPairs pairs);

}  // namespace filigree::nn
