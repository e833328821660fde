#include <algorithm>

#include "base/error.h"
#include "spec/count.h"

namespace filigree::spec {
namespace {

double as_double(std::int64_t value) { return static_cast<double>(value); }

/// Keys that a query sees, on average over a causal sequence.
double mean_keys(double seq, double window) {
  if (window <= 0 || window >= seq) return seq / 2;
  return window - window * window / (2 * seq);
}

/// Parameters of the projections of attention.
double attention_matrices(const Model& model) {
  const Attention& a = model.attention;
  const double hidden = as_double(model.hidden), heads = as_double(a.heads);
  const double queries = as_double(a.heads * a.head_dim), output = hidden * as_double(a.heads * a.v_head_dim);
  if (!a.latent()) return hidden * (queries + as_double(a.kv_heads * (a.head_dim + a.v_head_dim))) + output;
  const double rank = as_double(a.q_lora_rank), kv_rank = as_double(a.kv_lora_rank);
  const double q = rank > 0 ? rank * (hidden + queries) : hidden * queries;
  const double kv = hidden * (kv_rank + as_double(a.rope_head_dim)) +
                    kv_rank * heads * as_double(a.head_dim - a.rope_head_dim + a.v_head_dim);
  return q + kv + output;
}

Flops attention_flops(const Model& model, bool window, double seq) {
  const Attention& a = model.attention;
  const double keys = mean_keys(seq, window ? as_double(a.window) : 0);
  return {2 * attention_matrices(model), 2 * keys * as_double(a.heads * (a.head_dim + a.v_head_dim))};
}

Flops mamba_flops(const Model& model) {
  FILIGREE_ASSERT(model.mamba.has_value());
  const Mamba& m = *model.mamba;
  const double hidden = as_double(model.hidden), inner = as_double(m.heads * m.head_dim);
  const double convolved = inner + as_double(2 * m.groups * m.state);
  const double matrices = hidden * (inner + convolved + as_double(m.heads)) + inner * hidden;
  return {2 * matrices, 2 * convolved * as_double(m.convolution) + 7 * inner * as_double(m.state)};
}

double feed_forward_matrices(const Model& model, double width) {
  return (model.feed_forward == FeedForwardKind::swiglu ? 3 : 2) * as_double(model.hidden) * width;
}

double feed_forward_flops(const Model& model, FeedForward kind) {
  if (kind == FeedForward::none) return 0;
  if (kind == FeedForward::dense) return 2 * feed_forward_matrices(model, as_double(model.dense_width));
  FILIGREE_ASSERT(model.experts.has_value());
  const Experts& e = *model.experts;
  const double router = as_double(model.hidden) * as_double(e.routed + (e.shared_gate ? 1 : 0));
  return 2 * (router + feed_forward_matrices(model, as_double(e.top_k * e.width + e.shared_width)));
}

}  // namespace

Flops layer_flops(const Model& model, LayerKind kind, double seq) {
  Flops flops;
  if (kind.mixer == Mixer::mamba)
    flops = mamba_flops(model);
  else if (kind.mixer != Mixer::none)
    flops = attention_flops(model, kind.mixer == Mixer::window_attention, seq);
  flops.matrix += feed_forward_flops(model, kind.feed_forward);
  return flops;
}

Flops head_flops(const Model& model) { return {2 * as_double(model.hidden) * as_double(model.vocabulary), 0}; }

Flops mtp_flops(const Model& model, double seq) {
  Flops flops = layer_flops(model, layer_kinds(model).back(), seq);
  flops.matrix += 4 * as_double(model.hidden) * as_double(model.hidden) + head_flops(model).matrix;
  return flops;
}

Flops forward_flops(const Model& model, double seq) {
  Flops flops = head_flops(model);
  for (const LayerKind kind : layer_kinds(model)) flops += layer_flops(model, kind, seq);
  for (std::int64_t i = 0; i < model.mtp_layers; ++i) flops += mtp_flops(model, seq);
  return flops;
}

double model_flops_per_token(const Model& model, double seq) { return 3 * forward_flops(model, seq).total(); }

Flops forward_flops(const Dit& dit, double image_tokens, double text_tokens) {
  const double hidden = as_double(dit.hidden()), square = hidden * hidden;
  const double text = 3 * text_tokens, all = image_tokens + text;
  const double patch = as_double(dit.patch_size * dit.patch_size);
  const auto swiglu = [hidden](std::int64_t nominal) {
    return 3 * hidden * as_double(dit_feed_forward_width(nominal));
  };
  const double experts = hidden * as_double(dit.num_routed_experts) + swiglu(2 * dit.hidden()) +
                         as_double(dit.num_activated_experts) * swiglu(4 * dit.hidden());
  const double dual = 12 * square + 4 * square * all + experts * image_tokens + swiglu(4 * dit.hidden()) * text;
  const double single = 6 * square + 4 * square * all + experts * all;
  const double blocks = as_double(dit.num_layers + dit.num_single_layers);
  const double captions =
      text_tokens * hidden * (blocks * as_double(dit.caption_channels[1]) + as_double(dit.caption_channels[0]));
  // Time and pooled text: one row each.
  const double rows = hidden * (256 + hidden) + hidden * (as_double(dit.text_emb_dim) + hidden) + 2 * square;
  const double ends = image_tokens * hidden * patch * as_double(dit.in_channels + dit.out_channels);
  const double matrices =
      as_double(dit.num_layers) * dual + as_double(dit.num_single_layers) * single + captions + rows + ends;
  return {2 * matrices, blocks * 4 * all * all * hidden};
}

double model_flops_per_sample(const Dit& dit, double image_tokens, double text_tokens) {
  return 3 * forward_flops(dit, image_tokens, text_tokens).total();
}

}  // namespace filigree::spec
