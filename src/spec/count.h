#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "spec/dit.h"
#include "spec/model.h"

/// Parameters and operations, counted from the specification alone.
namespace filigree::spec {

/// Every layer of the main model in order, the alternation of windows included. Multi-token-prediction modules are not
/// among them; each holds one more layer of the last kind.
std::vector<LayerKind> layer_kinds(const Model& model);

/// Parameters of one layer by module. Norms inside attention (of latents, queries and keys) count as attention.
struct LayerCount {
  std::int64_t attention = 0;
  std::int64_t mamba = 0;
  std::int64_t norms = 0;
  std::int64_t dense = 0;
  std::int64_t router = 0;
  std::int64_t shared = 0;   ///< shared experts with their gate
  std::int64_t experts = 0;  ///< all routed experts

  std::int64_t total() const { return attention + mamba + norms + dense + router + shared + experts; }

  /// What one token uses: top_k of the routed experts, all of the rest.
  std::int64_t active(const Experts* of) const {
    return of == nullptr ? total() : total() - experts + experts / of->routed * of->top_k;
  }
};

LayerCount count_layer(const Model& model, LayerKind kind);

/// One multi-token-prediction module as in DeepSeek-V3 (arXiv 2412.19437 §2.2): projection 2·hidden → hidden, a norm
/// before it for each of its two inputs, one layer of the last kind, and a last norm. Embedding and head are the model's.
std::int64_t count_mtp_module(const Model& model);

struct ModuleCount {
  std::string name;
  std::int64_t total = 0;
  std::int64_t active = 0;
};

/// Parameters of a whole model. `total` is the main model: the head counts, multi-token prediction does not. `active` is
/// what one token uses, as the field counts it: the head counts, the input embedding does not (a look-up; a tied
/// embedding counts once, as the head).
struct Count {
  std::vector<ModuleCount> modules;  ///< adds up to `total` and `active`
  std::int64_t embedding = 0;        ///< with learned positions
  std::int64_t head = 0;             ///< 0 where the embedding is tied
  std::int64_t final_norm = 0;
  std::int64_t mtp = 0;  ///< all multi-token-prediction modules, in addition to `total`
  std::int64_t total = 0;
  std::int64_t active = 0;
};

Count count(const Model& model);

/// The diffusion transformer; `active` counts the routed experts that one token uses and everything else in full.
Count count(const Dit& dit);

struct TensorInfo {
  std::string name;
  std::vector<std::int64_t> shape;

  std::int64_t size() const;
};

/// Every tensor of the published checkpoint by its name, in the order of the modules (huggingface/diffusers:
/// models/transformers/transformer_hidream_image.py). HiDream-I1 has 1,615.
std::vector<TensorInfo> dit_tensors(const Dit& dit);

/// Width of a gated feed-forward of nominal width `nominal`: two thirds of it, rounded up to a multiple of 256
/// (HiDream-I1's feed-forward).
std::int64_t dit_feed_forward_width(std::int64_t nominal);

/// Operations of a forward pass; a multiply-add is two.
struct Flops {
  double matrix = 0;     ///< products with parameters
  double attention = 0;  ///< scores and weighted values, or the state-space scan: what depends on other tokens

  double total() const { return matrix + attention; }
  Flops& operator+=(const Flops& other) {
    matrix += other.matrix;
    attention += other.attention;
    return *this;
  }
};

/// One layer, forward, per token of a sequence of `seq` tokens. Causal attention counts the half of the scores that is
/// needed, a window only what it sees; experts count top_k. Norms, biases and activations are left out. The Mamba-2 scan
/// counts 7·heads·head_dim·state as NVIDIA/Megatron-LM: training/training.py does.
Flops layer_flops(const Model& model, LayerKind kind, double seq);

/// The output head, forward, per token.
Flops head_flops(const Model& model);

/// One multi-token-prediction module with its pass through the head, forward, per token.
Flops mtp_flops(const Model& model, double seq);

/// The whole model, forward, per token: layers, head and multi-token prediction. The embedding is a look-up.
Flops forward_flops(const Model& model, double seq);

/// 3 × forward_flops (the backward pass is twice the forward; recomputation does not count). Every MFU shown is
///     MFU = model_flops_per_token · tokens per second and device / dense peak of the matrix dtype.
double model_flops_per_token(const Model& model, double seq);

/// The diffusion transformer, forward, for one sample of `image_tokens` patches, where each text encoder gives
/// `text_tokens` tokens; every block sees three such texts (T5, the last Llama layer, the block's Llama layer), and its
/// attention is not causal.
Flops forward_flops(const Dit& dit, double image_tokens, double text_tokens = 128);

/// 3 × forward_flops.
double model_flops_per_sample(const Dit& dit, double image_tokens, double text_tokens = 128);

}  // namespace filigree::spec
