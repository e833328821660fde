#pragma once

#include "nn/attention.h"

namespace filigree::nn {

/// Multi-head latent attention. With N the part of a query that does not turn and V the size of a value:
///
///     1. q_TH(N+R) = W_qb norm(W_qa x), or W_q x where there is no query latent
///     2. (c_TC, k'_TR) = W_kva x;  c = norm(c)
///     3. (k_THN, v_THV) = W_kvb c
///     4. the R parts of q and k' are turned; k' is shared by all heads
///     5. y = W_o attend([q_N, q_R], [k_N, k'], v)
///
/// The cache holds c and k' alone. In the absorbed form step 3 is never made for cached tokens: W_kvb's two halves are
/// applied to the query and to the result instead, q_N^T W_k c and W_v (Σ weight c).
class LatentAttention : public Attention {
 public:
  LatentAttention(const spec::Attention& sizes, std::int64_t hidden, const AttentionSettings& settings,
                  const at::TensorOptions& options);

  at::Tensor operator()(const at::Tensor& x_BTD, const AttentionContext& context) const override;
  AttentionCache make_cache(std::int64_t batch, std::int64_t room, const at::TensorOptions& options) const override;
  std::int64_t rotary_size() const override { return rotary_; }
  void list(Parameters& out, const std::string& prefix) override;

 private:
  at::Tensor queries(const at::Tensor& x_BTD, const Angles& angles) const;
  at::Tensor expanded(const at::Tensor& q_BHTK, const at::Tensor& latent_BSC, const at::Tensor& key_BSR,
                      const at::Tensor& allowed) const;
  at::Tensor absorbed(const at::Tensor& q_BHTK, const at::Tensor& latent_BSC, const at::Tensor& key_BSR,
                      const at::Tensor& allowed) const;

  std::int64_t heads_, plain_, rotary_, value_, latent_;
  double scale_;
  RotaryPairs pairs_;
  Linear q_, q_a_, q_b_, kv_a_, kv_b_, out_;
  RmsNorm q_norm_, kv_norm_;
};

}  // namespace filigree::nn
