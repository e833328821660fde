#include "nn/attention.h"

#include <cmath>

#include <ATen/ATen.h>

#include "base/error.h"
#include "nn/grouped_query_attention.h"
#include "nn/latent_attention.h"

namespace filigree::nn {

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                  const at::Tensor& allowed) {
  const std::int64_t groups = k.size(1), queries = q.size(2), keys = k.size(2);
  // Heads of a group stand as further queries of one key head, so that keys are not repeated.
  const std::int64_t share = q.size(1) / groups;
  const at::Tensor grouped = q.reshape({q.size(0), groups, share, queries, q.size(3)});
  at::Tensor score = at::matmul(grouped, k.unsqueeze(2).transpose(-1, -2)) * scale;
  at::Tensor seen = allowed;
  if (!seen.defined()) {
    seen = at::ones({queries, keys}, at::TensorOptions().dtype(at::kBool).device(q.device())).tril(keys - queries);
  } else {
    seen = seen.unsqueeze(2);
  }
  score = score.to(at::kFloat).masked_fill(seen.logical_not(), -std::numeric_limits<float>::infinity());
  const at::Tensor weight = at::softmax(score, -1).to(v.scalar_type());
  return at::matmul(weight, v.unsqueeze(2)).reshape({q.size(0), q.size(1), queries, v.size(3)});
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
