#include <optional>

#include <ATen/ATen.h>

#include "image/joint_attention_fused.h"

/// For LibTorch from 2.5 on.
namespace filigree::image {

at::Tensor attend_all_fused(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias_S) {
  std::optional<at::Tensor> bias;
  if (bias_S.defined()) bias = bias_S.to(q.scalar_type()).view({1, 1, 1, -1});
  return at::scaled_dot_product_attention(q, k, v, bias);
}

}  // namespace filigree::image
