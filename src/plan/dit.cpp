#include "plan/dit.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "plan/layer_builder.h"
#include "spec/check.h"
#include "spec/count.h"
#include "spec/resolve.h"

// Shape letters: I image tokens, X text tokens and T all tokens of a micro-batch on the device, D hidden.
namespace filigree::plan {
namespace {

using spec::Part;

struct Sizes {
  double tp, cp;
  double mbs;
  double I, X, T;
  double caption;  // tokens of the block's own text
  double D;
  double e;      // bytes of an activation
  double split;  // tensor ranks over which norms and residuals are split
};

Sizes sizes(const DitContext& c) {
  const spec::Layout& layout = c.layer.layout;
  Sizes s{};
  s.tp = static_cast<double>(layout.tp);
  s.cp = static_cast<double>(layout.cp);
  s.mbs = static_cast<double>(layout.mbs);
  s.I = device_tokens(layout);
  s.caption = s.mbs * kDitTextTokens / s.cp;
  s.X = 3 * s.caption;
  s.T = s.I + s.X;
  s.D = static_cast<double>(c.dit.hidden());
  s.e = spec::dtype_bytes(layout.activation_dtype);
  s.split = layout.sp ? s.tp : 1;
  return s;
}

/// Shift, scale and gate of both halves from the sample's one vector of time and pooled text (adaLN-Zero, arXiv
/// 2212.09748 §3.2): the product has a row for each sample, so reading its weights sets its time.
void add_modulation(LayerBuilder& b, const Sizes& s, double vectors) {
  b.element(2 * s.e * s.mbs * s.D, 3 * s.e * s.mbs * s.D, 1, 1);
  b.matrix(Module::projections, s.mbs, vectors * s.D / s.tp, s.D);
  b.tensor_collective(Edge::leave, s.e * s.mbs * vectors * s.D);
  b.keep_always(s.e * s.mbs * (vectors + 1) * s.D);
}

/// A norm without weights, scaled and shifted in the same pass; backward also sums over tokens for shift and scale.
void add_modulated_norm(LayerBuilder& b, const Sizes& s, double tokens) {
  const double bytes = s.e * tokens / s.split * s.D;
  b.part(Part::norms);
  b.element(2 * bytes, 5 * bytes, 1, 3);
  b.keep_always(bytes);  // input: the residual stream
  b.keep(Part::norms, bytes);
  b.no_part();
}

/// x + gate · y; the gate's gradient needs y.
void add_gated_residual(LayerBuilder& b, const Sizes& s, double tokens) {
  const double bytes = s.e * tokens / s.split * s.D;
  b.element(3 * bytes, 4 * bytes, 1, 2);
  b.keep_always(bytes);
}

/// Queries, keys and values of one stream, normed over all heads together.
double add_qkv(LayerBuilder& b, const Sizes& s, double tokens) {
  const double width = s.D / s.tp;
  b.part(Part::qkv_up);
  const double seconds = b.matrix(Module::projections, tokens, 3 * width, s.D);
  b.element(2 * s.e * tokens * 2 * width, 3 * s.e * tokens * 2 * width, 2, 4);
  b.keep(Part::norms, s.e * tokens * 2 * width);
  b.keep(Part::qkv_up, s.e * tokens * 3 * width);
  b.no_part();
  return seconds;
}

/// Scores over the whole sequence, not causal.
void add_joint_attention(LayerBuilder& b, const DitContext& c, const Sizes& s) {
  const LayerContext& l = c.layer;
  const double heads = static_cast<double>(c.dit.num_attention_heads) / s.tp;
  const double dim = static_cast<double>(c.dit.attention_head_dim), width = s.D / s.tp;
  const double all = s.T * s.cp / s.mbs;  // tokens of one sample
  AttentionShape shape{s.mbs * heads, all / s.cp, all, dim, dim, 1.0};
  b.part(Part::attention);
  if (!l.layout.flash_attention) {
    const double scores = shape.batch * shape.queries * shape.keys;
    b.product(Module::attention, shape.queries, all, dim, shape.batch);
    b.element(2 * s.e * scores, 3 * s.e * scores, 1, 1, Module::attention);
    b.product(Module::attention, shape.queries, dim, all, shape.batch);
    b.keep(Part::attention, s.e * scores);
  }
  const double tensor = s.e * s.T * width;
  if (l.layout.context == spec::Context::all_to_all) {
    shape.batch /= s.cp;
    shape.queries = all;
    b.context_all_to_all({tensor, tensor, tensor, tensor});
  } else {
    const double keys_values = 2 * tensor * s.cp;
    b.context_exchange(keys_values, 2 * keys_values, attention_forward_seconds(l.rates, shape),
                       attention_backward_seconds(l.rates, shape));
  }
  if (l.layout.flash_attention) b.attention(shape);
  b.keep(Part::attention, tensor + 4 * s.T * heads);
  b.no_part();
}

/// Modulation, the block's text, norms, joint attention and what the second half adds to a plain feed-forward.
LayerCost attention_half(const DitContext& c, const Sizes& s, bool dual) {
  LayerBuilder b(c.layer);
  b.half(Half::attention);
  add_modulation(b, s, dual ? 12 : 6);
  const double channels = static_cast<double>(c.dit.caption_channels[1]);
  b.matrix(Module::projections, s.caption, s.D / s.tp, channels);
  b.keep_always(s.e * s.caption * channels);
  // The block's text is put behind the sequence, and cut off after the block.
  const double joined = s.e * (dual ? s.X : s.T) / s.split * s.D;
  b.element(4 * joined, 4 * joined, 2, 2);

  const std::vector<double> streams = dual ? std::vector<double>{s.I, s.X} : std::vector<double>{s.T};
  double products = 0;
  for (const double tokens : streams) {
    add_modulated_norm(b, s, tokens);
    products += add_qkv(b, s, tokens);
  }
  b.tensor_collective(Edge::enter, s.e * s.T * s.D, products);
  // Rotation of queries and keys, and the streams' heads put together.
  const double heads = s.e * s.T * s.D / s.tp;
  b.element(2 * 2 * heads + (dual ? 2 * 3 * heads : 0), 2 * 2 * heads + (dual ? 2 * 3 * heads : 0), dual ? 5 : 2,
            dual ? 5 : 2);
  add_joint_attention(b, c, s);
  double out = 0;
  for (const double tokens : streams) out += b.matrix(Module::projections, tokens, s.D, s.D / s.tp);
  b.tensor_collective(Edge::leave, s.e * s.T * s.D, out);
  for (const double tokens : streams) add_gated_residual(b, s, tokens);

  // The feed-forward below counts a plain norm and a plain residual: the sums for shift, scale and gate come on top.
  b.half(Half::mlp);
  const double rest = s.e * s.T / s.split * s.D;
  b.element(0, 4 * rest, 0, 3);
  b.keep_always(rest);
  return b.finish();
}

/// A feed-forward half of a language model over `tokens` of the micro-batch on this device.
LayerCost feed_forward_half(const DitContext& c, const Sizes& s, double tokens, spec::FeedForward kind) {
  spec::Layout layout = c.layer.layout;
  layout.seq = static_cast<std::int64_t>(tokens * s.cp / s.mbs);
  const LayerContext& l = c.layer;
  const LayerContext context{l.model, layout, l.rates, l.network, l.imbalance, l.memory_imbalance, l.host_bytes_per_s};
  return layer_cost(context, {spec::Mixer::none, kind});
}

LayerCost block_operators(const DitContext& c, const Sizes& s, bool dual) {
  LayerCost cost = attention_half(c, s, dual);
  if (dual) cost += feed_forward_half(c, s, s.X, spec::FeedForward::dense);
  cost += feed_forward_half(c, s, dual ? s.I : s.T, spec::FeedForward::experts);
  return cost;
}

/// Parameters under a prefix on one device.
struct Parameters {
  double dense = 0, experts = 0;
};

Parameters count_parameters(const DitContext& c, const std::vector<std::string>& prefixes) {
  const spec::Layout& layout = c.layer.layout;
  const double tp = static_cast<double>(layout.tp);
  const double ranks = static_cast<double>(spec::expert_ranks(layout) * layout.etp);
  Parameters sum;
  for (const spec::TensorInfo& tensor : spec::dit_tensors(c.dit)) {
    const auto under = [&tensor](const std::string& prefix) { return tensor.name.starts_with(prefix); };
    if (std::none_of(prefixes.begin(), prefixes.end(), under)) continue;
    const auto has = [&tensor](std::string_view part) { return tensor.name.find(part) != std::string::npos; };
    const double size = static_cast<double>(tensor.size());
    // Routers, output biases and the small layers at both ends stand on every tensor rank.
    const bool whole = has(".gate.") || (has("to_out") && has(".bias")) || has("embedder") || has("final_layer");
    if (has(".experts.")) {
      sum.experts += size / ranks;
    } else {
      sum.dense += whole ? size : size / tp;
    }
  }
  return sum;
}

void set_parameters(LayerCost& cost, const Parameters& parameters) {
  cost.dense_parameters = parameters.dense;
  cost.expert_parameters = parameters.experts;
}

std::string caption_prefix(std::int64_t block) { return "caption_projection." + std::to_string(block) + "."; }

}  // namespace

spec::Model dit_as_model(const spec::Dit& dit) {
  spec::Model model;
  model.name = "the diffusion transformer";
  model.layers = dit.num_layers + dit.num_single_layers;
  model.hidden = dit.hidden();
  model.vocabulary = 1;
  model.attention.heads = model.attention.kv_heads = dit.num_attention_heads;
  model.attention.head_dim = model.attention.v_head_dim = dit.attention_head_dim;
  model.feed_forward = spec::FeedForwardKind::swiglu;
  model.dense_width = spec::dit_feed_forward_width(4 * dit.hidden());
  spec::Experts experts;
  experts.routed = dit.num_routed_experts;
  experts.top_k = dit.num_activated_experts;
  experts.width = model.dense_width;
  experts.shared_width = spec::dit_feed_forward_width(2 * dit.hidden());
  model.experts = experts;
  return model;
}

void check_dit(const spec::Layout& layout, const spec::Dit& dit) { spec::check(layout, dit_as_model(dit)); }

LayerCost dit_block_cost(const DitContext& c, bool dual) {
  const Sizes s = sizes(c);
  LayerCost cost = block_operators(c, s, dual);
  const spec::Layout& layout = c.layer.layout;
  if (layout.recomputes(Part::layer)) {
    // Only the block's input is kept; the rest is alive again while the block runs backward.
    spec::Layout keeping = layout;
    keeping.recompute.clear();
    const LayerContext& l = c.layer;
    const LayerContext context{l.model,           keeping, l.rates, l.network, l.imbalance, l.memory_imbalance,
                               l.host_bytes_per_s};
    const LayerCost kept = block_operators({context, c.dit}, s, dual);
    const double input = s.e * s.T / s.split * s.D;
    cost.workspace_bytes = kept.workspace_bytes + std::max(0.0, kept.activation_bytes + kept.swapped_bytes - input);
    cost.activation_bytes = input;
    cost.swapped_bytes = 0;
  }
  const std::string prefix = dual ? "double_stream_blocks.0." : "single_stream_blocks.0.";
  set_parameters(cost, count_parameters(c, {prefix, caption_prefix(0)}));
  return cost;
}

LayerCost dit_embedding_cost(const DitContext& c) {
  const Sizes s = sizes(c);
  LayerBuilder b(c.layer, false);
  b.half(Half::attention);
  const double patch = static_cast<double>(c.dit.patch_size * c.dit.patch_size * c.dit.in_channels);
  const double pooled = static_cast<double>(c.dit.text_emb_dim),
               channels = static_cast<double>(c.dit.caption_channels[0]);
  constexpr double kTimeFeatures = 256;
  for (const double inputs : {kTimeFeatures, s.D, pooled, s.D}) b.matrix(Module::head, s.mbs, s.D, inputs);
  b.element(8 * s.e * s.mbs * s.D, 8 * s.e * s.mbs * s.D, 6, 6, Module::head);
  b.matrix(Module::head, s.I / s.split, s.D, patch);
  // The two texts that run through the network.
  b.matrix(Module::head, 2 * s.caption, s.D / s.tp, channels);
  b.tensor_collective(Edge::leave, s.e * 2 * s.caption * s.D);
  b.keep_always(s.e * (s.I / s.split * patch + 2 * s.caption * channels + s.mbs * (kTimeFeatures + pooled + 4 * s.D)));
  LayerCost cost = b.finish();
  const std::int64_t blocks = c.dit.num_layers + c.dit.num_single_layers;
  set_parameters(cost, count_parameters(c, {"t_embedder.", "p_embedder.", "x_embedder.", caption_prefix(blocks)}));
  return cost;
}

LayerCost dit_final_cost(const DitContext& c) {
  const Sizes s = sizes(c);
  LayerBuilder b(c.layer, false);
  b.half(Half::mlp);
  const double patch = static_cast<double>(c.dit.patch_size * c.dit.patch_size * c.dit.out_channels);
  const double rows = s.I / s.split;
  b.matrix(Module::head, s.mbs, 2 * s.D, s.D);
  add_modulated_norm(b, s, s.I);
  b.matrix(Module::head, rows, patch, s.D);
  // Squared error against the flow's velocity, in float32.
  b.element(4 * 4 * rows * patch, 3 * 4 * rows * patch, 4, 3, Module::head);
  b.keep_always(2 * 4 * rows * patch);
  LayerCost cost = b.finish();
  set_parameters(cost, count_parameters(c, {"final_layer."}));
  return cost;
}

std::vector<StageCost> dit_stage_costs(const DitContext& c) {
  const spec::Layout& layout = c.layer.layout;
  const std::vector<std::int64_t> sizes = spec::chunk_layers(layout, c.layer.model);
  const LayerCost dual = dit_block_cost(c, true), single = dit_block_cost(c, false);
  std::vector<StageCost> stages(static_cast<std::size_t>(layout.pp));
  for (StageCost& stage : stages) stage.chunks.resize(static_cast<std::size_t>(layout.vpp));
  const std::int64_t parts = layout.pp * layout.vpp, blocks = c.layer.model.layers;
  std::int64_t begin = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t end = std::min(blocks, begin + sizes[static_cast<std::size_t>(part)]);
    const std::int64_t duals = std::max<std::int64_t>(0, std::min(end, c.dit.num_layers) - begin);
    LayerCost cost = scaled(dual, static_cast<double>(duals));
    cost += scaled(single, static_cast<double>(end - begin - duals));
    if (part == 0) cost += dit_embedding_cost(c);
    if (part == parts - 1) cost += dit_final_cost(c);
    const Place place = place_of(layout, part);
    StageCost& stage = stages[static_cast<std::size_t>(place.stage)];
    stage.sum += cost;
    stage.chunks[static_cast<std::size_t>(place.chunk)] = cost;
    begin = end;
  }
  return stages;
}

Estimate estimate_dit(const spec::Dit& dit, const spec::Cluster& cluster, const spec::Layout& layout, Detail detail) {
  const spec::Model model = dit_as_model(dit);
  const Rates rates = resolve_rates(cluster.accelerator, layout);
  const Network network = resolve_network(cluster);
  const LayerContext context{model, layout, rates, network, 1, 1, cluster.host_gb_s * 1e9};
  const std::vector<StageCost> stages = dit_stage_costs({context, dit});
  // Between stages go the image, the two lasting texts and the modulation's vector.
  spec::Layout sent = layout;
  sent.seq += static_cast<std::int64_t>(2 * kDitTextTokens);
  const double hidden = static_cast<double>(dit.hidden()), image = static_cast<double>(layout.seq);
  const double boundary = boundary_bytes(sent, hidden) +
                          static_cast<double>(layout.mbs) * hidden * spec::dtype_bytes(layout.activation_dtype);
  const double flops = spec::model_flops_per_sample(dit, image, kDitTextTokens) / image;
  return estimate_step({layout, cluster, rates, network, stages, boundary, flops}, detail);
}

}  // namespace filigree::plan
