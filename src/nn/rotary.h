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

/// How a model that was trained on few positions is carried on to more. With f = 1 / base^(2i / R) of pair i:
///
///     linear: f / factor
///     llama3: f / factor for wavelengths 2π / f above original / low, f for those below original / high, and between
///             them (1 - s) f / factor + s f with s = (original f / 2π - low) / (high - low)
///     yarn:   (1 - k) f / factor + k f with k = 1 - clamp((i - a) / (b - a), 0, 1), a and b being the pairs that turn
///             beta_fast and beta_slow times within the original positions, R ln(original / (2π beta)) / (2 ln base)
///             (arXiv 2309.00071 §3.2)
struct RotaryScaling {
  enum class Kind { none, linear, llama3, yarn };
  Kind kind = Kind::none;
  double factor = 1;
  double original_positions = 0;
  double low = 1, high = 4;
  double beta_fast = 32, beta_slow = 1;
  bool whole_pairs = true;   ///< a is rounded down and b up
  double angle_factor = 1;   ///< on cosines and sines
  double latent_factor = 1;  ///< on the scores of latent attention, beside 1 / sqrt(head_dim)
};

/// Turns of pair i by one position, (R/2) float32.
at::Tensor rotary_frequencies(std::int64_t rotary_size, double base, const RotaryScaling& scaling, at::Device device);

/// Angle of pair i at position p: p / base^(2i / R), in float32 as published code has it, or as scaled.
Angles rotary_angles(const at::Tensor& positions_BT, std::int64_t rotary_size, double base,
                     const RotaryScaling& scaling = {});

/// Turns the last axis (size R) of x_BHTR. The result has x's dtype.
at::Tensor rotate(const at::Tensor& x_BHTR, const Angles& angles, RotaryPairs pairs);

}  // namespace filigree::nn
