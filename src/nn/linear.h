#pragma once

#include "nn/parameters.h"

namespace filigree::nn {

/// y = x W^T + b. O outputs, I inputs.
struct Linear {
  at::Tensor weight_OI;
  at::Tensor bias_O;  ///< undefined: none

  Linear() = default;
  Linear(std::int64_t inputs, std::int64_t outputs, bool bias, const at::TensorOptions& options);

  at::Tensor operator()(const at::Tensor& x) const;
  void list(Parameters& out, const std::string& prefix);
};

/// y = w ⊙ x / sqrt(mean(x²) + eps) over the last axis, computed in float32; in one kernel where there is one
/// (nn/rms_norm_fused.h).
struct RmsNorm {
  at::Tensor weight_D;
  double eps = 1e-5;

  RmsNorm() = default;
  RmsNorm(std::int64_t size, double eps, const at::TensorOptions& options);

  at::Tensor operator()(const at::Tensor& x) const;

  /// The plain twin: step by step.
  at::Tensor reference(const at::Tensor& x) const;
  void list(Parameters& out, const std::string& prefix);
};

/// w_down (silu(w_gate x) ⊙ w_up x).
struct SwiGlu {
  Linear gate, up, down;

  SwiGlu() = default;
  SwiGlu(std::int64_t hidden, std::int64_t width, const at::TensorOptions& options);

  at::Tensor operator()(const at::Tensor& x) const;
  void list(Parameters& out, const std::string& prefix);
};

}  // namespace filigree::nn
