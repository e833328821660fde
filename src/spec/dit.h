#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/visit.h"

/// The sparse diffusion transformer of HiDream-I1 (arXiv 2505.22705; HiDream-ai/HiDream-I1:
/// hi_diffusers/models/transformers/transformer_hidream_image.py), with the names of its published config.
namespace filigree::spec {

struct Dit {
  std::int64_t patch_size = 2;
  std::int64_t in_channels = 0;
  std::int64_t out_channels = 0;
  std::int64_t num_layers = 0;         ///< dual-stream blocks
  std::int64_t num_single_layers = 0;  ///< single-stream blocks
  std::int64_t attention_head_dim = 0;
  std::int64_t num_attention_heads = 0;
  std::vector<std::int64_t> caption_channels;  ///< [T5, Llama]
  std::int64_t text_emb_dim = 0;
  std::int64_t num_routed_experts = 0;
  std::int64_t num_activated_experts = 0;
  std::vector<std::int64_t> axes_dims_rope;
  std::vector<std::int64_t> max_resolution;
  std::vector<std::int64_t> llama_layers;
  bool force_inference_output = false;

  std::int64_t hidden() const { return attention_head_dim * num_attention_heads; }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("patch_size", self.patch_size, "latent cells a side of one token", at_least(1));
    v.required("in_channels", self.in_channels, "latent channels", at_least(1));
    v.required("out_channels", self.out_channels, "latent channels out", at_least(1));
    v.required("num_layers", self.num_layers, "dual-stream blocks", non_negative);
    v.required("num_single_layers", self.num_single_layers, "single-stream blocks", non_negative);
    v.required("attention_head_dim", self.attention_head_dim, "size of a head", at_least(1));
    v.required("num_attention_heads", self.num_attention_heads, "heads", at_least(1));
    v.required("caption_channels", self.caption_channels, "width of the T5 and Llama features", at_least(1));
    v.required("text_emb_dim", self.text_emb_dim, "width of the pooled text", at_least(1));
    v.required("num_routed_experts", self.num_routed_experts, "experts a block", at_least(1));
    v.required("num_activated_experts", self.num_activated_experts, "experts a token uses", at_least(1));
    v.optional("axes_dims_rope", self.axes_dims_rope, "rotary dimensions by axis", non_negative);
    v.required("max_resolution", self.max_resolution, "largest latent height and width", at_least(1));
    v.optional("llama_layers", self.llama_layers, "which Llama layer feeds which block", non_negative);
    v.optional("force_inference_output", self.force_inference_output, "use the inference routing while training");
  }
};

}  // namespace filigree::spec
