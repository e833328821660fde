#pragma once

#include "encoders/folder.h"

namespace filigree::encoders {

/// How Llama 3.1 stretches slow rotations (huggingface/transformers: modeling_rope_utils.py, "llama3"): frequencies with
/// a wavelength beyond original / low are divided by the factor, those below original / high stay, and those between are
/// mixed.
struct RopeScaling {
  double factor = 1, low = 1, high = 4, original = 8192;
};

/// The frequencies of the R/2 pairs, float64, stretched.
at::Tensor rotary_frequencies(std::int64_t rotary_size, double base, const RopeScaling& scaling);

/// Llama as a text encoder: the states after every layer (huggingface/transformers: models/llama/modeling_llama.py).
/// B texts, T tokens, D channels, L layers.
class LlamaEncoder {
 public:
  LlamaEncoder(const std::filesystem::path& folder, const at::TensorOptions& options);

  std::int64_t hidden() const { return hidden_; }
  std::int64_t layers() const { return layers_; }

  /// (L, B, T, D); the last of the L behind the final norm. Positions count from 0 in each text; mask_BT (bool) hides
  /// keys, and a text's first token must not be hidden.
  at::Tensor operator()(const at::Tensor& ids_BT, const at::Tensor& mask_BT) const;

 private:
  struct Context;
  at::Tensor normalize(const at::Tensor& x_BTD, const std::string& name) const;
  at::Tensor attention(const at::Tensor& x_BTD, const Context& context, const std::string& prefix) const;
  at::Tensor forward(const at::Tensor& x_BTD, const std::string& prefix) const;

  Folder folder_;
  std::int64_t layers_, hidden_, heads_, groups_, head_size_, width_, vocabulary_;
  double eps_, base_;
  RopeScaling scaling_;
};

}  // namespace filigree::encoders
