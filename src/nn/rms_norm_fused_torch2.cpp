#include <ATen/ATen.h>

#include "nn/rms_norm_fused.h"

/// For LibTorch from 2.11 on.
namespace filigree::nn {

at::Tensor rms_norm_fused(const at::Tensor& x, const at::Tensor& weight_D, double eps) {
  if (!x.is_cuda() || x.scalar_type() != weight_D.scalar_type()) return {};
  return at::rms_norm(x, weight_D.sizes(), weight_D, eps);
}

}  // namespace filigree::nn
