#pragma once

#include "encoders/folder.h"

namespace filigree::encoders {

/// T5's encoder, version 1.1 (huggingface/transformers: models/t5/modeling_t5.py): attention without a scale, with a
/// learned bias for each bucket of distances, and a gated GELU. B texts, T tokens, D channels.
///
/// Its residual stream overflows in float16, so that this is computed in float32 there.
class T5Encoder {
 public:
  T5Encoder(const std::filesystem::path& folder, const at::TensorOptions& options);

  std::int64_t hidden() const { return hidden_; }

  /// The last hidden state, (B, T, D), also at places that mask_BT (bool) hides as keys.
  at::Tensor operator()(const at::Tensor& ids_BT, const at::Tensor& mask_BT) const;

 private:
  at::Tensor bias_1HTT(std::int64_t tokens) const;
  at::Tensor normalize(const at::Tensor& x_BTD, const std::string& name) const;
  at::Tensor block(const at::Tensor& x_BTD, const at::Tensor& bias_BHTT, const std::string& prefix) const;

  Folder folder_;
  std::int64_t layers_, hidden_, heads_, head_size_, width_, vocabulary_, buckets_, far_;
  double eps_;
};

/// The bucket of each distance key − query for an encoder: half of the buckets for keys behind, half for keys ahead;
/// in each half, the small distances have one each and the others share the rest on a logarithmic scale up to `far`.
std::int64_t distance_bucket(std::int64_t distance, std::int64_t buckets, std::int64_t far);

}  // namespace filigree::encoders
