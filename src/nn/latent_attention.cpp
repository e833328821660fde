#include "nn/latent_attention.h"

#include <cmath>

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::nn {

LatentAttention::LatentAttention(const spec::Attention& sizes, std::int64_t hidden, const AttentionSettings& settings,
                                 const at::TensorOptions& options)
    : heads_(sizes.heads),
      plain_(sizes.head_dim - sizes.rope_head_dim),
      rotary_(sizes.rope_head_dim),
      value_(sizes.v_head_dim),
      latent_(sizes.kv_lora_rank),
      scale_(settings.score_scale > 0 ? settings.score_scale : 1 / std::sqrt(static_cast<double>(sizes.head_dim))),
      pairs_(settings.pairs),
      kv_a_(hidden, latent_ + rotary_, sizes.qkv_bias, options),
      kv_b_(latent_, heads_ * (plain_ + value_), false, options),
      out_(heads_ * value_, hidden, sizes.output_bias, options),
      kv_norm_(latent_, settings.norm_eps, options) {
  FILIGREE_ASSERT(plain_ > 0 && rotary_ > 0 && rotary_ % 2 == 0);
  if (sizes.q_lora_rank > 0) {
    q_a_ = Linear(hidden, sizes.q_lora_rank, sizes.qkv_bias, options);
    q_norm_ = RmsNorm(sizes.q_lora_rank, settings.norm_eps, options);
    q_b_ = Linear(sizes.q_lora_rank, heads_ * sizes.head_dim, false, options);
  } else {
    q_ = Linear(hidden, heads_ * sizes.head_dim, false, options);
  }
}

at::Tensor LatentAttention::queries(const at::Tensor& x_BTD, const Angles& angles) const {
  const at::Tensor flat = q_.weight_OI.defined() ? q_(x_BTD) : q_b_(q_norm_(q_a_(x_BTD)));
  const at::Tensor q = flat.unflatten(-1, {heads_, plain_ + rotary_}).transpose(1, 2);
  return at::cat({q.narrow(-1, 0, plain_), rotate(q.narrow(-1, plain_, rotary_), angles, pairs_)}, -1);
}

at::Tensor LatentAttention::expanded(const at::Tensor& q_BHTK, const at::Tensor& latent_BSC, const at::Tensor& key_BSR,
                                     const at::Tensor& allowed) const {
  const at::Tensor kv = kv_b_(latent_BSC).unflatten(-1, {heads_, plain_ + value_}).transpose(1, 2);
  const at::Tensor shared = key_BSR.unsqueeze(1).expand({-1, heads_, -1, -1});
  const at::Tensor k = at::cat({kv.narrow(-1, 0, plain_), shared}, -1);
  return attend(q_BHTK, k, kv.narrow(-1, plain_, value_), scale_, allowed);
}

at::Tensor LatentAttention::absorbed(const at::Tensor& q_BHTK, const at::Tensor& latent_BSC, const at::Tensor& key_BSR,
                                     const at::Tensor& allowed) const {
  const at::Tensor weight_HOC = kv_b_.weight_OI.view({heads_, plain_ + value_, latent_});
  const at::Tensor q_latent = at::matmul(q_BHTK.narrow(-1, 0, plain_), weight_HOC.narrow(1, 0, plain_));
  const at::Tensor q = at::cat({q_latent, q_BHTK.narrow(-1, plain_, rotary_)}, -1);
  const at::Tensor k = at::cat({latent_BSC, key_BSR}, -1).unsqueeze(1);
  const at::Tensor mixed_BHTC = attend(q, k, latent_BSC.unsqueeze(1), scale_, allowed);
  return at::matmul(mixed_BHTC, weight_HOC.narrow(1, plain_, value_).transpose(1, 2));
}

at::Tensor LatentAttention::operator()(const at::Tensor& x_BTD, const AttentionContext& context) const {
  const at::Tensor q = queries(x_BTD, context.angles);
  const at::Tensor compressed = kv_a_(x_BTD);
  at::Tensor latent = kv_norm_(compressed.narrow(-1, 0, latent_));
  at::Tensor key = rotate(compressed.narrow(-1, latent_, rotary_).unsqueeze(1), context.angles, pairs_).squeeze(1);
  if (context.cache != nullptr) context.cache->extend(context.start, latent, key);
  const bool short_form = context.cache != nullptr && context.absorbed;
  const at::Tensor y =
      short_form ? absorbed(q, latent, key, context.allowed_B1TS) : expanded(q, latent, key, context.allowed_B1TS);
  return out_(y.transpose(1, 2).flatten(-2));
}

AttentionCache LatentAttention::make_cache(std::int64_t batch, std::int64_t room,
                                           const at::TensorOptions& options) const {
  return {at::zeros({batch, room, latent_}, options), at::zeros({batch, room, rotary_}, options)};
}

void LatentAttention::list(Parameters& out, const std::string& prefix) {
  if (q_.weight_OI.defined()) {
    q_.list(out, prefix + ".q_proj");
  } else {
    q_a_.list(out, prefix + ".q_a_proj");
    q_norm_.list(out, prefix + ".q_a_layernorm");
    q_b_.list(out, prefix + ".q_b_proj");
  }
  kv_a_.list(out, prefix + ".kv_a_proj_with_mqa");
  kv_norm_.list(out, prefix + ".kv_a_layernorm");
  kv_b_.list(out, prefix + ".kv_b_proj");
  out_.list(out, prefix + ".o_proj");
}

}  // namespace filigree::nn
