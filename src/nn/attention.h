#pragma once

#include <memory>
#include <optional>

#include "nn/linear.h"
#include "nn/rotary.h"
#include "spec/model.h"

/// Causal self-attention, in two kinds: multi-head latent (DeepSeek-V2, arXiv 2405.04434 §2.1, as openPangu has it) and
/// grouped-query with or without norms of queries and keys (Qwen3, Llama).
///
/// B batch, T new tokens, S all tokens so far, H heads, D hidden, C latent, R rotary part of a head.
namespace filigree::nn {

/// Keys and values of earlier tokens of one layer, in place: room for a fixed number of tokens. What they are is the
/// attention's affair: the latent and the shared rotary key, or the keys and values of all heads.
struct AttentionCache {
  at::Tensor a, b;        ///< (B, room, …) or (B, heads, room, …)
  std::int64_t axis = 1;  ///< that of the room

  /// Stores those of new tokens behind the first `start` ones; they become all so far.
  void extend(std::int64_t start, at::Tensor& new_a, at::Tensor& new_b);
};

/// What a layer's attention needs to know beside its input.
struct AttentionContext {
  Angles angles = {};               ///< of the new tokens
  at::Tensor allowed_B1TS = {};     ///< which keys a query may see; undefined: all up to itself
  AttentionCache* cache = nullptr;  ///< null: no earlier tokens
  std::int64_t start = 0;           ///< tokens in the cache before the new ones
  bool absorbed = true;             ///< latent attention with a cache: products in the latent space
};

/// softmax(q k^T · scale) v with the softmax in float32. q (B, H, T, K), k (B, G, S, K), v (B, G, S, V) with H a multiple
/// of G. `allowed` as in AttentionContext; undefined: the queries are those of the last T keys, and each sees the keys up
/// to its own. In one fused kernel where there is one (nn/attention_fused.h).
at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                  const at::Tensor& allowed);

/// The plain twin: the table of all scores, its softmax, and the product with the values.
at::Tensor attend_reference(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale,
                            const at::Tensor& allowed);

class Attention {
 public:
  virtual ~Attention() = default;
  virtual at::Tensor operator()(const at::Tensor& x_BTD, const AttentionContext& context) const = 0;
  virtual AttentionCache make_cache(std::int64_t batch, std::int64_t room, const at::TensorOptions& options) const = 0;
  virtual std::int64_t rotary_size() const = 0;
  virtual void list(Parameters& out, const std::string& prefix) = 0;
};

/// What is beside the sizes.
struct AttentionSettings {
  double norm_eps = 1e-6;  ///< of the norms inside
  double score_scale = 0;  ///< on q k^T; 0: 1 / sqrt(head_dim)
  RotaryPairs pairs = RotaryPairs::neighbours;
};

std::unique_ptr<Attention> make_attention(const spec::Attention& sizes, std::int64_t hidden,
                                          const AttentionSettings& settings, const at::TensorOptions& options);

}  // namespace filigree::nn
