#include "plan/layer.h"

#include <algorithm>
#include <cmath>

#include "plan/layer_builder.h"
#include "spec/count.h"
#include "spec/resolve.h"

// Shape letters: T tokens of a micro-batch on the device, S the same after sequence parallelism, D hidden, F
// feed-forward width, H heads, E experts, K experts a token.
namespace filigree::plan {
namespace {

using spec::Part;

struct Sizes {
  double tp, cp;
  double T, S;
  double D;
  double e;        // bytes of an activation
  double operand;  // bytes of a saved matrix operand: narrow where products are narrow
};

Sizes sizes(const LayerContext& c) {
  Sizes s{};
  s.tp = static_cast<double>(c.layout.tp);
  s.cp = static_cast<double>(c.layout.cp);
  s.T = device_tokens(c.layout);
  s.S = c.layout.sp ? s.T / s.tp : s.T;
  s.D = static_cast<double>(c.model.hidden);
  s.e = spec::dtype_bytes(c.layout.activation_dtype);
  s.operand = std::min(s.e, c.rates.operand_bytes);
  return s;
}

/// A norm over [S, D]; its output is a matrix operand that is kept.
void add_norm(LayerBuilder& b, const Sizes& s, bool operand_kept) {
  b.part(Part::norms);
  b.element(2 * s.e * s.S * s.D, 3 * s.e * s.S * s.D, 1, 2);
  b.keep_always(s.e * s.S * s.D);  // input: the residual stream
  if (operand_kept) b.keep(Part::norms, s.operand * s.S * s.D);
  b.no_part();
}

/// Dropout (where on) and addition to the residual stream.
void add_residual(LayerBuilder& b, const LayerContext& c, const Sizes& s) {
  const double mask = c.layout.dropout ? 1 : 0;
  b.element((3 * s.e + mask) * s.S * s.D, (2 * s.e + mask) * s.S * s.D, 1, 1);
  b.keep_always(mask * s.S * s.D);
}

/// Bytes of a tensor-parallel collective: an all-reduce's buffer or what an all-gather collects; the same number.
double tensor_bytes(const Sizes& s) { return s.e * s.T * s.D; }

/// Scores, softmax, dropout and weighted values as separate operators: scores go through memory.
void add_unfused_attention(LayerBuilder& b, const LayerContext& c, const Sizes& s) {
  const spec::Attention& a = c.model.attention;
  const double heads = static_cast<double>(a.heads) / s.tp;
  const double seq = static_cast<double>(c.layout.seq);
  const double batch = static_cast<double>(c.layout.mbs) * heads;
  const double scores = batch * seq * seq;
  b.part(Part::attention);
  b.product(Module::attention, seq, seq, static_cast<double>(a.head_dim), batch);
  // Passes over the scores run below a copy's rate; the curve's `unfused` is that share.
  const double pass = scores / c.rates.attention.unfused;
  // The fused scale-mask-softmax kernel takes four heads at a time; otherwise scaling, masking, casts and softmax are
  // kernels of their own (NVIDIA/Megatron-LM: megatron/model/fused_softmax.py).
  const bool fused_softmax = std::fmod(batch, 4.0) == 0;
  const double passes = fused_softmax ? 1 : 5;
  b.element(2 * s.e * pass * passes, 3 * s.e * pass * passes, fused_softmax ? 1 : 6, fused_softmax ? 1 : 5,
            Module::attention);
  b.keep(Part::attention, s.e * scores);
  if (c.layout.dropout) {
    b.element((2 * s.e + 1) * pass, (2 * s.e + 1) * pass, 1, 1, Module::attention);
    b.keep(Part::attention, (s.e + 1) * scores);
  }
  b.product(Module::attention, seq, static_cast<double>(a.v_head_dim), seq, batch);
  // Heads are brought together before the products and apart after them.
  const double qkv = s.T * heads * static_cast<double>(2 * a.head_dim + 2 * a.v_head_dim);
  b.element(2 * s.e * qkv, 2 * s.e * qkv, 3, 3);
  b.keep_always(s.e * s.T * heads * static_cast<double>(a.v_head_dim));  // input of the output projection
  b.no_part();
}

void add_flash_attention(LayerBuilder& b, const LayerContext& c, const Sizes& s, bool windowed) {
  const spec::Attention& a = c.model.attention;
  const double heads = static_cast<double>(a.heads) / s.tp;
  const double kv_heads = std::max(1.0, static_cast<double>(a.kv_heads) / s.tp);
  const double seq = static_cast<double>(c.layout.seq);
  const double batch = static_cast<double>(c.layout.mbs);
  const double qk = static_cast<double>(a.head_dim), vd = static_cast<double>(a.v_head_dim);
  AttentionShape shape{batch * heads, seq / s.cp, seq, qk, vd, 0.5};
  if (c.layout.context == spec::Context::all_to_all) {
    shape.batch = batch * heads / s.cp;
    shape.queries = seq;
  }
  if (windowed && static_cast<double>(a.window) < seq) {
    const double w = static_cast<double>(a.window);
    shape.share = w / seq * (1 - w / (2 * seq));
  }
  b.part(Part::attention);
  b.attention(shape);
  const double kv_bytes = s.e * batch * seq * kv_heads * (qk + vd);
  if (c.layout.cp > 1 && c.layout.context == spec::Context::all_to_all) {
    // q, k, v out and the result back; once more for the gradients.
    b.context_all_to_all(
        {s.e * s.T * heads * qk, s.e * s.T * kv_heads * qk, s.e * s.T * kv_heads * vd, s.e * s.T * heads * vd});
  } else {
    b.context_exchange(kv_bytes, 2 * kv_bytes, attention_forward_seconds(c.rates, shape),
                       attention_backward_seconds(c.rates, shape));
    if (c.layout.cp > 1) {
      // Partial results are merged in float32 after every step of the ring.
      const double merged = 12 * s.T * heads * vd * (s.cp - 1);
      b.element(merged, merged, 2 * (s.cp - 1), 2 * (s.cp - 1), Module::attention);
    }
  }
  b.keep(Part::attention, s.e * s.T * heads * vd + 4 * s.T * heads);
  b.no_part();
}

void add_full_projections(LayerBuilder& b, const LayerContext& c, const Sizes& s) {
  const spec::Attention& a = c.model.attention;
  const double heads = static_cast<double>(a.heads) / s.tp;
  const double kv_heads = std::max(1.0, static_cast<double>(a.kv_heads) / s.tp);
  const double out =
      heads * static_cast<double>(a.head_dim) + kv_heads * static_cast<double>(a.head_dim + a.v_head_dim);
  b.part(Part::qkv_up);
  const double seconds = b.matrix(Module::projections, s.T, out, s.D);
  b.no_part();
  b.tensor_collective(Edge::enter, tensor_bytes(s), seconds);
  b.part(Part::qkv_up);
  const double rotated = s.T * (heads + kv_heads) * static_cast<double>(a.head_dim);
  if (!c.model.learned_positions) b.element(2 * s.e * rotated, 2 * s.e * rotated, 2, 2);
  if (a.qk_norm) {
    b.element(2 * s.e * rotated, 3 * s.e * rotated, 2, 4);
    b.keep(Part::norms, s.e * rotated);
  }
  b.keep(Part::qkv_up, s.e * s.T * out);
  b.no_part();
}

void add_latent_projections(LayerBuilder& b, const LayerContext& c, const Sizes& s) {
  const spec::Attention& a = c.model.attention;
  const double heads = static_cast<double>(a.heads) / s.tp;
  const double q_rank = static_cast<double>(a.q_lora_rank), kv_rank = static_cast<double>(a.kv_lora_rank);
  const double rope = static_cast<double>(a.rope_head_dim), qk = static_cast<double>(a.head_dim);
  const double v = static_cast<double>(a.v_head_dim), nope = qk - rope;
  // Down-projections are not split over tp: each rank computes them for its own tokens.
  if (q_rank > 0) {
    b.matrix(Module::projections, s.S, q_rank, s.D);
    b.element(2 * s.e * s.S * q_rank, 3 * s.e * s.S * q_rank, 1, 2);
    b.keep_always(s.e * s.S * q_rank);
    b.keep(Part::norms, s.operand * s.S * q_rank);
  }
  b.matrix(Module::projections, s.S, kv_rank + rope, s.D);
  b.element(2 * s.e * s.S * kv_rank, 3 * s.e * s.S * kv_rank, 1, 2);
  b.keep_always(s.e * s.S * (kv_rank + rope));
  b.keep(Part::norms, s.operand * s.S * kv_rank);
  b.tensor_collective(Edge::enter, s.e * s.T * (q_rank + kv_rank + rope));
  b.part(Part::qkv_up);
  const double q_in = q_rank > 0 ? q_rank : s.D;
  b.matrix(Module::projections, s.T, heads * qk, q_in);
  b.matrix(Module::projections, s.T, heads * (nope + v), kv_rank);
  // Rotation, and keys put together from their shared rotary and their own part.
  b.element(2 * s.e * s.T * heads * (2 * qk + v), 2 * s.e * s.T * heads * (2 * qk + v), 3, 3);
  b.keep(Part::qkv_up, s.e * s.T * heads * (2 * qk + v));
  b.no_part();
}

void add_attention(LayerBuilder& b, const LayerContext& c, const Sizes& s, bool windowed) {
  const spec::Attention& a = c.model.attention;
  b.half(Half::attention);
  add_norm(b, s, true);
  if (a.latent())
    add_latent_projections(b, c, s);
  else
    add_full_projections(b, c, s);
  if (c.layout.flash_attention)
    add_flash_attention(b, c, s, windowed);
  else
    add_unfused_attention(b, c, s);
  const double inner = static_cast<double>(a.heads) / s.tp * static_cast<double>(a.v_head_dim);
  const double seconds = b.matrix(Module::projections, s.T, s.D, inner);
  if (s.operand < s.e) b.keep_always(s.operand * s.T * inner);
  b.tensor_collective(Edge::leave, tensor_bytes(s), seconds);
  if (c.model.sandwich_norm) add_norm(b, s, false);
  add_residual(b, c, s);
}

/// Mamba-2: one wide projection, a short convolution, the chunked scan, a gated norm and the output projection.
void add_mamba(LayerBuilder& b, const LayerContext& c, const Sizes& s) {
  const spec::Mamba& m = *c.model.mamba;
  const double inner = static_cast<double>(m.heads * m.head_dim) / s.tp;
  const double bc = 2 * static_cast<double>(m.groups * m.state) / s.tp, heads = static_cast<double>(m.heads) / s.tp;
  b.half(Half::attention);
  add_norm(b, s, true);
  b.matrix(Module::mamba, s.T, 2 * inner + bc + heads, s.D);
  b.tensor_collective(Edge::enter, tensor_bytes(s));
  b.keep_always(s.e * s.T * (2 * inner + bc + heads));
  b.element(2 * s.e * s.T * (inner + bc), 4 * s.e * s.T * (inner + bc), 1, 3, Module::mamba);
  // The scan in chunks of 256: within a chunk like attention with `state` as its head size, between chunks a state of
  // head_dim × state a head. Its kernels are bound by memory traffic of intermediate states (arXiv 2405.21060 §6).
  constexpr double kChunk = 256;
  const double states = s.T / kChunk * inner * static_cast<double>(m.state);
  b.element(10 * s.e * s.T * (inner + bc) + 12 * states, 25 * s.e * s.T * (inner + bc) + 30 * states, 5, 12,
            Module::mamba);
  b.keep_always(s.e * s.T * (inner + bc) + 4 * states);
  b.element(3 * s.e * s.T * inner, 6 * s.e * s.T * inner, 1, 2, Module::mamba);
  b.keep_always(2 * s.operand * s.T * inner);
  b.matrix(Module::mamba, s.T, s.D, inner);
  b.tensor_collective(Edge::leave, tensor_bytes(s));
  add_residual(b, c, s);
}

/// A feed-forward of width F over some rows, in `groups` experts of equal size.
struct FeedForwardShape {
  Module module = Module::dense;
  double width = 0;
  double rows = 0;
  double kept_rows = 0;  ///< rows whose activations memory must hold
  double groups = 1;
};

void add_feed_forward(LayerBuilder& b, const LayerContext& c, const Sizes& s, const FeedForwardShape& f) {
  const bool gated = c.model.feed_forward == spec::FeedForwardKind::swiglu;
  const double up = gated ? 2 * f.width : f.width;
  const double each = f.rows / f.groups;
  b.matrix(f.module, each, up, s.D, f.groups);
  b.keep(Part::experts, f.module == Module::experts ? s.e * f.kept_rows * up : 0);
  if (f.module != Module::experts) b.keep_always(s.e * f.kept_rows * up);
  const bool whole_path = f.module == Module::experts && c.layout.recomputes(Part::experts);
  if (!whole_path) b.part(Part::activation);
  b.element(s.e * f.rows * (up + f.width), s.e * f.rows * (2 * up + f.width), 1, 1);
  b.keep(whole_path ? Part::experts : Part::activation, s.operand * f.kept_rows * f.width);
  if (f.module == Module::experts)
    b.part(Part::experts);
  else
    b.no_part();
  b.matrix(f.module, each, s.D, f.width, f.groups);
}

void add_dense(LayerBuilder& b, const LayerContext& c, const Sizes& s) {
  b.half(Half::mlp);
  add_norm(b, s, true);
  const double width = static_cast<double>(c.model.dense_width) / s.tp;
  const double hidden_by = matrix_seconds(c.rates, {s.T, width, s.D, 1, false, s.e});
  b.tensor_collective(Edge::enter, tensor_bytes(s), hidden_by);
  add_feed_forward(b, c, s, {Module::dense, width, s.T, s.T, 1});
  b.tensor_collective(Edge::leave, tensor_bytes(s), hidden_by);
  if (c.model.sandwich_norm) add_norm(b, s, false);
  add_residual(b, c, s);
}

void add_shared(LayerBuilder& b, const LayerContext& c, const Sizes& s) {
  const double width = static_cast<double>(c.model.experts->shared_width) / s.tp;
  LayerCost& cost = b.cost();
  const HalfTime before = cost.mlp;
  b.tensor_collective(Edge::enter, tensor_bytes(s));
  add_feed_forward(b, c, s, {Module::shared, width, s.T, s.T, 1});
  b.tensor_collective(Edge::leave, tensor_bytes(s));
  cost.shared_forward = cost.mlp.forward - before.forward;
  cost.shared_backward = cost.mlp.input + cost.mlp.weight - before.input - before.weight;
}

/// Expert exchange of one direction for `tokens` of this rank.
double exchange_one_way(const LayerContext& c, const Sizes& s, double tokens) {
  ExpertExchange x;
  x.dispatcher = c.layout.dispatcher;
  x.tokens = tokens;
  x.top_k = static_cast<double>(c.model.experts->top_k);
  x.token_bytes = s.D * s.e;
  x.imbalance = c.imbalance;
  x.group = expert_group(c.layout);
  return exchange_seconds(c.network, x);
}

void add_experts(LayerBuilder& b, const LayerContext& c, const Sizes& s) {
  const spec::Experts& x = *c.model.experts;
  const double E = static_cast<double>(x.routed), K = static_cast<double>(x.top_k);
  const double etp = static_cast<double>(c.layout.etp);
  const double ranks = static_cast<double>(spec::expert_ranks(c.layout));
  const double local = E / ranks;
  const double own = s.T / s.tp;  // each tensor rank routes its own tokens
  const double padded = c.layout.capacity_factor > 0 ? c.layout.capacity_factor : 1.0;
  const double rows_mean = own * K * etp * padded;
  const double rows = rows_mean * c.imbalance;
  b.half(Half::mlp);
  add_norm(b, s, true);
  // Scores, top-k, histogram: small kernels.
  b.matrix(Module::router, own, E, s.D);
  b.element(8 * 4 * own * E, 6 * 4 * own * E, 8, 8, Module::router);
  b.keep_always(3 * 4 * own * E);
  if (x.shared_width > 0) add_shared(b, c, s);

  b.part(Part::permute);
  // Rows are gathered one by one, so they move at about half the rate of a copy.
  const double moved = 2 * s.e * s.D * (own + own * K);
  b.element(moved, moved, 2, 2, Module::permute);
  if (ranks > 1 && local > 1) b.element(4 * s.e * s.D * rows, 4 * s.e * s.D * rows, 1, 1, Module::permute);
  b.no_part();
  b.keep(Part::permute, s.operand * s.D * rows_mean * c.memory_imbalance);
  b.cost().exchange_forward = exchange_one_way(c, s, own);
  b.cost().exchange_backward = b.cost().exchange_forward;
  if (c.layout.etp > 1) b.tensor_collective(Edge::enter, s.e * rows * s.D);
  if (c.layout.recomputes(Part::permute)) b.recompute_exchange(b.cost().exchange_forward);

  b.part(Part::experts);
  const double width = static_cast<double>(x.width) / etp;
  const double weight_before = b.cost().mlp.weight;
  add_feed_forward(b, c, s, {Module::experts, width, rows, rows_mean * c.memory_imbalance, local});
  b.cost().expert_weight = b.cost().mlp.weight - weight_before;
  b.no_part();
  if (c.layout.etp > 1) b.tensor_collective(Edge::leave, s.e * rows * s.D);
  b.part(Part::permute);
  if (ranks > 1 && local > 1) b.element(4 * s.e * s.D * rows, 4 * s.e * s.D * rows, 1, 1, Module::permute);
  b.element(moved, moved + s.e * s.D * own * K, 2, 2, Module::permute);
  b.no_part();
  if (c.model.sandwich_norm) add_norm(b, s, false);
  add_residual(b, c, s);
}

/// Parameters of the layer on one device.
void add_parameters(const LayerContext& c, spec::LayerKind kind, LayerCost& cost) {
  const spec::LayerCount count = spec::count_layer(c.model, kind);
  const double tp = static_cast<double>(c.layout.tp);
  double split = static_cast<double>(count.attention + count.mamba + count.dense + count.shared);
  double whole = static_cast<double>(count.norms + count.router);
  if (kind.mixer != spec::Mixer::none && kind.mixer != spec::Mixer::mamba && c.model.attention.latent()) {
    // Latent attention's down-projections stand on every tensor rank.
    const spec::Attention& a = c.model.attention;
    const double down = static_cast<double>(c.model.hidden * (a.q_lora_rank + a.kv_lora_rank + a.rope_head_dim));
    split -= down;
    whole += down;
  }
  cost.dense_parameters = split / tp + whole;
  const double ranks = static_cast<double>(spec::expert_ranks(c.layout) * c.layout.etp);
  cost.expert_parameters = static_cast<double>(count.experts) / ranks;
}

}  // namespace

double device_tokens(const spec::Layout& layout) {
  return static_cast<double>(layout.mbs * layout.seq) / static_cast<double>(layout.cp);
}

RankGroup expert_group(const spec::Layout& layout) {
  // With tensor ranks holding whole experts the group starts at neighbours; otherwise expert ranks stand etp apart.
  if (layout.tp_extends_ep) return {spec::expert_ranks(layout), 1};
  return {layout.ep, layout.etp};
}

LayerCost layer_cost(const LayerContext& c, spec::LayerKind kind) {
  const Sizes s = sizes(c);
  LayerBuilder b(c);
  if (c.layout.recomputes(Part::layer)) b.cost().activation_bytes += s.e * s.S * s.D;
  switch (kind.mixer) {
    case spec::Mixer::none:
      break;
    case spec::Mixer::attention:
      add_attention(b, c, s, false);
      break;
    case spec::Mixer::window_attention:
      add_attention(b, c, s, true);
      break;
    case spec::Mixer::mamba:
      add_mamba(b, c, s);
      break;
  }
  if (kind.feed_forward == spec::FeedForward::dense) add_dense(b, c, s);
  if (kind.feed_forward == spec::FeedForward::experts) add_experts(b, c, s);
  LayerCost cost = b.finish();
  add_parameters(c, kind, cost);
  return cost;
}

LayerCost embedding_cost(const LayerContext& c) {
  const Sizes s = sizes(c);
  LayerBuilder b(c, false);
  b.half(Half::attention);
  const double mask = c.layout.dropout ? 1 : 0;
  b.element(2 * s.e * s.T * s.D, 3 * s.e * s.T * s.D, 3, 4, Module::head);
  b.tensor_collective(Edge::leave, tensor_bytes(s));
  b.cost().activation_bytes += 8 * s.T + mask * s.S * s.D;
  LayerCost cost = b.finish();
  cost.dense_parameters = static_cast<double>(c.model.vocabulary * c.model.hidden) / s.tp;
  if (c.model.learned_positions) cost.dense_parameters += static_cast<double>(c.model.max_positions * c.model.hidden);
  return cost;
}

LayerCost head_cost(const LayerContext& c) {
  const Sizes s = sizes(c);
  const double V = static_cast<double>(c.model.vocabulary) / s.tp;
  // The head and the loss stay in 16 bits where layers are narrower.
  Rates rates = c.rates;
  const bool narrow = rates.operand_bytes < s.e;
  if (narrow) rates = wide_rates(c.rates);
  const LayerContext wide{c.model, c.layout, rates, c.network, c.imbalance, c.memory_imbalance, c.host_bytes_per_s};
  LayerBuilder b(wide, false);
  b.half(Half::mlp);
  add_norm(b, s, true);
  b.matrix(Module::head, s.T, V, s.D);
  b.tensor_collective(Edge::enter, tensor_bytes(s));
  const double logits = s.T * V;
  if (c.layout.cross_entropy_fused) {
    b.element(s.e * logits * 2, s.e * logits, 3, 1, Module::head);
    b.cost().activation_bytes += s.e * logits;
  } else {
    // Cast to float32, then passes for maximum, exponential and sum; back: the gradient in place and its cast.
    b.element((s.e + 4) * logits + 12 * logits, 8 * logits + (4 + s.e) * logits, 8, 5, Module::head);
    b.cost().activation_bytes += (s.e + 4) * logits;
  }
  LayerCost cost = b.finish();
  const double norm = c.model.layer_norm ? 2 : 1;
  cost.dense_parameters = s.D * (c.model.tied_embeddings && c.layout.pp == 1 ? 0 : V) + norm * s.D;
  return cost;
}

LayerCost mtp_cost(const LayerContext& c, spec::LayerKind kind) {
  const Sizes s = sizes(c);
  LayerBuilder b(c);
  b.half(Half::attention);
  add_norm(b, s, false);
  add_norm(b, s, false);
  b.matrix(Module::projections, s.T, s.D / s.tp, 2 * s.D);
  b.tensor_collective(Edge::enter, tensor_bytes(s));
  b.cost().activation_bytes += 2 * s.operand * s.S * s.D;
  LayerCost cost = b.finish();
  cost.dense_parameters = 2 * s.D * s.D / s.tp + 3 * s.D;
  cost += layer_cost(c, kind);
  LayerCost head = head_cost(c);
  head.dense_parameters = 0;  // shared with the main head
  cost += head;
  return cost;
}

std::string_view module_name(Module module) {
  static constexpr std::array<std::string_view, kModules> kNames{"attention projections",
                                                                 "attention",
                                                                 "mamba",
                                                                 "dense feed-forward",
                                                                 "router",
                                                                 "permutation",
                                                                 "experts",
                                                                 "shared experts",
                                                                 "elementwise",
                                                                 "embedding, head and loss",
                                                                 "tensor-parallel communication",
                                                                 "context-parallel communication",
                                                                 "expert communication",
                                                                 "recomputation",
                                                                 "swapping",
                                                                 "kernel launches"};
  return kNames[static_cast<std::size_t>(module)];
}

LayerCost& operator+=(LayerCost& sum, const LayerCost& other) {
  for (auto half : {&LayerCost::attention, &LayerCost::mlp}) {
    (sum.*half).forward += (other.*half).forward;
    (sum.*half).input += (other.*half).input;
    (sum.*half).weight += (other.*half).weight;
  }
  for (auto field : {&LayerCost::exchange_forward, &LayerCost::exchange_backward, &LayerCost::shared_forward,
                     &LayerCost::shared_backward, &LayerCost::expert_weight, &LayerCost::activation_bytes,
                     &LayerCost::swapped_bytes, &LayerCost::dense_parameters, &LayerCost::expert_parameters}) {
    sum.*field += other.*field;
  }
  for (std::size_t i = 0; i < kModules; ++i) {
    sum.forward[i] += other.forward[i];
    sum.backward[i] += other.backward[i];
  }
  sum.workspace_bytes = std::max(sum.workspace_bytes, other.workspace_bytes);
  return sum;
}

LayerCost scaled(const LayerCost& cost, double count) {
  LayerCost out;
  if (count <= 0) return out;
  out = cost;
  for (HalfTime* half : {&out.attention, &out.mlp}) half->forward *= count, half->input *= count, half->weight *= count;
  for (double* field :
       {&out.exchange_forward, &out.exchange_backward, &out.shared_forward, &out.shared_backward, &out.expert_weight,
        &out.activation_bytes, &out.swapped_bytes, &out.dense_parameters, &out.expert_parameters}) {
    *field *= count;
  }
  for (double& seconds : out.forward) seconds *= count;
  for (double& seconds : out.backward) seconds *= count;
  return out;
}

}  // namespace filigree::plan
