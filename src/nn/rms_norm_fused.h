#pragma once

#include <ATen/core/Tensor.h>

namespace filigree::nn {

/// RmsNorm's formula and its gradient in one kernel each, on CUDA; the product with the weight is in float32 too.
/// Undefined where this build (LibTorch before 2.11) or device has none.
at::Tensor rms_norm_fused(const at::Tensor& x, const at::Tensor& weight_D, double eps);

}  // namespace filigree::nn
