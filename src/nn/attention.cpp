#include "nn/attention.h"

#include <ATen/ATen.h>

#include "base/error.h"
#include "nn/attention_fused.h"
#include "nn/grouped_query_attention.h"
#include "nn/latent_attention.h"

namespace filigree::nn {

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                  const at::Tensor& allowed) {
  if (!allowed.defined()) {
    const at::Tensor y = attend_fused(q, k, v, scale);
    if (y.defined()) return y;
  }
  return attend_reference(q, k, v, scale, allowed);
}

void AttentionCache::extend(std::int64_t start, at::Tensor& new_a, at::Tensor& new_b) {
  const std::int64_t tokens = new_a.size(axis);
  a.narrow(axis, start, tokens).copy_(new_a);
  b.narrow(axis, start, tokens).copy_(new_b);
  new_a = a.narrow(axis, 0, start + tokens);
  new_b = b.narrow(axis, 0, start + tokens);
}

std::unique_ptr<Attention> make_attention(const spec::Attention& sizes, std::int64_t hidden,
                                          const AttentionSettings& settings, const at::TensorOptions& options) {
  if (sizes.window > 0 || sizes.sinks) fail("attention with a window or with sinks cannot be run, only planned");
  if (sizes.latent()) return std::make_unique<LatentAttention>(sizes, hidden, settings, options);
  return std::make_unique<GroupedQueryAttention>(sizes, hidden, settings, options);
}

}  // namespace filigree::nn
