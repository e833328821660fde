#include "nn/grouped_query_attention.h"

#include <cmath>

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::nn {

GroupedQueryAttention::GroupedQueryAttention(const spec::Attention& sizes, std::int64_t hidden,
                                             const AttentionSettings& settings, const at::TensorOptions& options)
    : heads_(sizes.heads),
      groups_(sizes.kv_heads),
      size_(sizes.head_dim),
      scale_(settings.score_scale > 0 ? settings.score_scale : 1 / std::sqrt(static_cast<double>(sizes.head_dim))),
      pairs_(settings.pairs),
      q_(hidden, heads_ * size_, sizes.qkv_bias, options),
      k_(hidden, groups_ * size_, sizes.qkv_bias, options),
      v_(hidden, groups_ * size_, sizes.qkv_bias, options),
      out_(heads_ * size_, hidden, sizes.output_bias, options) {
  FILIGREE_ASSERT(sizes.v_head_dim == size_ && heads_ % groups_ == 0 && size_ % 2 == 0);
  if (!sizes.qk_norm) return;
  q_norm_ = RmsNorm(size_, settings.norm_eps, options);
  k_norm_ = RmsNorm(size_, settings.norm_eps, options);
}

at::Tensor GroupedQueryAttention::operator()(const at::Tensor& x_BTD, const AttentionContext& context) const {
  at::Tensor q = q_(x_BTD).unflatten(-1, {heads_, size_}), k = k_(x_BTD).unflatten(-1, {groups_, size_});
  if (q_norm_.weight_D.defined()) {
    q = q_norm_(q);
    k = k_norm_(k);
  }
  q = rotate(q.transpose(1, 2), context.angles, pairs_);
  k = rotate(k.transpose(1, 2), context.angles, pairs_);
  at::Tensor v = v_(x_BTD).unflatten(-1, {groups_, size_}).transpose(1, 2);
  if (context.cache != nullptr) context.cache->extend(context.start, k, v);
  return out_(attend(q, k, v, scale_, context.allowed_B1TS).transpose(1, 2).flatten(-2));
}

AttentionCache GroupedQueryAttention::make_cache(std::int64_t batch, std::int64_t room,
                                                 const at::TensorOptions& options) const {
  const at::Tensor empty = at::zeros({batch, groups_, room, size_}, options);
  return {empty, empty.clone(), 2};
}

void GroupedQueryAttention::list(Parameters& out, const std::string& prefix) {
  q_.list(out, prefix + ".q_proj");
  k_.list(out, prefix + ".k_proj");
  v_.list(out, prefix + ".v_proj");
  out_.list(out, prefix + ".o_proj");
  q_norm_.list(out, prefix + ".q_norm");
  k_norm_.list(out, prefix + ".k_norm");
}

}  // namespace filigree::nn
