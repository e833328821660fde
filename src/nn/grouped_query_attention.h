#pragma once

#include "nn/attention.h"

namespace filigree::nn {

/// H query heads that share G key and value heads; RMSNorm over each head of queries and keys where `qk_norm` (Qwen3).
class GroupedQueryAttention : public Attention {
 public:
  GroupedQueryAttention(const spec::Attention& sizes, std::int64_t hidden, const AttentionSettings& settings,
                        const at::TensorOptions& options);

  at::Tensor operator()(const at::Tensor& x_BTD, const AttentionContext& context) const override;
  AttentionCache make_cache(std::int64_t batch, std::int64_t room, const at::TensorOptions& options) const override;
  std::int64_t rotary_size() const override { return size_; }
  void list(Parameters& out, const std::string& prefix) override;

 private:
  std::int64_t heads_, groups_, size_;
  double scale_;
  RotaryPairs pairs_;
  Linear q_, k_, v_, out_;
  RmsNorm q_norm_, k_norm_;
};

}  // namespace filigree::nn
