#include <limits>

#include <ATen/ATen.h>

#include "nn/attention.h"

namespace filigree::nn {

at::Tensor attend_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                            const at::Tensor& allowed) {
  const std::int64_t groups = k.size(1), queries = q.size(2), keys = k.size(2);
  // Heads of a group stand as further queries of one key head, so that keys are not repeated.
  const std::int64_t share = q.size(1) / groups;
  const at::Tensor grouped = q.reshape({q.size(0), groups, share, queries, q.size(3)});
  at::Tensor score = at::matmul(grouped, k.unsqueeze(2).transpose(-1, -2)) * scale;
  // In float32 at least.
  if (score.scalar_type() != at::kDouble) score = score.to(at::kFloat);
  if (allowed.defined() || queries > 1) {
    const at::TensorOptions mask = at::TensorOptions().dtype(at::kBool).device(q.device());
    const at::Tensor seen =
        allowed.defined() ? allowed.unsqueeze(2) : at::ones({queries, keys}, mask).tril(keys - queries);
    score = score.masked_fill(seen.logical_not(), -std::numeric_limits<double>::infinity());
  }
  const at::Tensor weight = at::softmax(score, -1).to(v.scalar_type());
  return at::matmul(weight, v.unsqueeze(2)).reshape({q.size(0), q.size(1), queries, v.size(3)});
}

}  // namespace filigree::nn
