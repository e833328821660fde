#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/visit.h"

/// What a transformer language model consists of: plain numbers, no behaviour. Counting is in spec/count.h.
namespace filigree::spec {

enum class FeedForwardKind { gelu, relu2, swiglu };  // 2, 2 and 3 matrices

/// Multi-head, grouped-query or (kv_lora_rank > 0) multi-head latent attention.
struct Attention {
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;       ///< equals heads for multi-head and latent attention
  std::int64_t head_dim = 0;       ///< of queries and keys; latent attention: nope + rope
  std::int64_t v_head_dim = 0;     ///< of values
  std::int64_t q_lora_rank = 0;    ///< 0: queries come straight from the hidden state
  std::int64_t kv_lora_rank = 0;   ///< > 0: latent attention
  std::int64_t rope_head_dim = 0;  ///< latent attention: the part of head_dim that all heads' keys share
  std::int64_t window = 0;         ///< sliding window in tokens; 0: full causal
  std::int64_t window_period = 0;  ///< every n-th layer is full and the others have the window; 0: all layers alike
  bool qkv_bias = false;
  bool output_bias = false;
  bool qk_norm = false;  ///< RMSNorm over head_dim of queries and keys
  bool sinks = false;    ///< one learned logit a head

  bool latent() const { return kv_lora_rank > 0; }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("heads", self.heads, "query heads", at_least(1));
    v.required("kv_heads", self.kv_heads, "key/value heads", at_least(1));
    v.required("head_dim", self.head_dim, "size of a query or key head", at_least(1));
    v.required("v_head_dim", self.v_head_dim, "size of a value head", at_least(1));
    v.optional("q_lora_rank", self.q_lora_rank, "rank of the query projection; 0: full", non_negative);
    v.optional("kv_lora_rank", self.kv_lora_rank, "rank of the latent key/value; 0: ordinary attention", non_negative);
    v.optional("rope_head_dim", self.rope_head_dim, "latent attention: rotary part of head_dim", non_negative);
    v.optional("window", self.window, "sliding window, tokens; 0: none", non_negative);
    v.optional("window_period", self.window_period, "every n-th layer is full; 0: all alike", non_negative);
    v.optional("qkv_bias", self.qkv_bias, "biases on query, key and value projections");
    v.optional("output_bias", self.output_bias, "bias on the output projection");
    v.optional("qk_norm", self.qk_norm, "norm over each query and key head");
    v.optional("sinks", self.sinks, "one learned logit a head");
  }
};

struct Experts {
  std::int64_t routed = 0;
  std::int64_t top_k = 0;
  std::int64_t width = 0;         ///< feed-forward width of one routed expert
  std::int64_t shared_width = 0;  ///< of all shared experts together; 0: none
  bool bias = false;              ///< biases inside the experts
  bool router_bias = false;       ///< trained bias (or correction) of `routed` numbers on the router
  bool shared_gate = false;       ///< a hidden → 1 gate on the shared expert

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("routed", self.routed, "number of routed experts", at_least(1));
    v.required("top_k", self.top_k, "experts a token uses", at_least(1));
    v.required("width", self.width, "feed-forward width of one expert", at_least(1));
    v.optional("shared_width", self.shared_width, "width of the shared experts together; 0: none", non_negative);
    v.optional("bias", self.bias, "biases inside the experts");
    v.optional("router_bias", self.router_bias, "bias on the router");
    v.optional("shared_gate", self.shared_gate, "a gate on the shared expert");
  }
};

/// Mamba-2 mixer (arXiv 2405.21060), for hybrid models.
struct Mamba {
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t state = 0;
  std::int64_t groups = 0;
  std::int64_t convolution = 4;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("heads", self.heads, "heads", at_least(1));
    v.required("head_dim", self.head_dim, "size of a head", at_least(1));
    v.required("state", self.state, "size of the state", at_least(1));
    v.required("groups", self.groups, "groups of B and C", at_least(1));
    v.optional("convolution", self.convolution, "kernel of the causal convolution", at_least(1));
  }
};

/// One layer = a mixer and a feed-forward part, either of which may be absent (hybrid models have one a layer).
enum class Mixer { none, attention, window_attention, mamba };
enum class FeedForward { none, dense, experts };
struct LayerKind {
  Mixer mixer = Mixer::attention;
  FeedForward feed_forward = FeedForward::dense;
  bool operator==(const LayerKind&) const = default;
};

struct Model {
  std::string name;
  std::int64_t layers = 0;
  std::int64_t hidden = 0;
  std::int64_t vocabulary = 0;
  Attention attention;
  FeedForwardKind feed_forward = FeedForwardKind::swiglu;
  std::int64_t dense_width = 0;    ///< feed-forward width of dense layers
  std::int64_t dense_prefix = 0;   ///< leading layers that are dense although the model has experts
  std::int64_t expert_period = 1;  ///< after the prefix every n-th layer has experts
  std::optional<Experts> experts;
  std::optional<Mamba> mamba;
  std::string layer_pattern;    ///< hybrid models: M = Mamba-2, E = experts, * = attention, - = dense
  std::int64_t mtp_layers = 0;  ///< multi-token-prediction modules (DeepSeek-V3, arXiv 2412.19437 §2.2)
  std::int64_t max_positions = 0;
  bool learned_positions = false;  ///< GPT: max_positions × hidden trained numbers
  bool tied_embeddings = false;
  bool layer_norm = false;     ///< LayerNorm with a bias (2·hidden) where others have RMSNorm (hidden)
  bool sandwich_norm = false;  ///< a second norm after each sub-layer
  bool feed_forward_bias = false;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "name shown to people");
    v.required("layers", self.layers, "transformer layers, without multi-token prediction", at_least(1));
    v.required("hidden", self.hidden, "hidden size", at_least(1));
    v.required("vocabulary", self.vocabulary, "rows of the embedding", at_least(1));
    v.required("attention", self.attention, "attention of every layer");
    v.optional("feed_forward", self.feed_forward, "gelu, relu2 or swiglu");
    v.optional("dense_width", self.dense_width, "feed-forward width of dense layers", non_negative);
    v.optional("dense_prefix", self.dense_prefix, "leading dense layers", non_negative);
    v.optional("expert_period", self.expert_period, "every n-th layer has experts", at_least(1));
    v.optional("experts", self.experts, "mixture of experts");
    v.optional("mamba", self.mamba, "Mamba-2 mixer of hybrid models");
    v.optional("layer_pattern", self.layer_pattern, "hybrid models: M, E, * and -, one a layer");
    v.optional("mtp_layers", self.mtp_layers, "multi-token-prediction modules", non_negative);
    v.optional("max_positions", self.max_positions, "longest sequence; sizes learned positions", non_negative);
    v.optional("learned_positions", self.learned_positions, "trained position embedding");
    v.optional("tied_embeddings", self.tied_embeddings, "output head is the embedding");
    v.optional("layer_norm", self.layer_norm, "LayerNorm instead of RMSNorm");
    v.optional("sandwich_norm", self.sandwich_norm, "a norm after each sub-layer too");
    v.optional("feed_forward_bias", self.feed_forward_bias, "biases in the dense feed-forward");
  }
};

}  // namespace filigree::spec

template <>
struct filigree::EnumNames<filigree::spec::FeedForwardKind> {
  using E = filigree::spec::FeedForwardKind;
  static constexpr std::array<std::pair<E, std::string_view>, 3> table{
      {{E::gelu, "gelu"}, {E::relu2, "relu2"}, {E::swiglu, "swiglu"}}};
};
