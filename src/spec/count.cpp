#include "spec/count.h"

#include "base/error.h"

namespace filigree::spec {
namespace {

/// Matrices of a feed-forward: in and out, and a gate.
std::int64_t num_matrices(FeedForwardKind kind) { return kind == FeedForwardKind::swiglu ? 3 : 2; }

std::int64_t norm_size(const Model& model) { return model.layer_norm ? 2 * model.hidden : model.hidden; }

std::int64_t count_feed_forward(const Model& model, std::int64_t width, bool bias) {
  const std::int64_t matrices = num_matrices(model.feed_forward);
  return matrices * model.hidden * width + (bias ? (matrices - 1) * width + model.hidden : 0);
}

std::int64_t count_latent_attention(const Model& model) {
  const Attention& a = model.attention;
  const std::int64_t queries = a.heads * a.head_dim;
  const std::int64_t compressed = a.kv_lora_rank + a.rope_head_dim;
  const std::int64_t q = a.q_lora_rank > 0 ? model.hidden * a.q_lora_rank + a.q_lora_rank + a.q_lora_rank * queries
                                           : model.hidden * queries;
  const std::int64_t kv = model.hidden * compressed + a.kv_lora_rank +
                          a.kv_lora_rank * a.heads * (a.head_dim - a.rope_head_dim + a.v_head_dim);
  // Biases stand on the down-projections only.
  const std::int64_t bias = a.qkv_bias ? a.q_lora_rank + compressed : 0;
  return q + kv + bias + a.heads * a.v_head_dim * model.hidden + (a.output_bias ? model.hidden : 0);
}

std::int64_t count_attention(const Model& model) {
  const Attention& a = model.attention;
  if (a.latent()) return count_latent_attention(model);
  const std::int64_t qkv = a.heads * a.head_dim + a.kv_heads * (a.head_dim + a.v_head_dim);
  std::int64_t sum = model.hidden * qkv + a.heads * a.v_head_dim * model.hidden;
  if (a.qkv_bias) sum += qkv;
  if (a.output_bias) sum += model.hidden;
  if (a.qk_norm) sum += 2 * a.head_dim;
  if (a.sinks) sum += a.heads;
  return sum;
}

/// Projections in (gate, x, B, C, time step) and out, convolution with its bias, A, D and time-step bias of every head,
/// and the gated norm.
std::int64_t count_mamba(const Model& model) {
  const Mamba& m = *model.mamba;
  const std::int64_t inner = m.heads * m.head_dim;
  const std::int64_t convolved = inner + 2 * m.groups * m.state;
  return model.hidden * (inner + convolved + m.heads) + convolved * (m.convolution + 1) + 3 * m.heads + inner +
         inner * model.hidden;
}

LayerKind pattern_kind(const Model& model, char letter) {
  switch (letter) {
    case 'M':
      return {Mixer::mamba, FeedForward::none};
    case 'E':
      return {Mixer::none, FeedForward::experts};
    case '*':
      return {Mixer::attention, FeedForward::none};
    case '-':
      return {Mixer::none, FeedForward::dense};
    default:
      fail("{}: layer_pattern has '{}'; it takes M (Mamba-2), E (experts), * (attention) and - (dense)", model.name,
           letter);
  }
}

void add_module(Count& count, const std::string& name, std::int64_t total, std::int64_t active) {
  if (total > 0 || active > 0) count.modules.push_back({name, total, active});
}

}  // namespace

std::vector<LayerKind> layer_kinds(const Model& model) {
  std::vector<LayerKind> kinds;
  kinds.reserve(static_cast<std::size_t>(model.layers));
  for (const char letter : model.layer_pattern) kinds.push_back(pattern_kind(model, letter));
  if (!kinds.empty()) return kinds;
  const Attention& a = model.attention;
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const bool full = a.window == 0 || (a.window_period > 0 && (i + 1) % a.window_period == 0);
    const bool sparse =
        model.experts && i >= model.dense_prefix && (i - model.dense_prefix + 1) % model.expert_period == 0;
    kinds.push_back(
        {full ? Mixer::attention : Mixer::window_attention, sparse ? FeedForward::experts : FeedForward::dense});
  }
  return kinds;
}

LayerCount count_layer(const Model& model, LayerKind kind) {
  LayerCount count;
  const std::int64_t sublayers = (kind.mixer != Mixer::none) + (kind.feed_forward != FeedForward::none);
  count.norms = sublayers * norm_size(model) * (model.sandwich_norm ? 2 : 1);
  if (kind.mixer == Mixer::mamba) {
    FILIGREE_ASSERT(model.mamba.has_value());
    count.mamba = count_mamba(model);
  } else if (kind.mixer != Mixer::none) {
    count.attention = count_attention(model);
  }
  if (kind.feed_forward == FeedForward::dense) {
    count.dense = count_feed_forward(model, model.dense_width, model.feed_forward_bias);
  } else if (kind.feed_forward == FeedForward::experts) {
    FILIGREE_ASSERT(model.experts.has_value());
    const Experts& e = *model.experts;
    count.router = model.hidden * e.routed + (e.router_bias ? e.routed : 0);
    count.experts = e.routed * count_feed_forward(model, e.width, e.bias);
    count.shared = e.shared_width > 0 ? count_feed_forward(model, e.shared_width, false) : 0;
    if (e.shared_gate) count.shared += model.hidden;
  }
  return count;
}

std::int64_t count_mtp_module(const Model& model) {
  return 2 * model.hidden * model.hidden + 3 * norm_size(model) + count_layer(model, layer_kinds(model).back()).total();
}

Count count(const Model& model) {
  LayerCount sum;
  for (const LayerKind kind : layer_kinds(model)) {
    const LayerCount layer = count_layer(model, kind);
    sum.attention += layer.attention;
    sum.mamba += layer.mamba;
    sum.norms += layer.norms;
    sum.dense += layer.dense;
    sum.router += layer.router;
    sum.shared += layer.shared;
    sum.experts += layer.experts;
  }
  const std::int64_t vocabulary = model.vocabulary * model.hidden;
  Count count;
  count.embedding = vocabulary + (model.learned_positions ? model.max_positions * model.hidden : 0);
  count.head = model.tied_embeddings ? 0 : vocabulary;
  count.final_norm = norm_size(model);
  count.mtp = model.mtp_layers > 0 ? model.mtp_layers * count_mtp_module(model) : 0;

  add_module(count, "embedding", count.embedding, 0);
  add_module(count, "attention", sum.attention, sum.attention);
  add_module(count, "mamba", sum.mamba, sum.mamba);
  add_module(count, "norms", sum.norms, sum.norms);
  add_module(count, "dense feed-forward", sum.dense, sum.dense);
  add_module(count, "router", sum.router, sum.router);
  add_module(count, "shared experts", sum.shared, sum.shared);
  if (model.experts)
    add_module(count, "routed experts", sum.experts, sum.experts / model.experts->routed * model.experts->top_k);
  add_module(count, "final norm", count.final_norm, count.final_norm);
  add_module(count, "head", count.head, vocabulary);
  for (const ModuleCount& module : count.modules) {
    count.total += module.total;
    count.active += module.active;
  }
  return count;
}

}  // namespace filigree::spec
