#include <ATen/ATen.h>

#include "nn/attention_fused.h"

/// For LibTorch from 2.5 on.
namespace filigree::nn {

at::Tensor attend_fused(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale) {
  const bool here = q.is_cuda() || (q.is_cpu() && q.size(3) == v.size(3));
  if (!here || q.size(2) != k.size(2) || q.size(2) < 2) return {};
  const bool shared_keys = q.size(1) != k.size(1);
  return at::scaled_dot_product_attention(q, k, v, {}, 0.0, true, scale, shared_keys);
}

}  // namespace filigree::nn
