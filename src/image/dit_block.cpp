#include "image/dit_block.h"

#include <ATen/ATen.h>

#include "spec/count.h"

namespace filigree::image {
namespace {

constexpr double kNormEps = 1e-6;      // of the norms without weights
constexpr double kHeadNormEps = 1e-5;  // of queries and keys

at::Tensor plain_norm(const at::Tensor& x) { return at::layer_norm(x, {x.size(-1)}, {}, {}, kNormEps); }

/// norm(x) (1 + scale) + shift.
at::Tensor modulated(const at::Tensor& x_BRD, const at::Tensor& shift_B1D, const at::Tensor& scale_B1D) {
  return plain_norm(x_BRD) * (1 + scale_B1D) + shift_B1D;
}

std::vector<at::Tensor> chunks(const at::Tensor& modulation_BM, std::int64_t count) {
  return modulation_BM.unsqueeze(1).chunk(count, -1);
}

moe::Layer make_experts(const spec::Dit& config, const at::TensorOptions& options) {
  const std::int64_t hidden = config.hidden();
  spec::Experts sizes;
  sizes.routed = config.num_routed_experts;
  sizes.top_k = config.num_activated_experts;
  sizes.width = spec::dit_feed_forward_width(4 * hidden);
  sizes.shared_width = spec::dit_feed_forward_width(2 * hidden);
  moe::RouterOptions routing;
  routing.top_k = sizes.top_k;
  routing.scoring = moe::Scoring::softmax;
  routing.normalise = false;
  return {sizes, hidden, routing, options};
}

at::Tensor through_experts(const moe::Layer& experts, const at::Tensor& x_BRD) {
  return experts(x_BRD.flatten(0, 1)).y_TD.view_as(x_BRD);
}

at::Tensor heads(const at::Tensor& x_BRD, std::int64_t head_size) {
  return x_BRD.unflatten(-1, {x_BRD.size(-1) / head_size, head_size}).transpose(1, 2);
}

/// Row pass.pad_row of keys or values as often as it counts.
at::Tensor with_pads(const at::Tensor& x_BHSK, const BlockPass& pass) {
  if (pass.pads == 0) return x_BHSK;
  const std::int64_t behind = pass.pad_row + 1;
  return at::cat({x_BHSK.narrow(2, 0, pass.pad_row), x_BHSK.narrow(2, pass.pad_row, 1).expand({-1, -1, pass.pads, -1}),
                  x_BHSK.narrow(2, behind, x_BHSK.size(2) - behind)},
                 2);
}

/// Rows of queries may be fewer than those of keys: the first ones.
at::Tensor attention(const at::Tensor& q_BQD, const at::Tensor& k_BSD, const at::Tensor& v_BSD, std::int64_t head_size,
                     const BlockPass& pass) {
  const at::Tensor k = pass.key_scale_S1.defined() ? k_BSD * pass.key_scale_S1.to(k_BSD.scalar_type()) : k_BSD;
  const std::int64_t queries = q_BQD.size(1);
  const nn::Angles few{pass.angles.cos.narrow(2, 0, queries), pass.angles.sin.narrow(2, 0, queries)};
  const at::Tensor q_BHQK = nn::rotate(heads(q_BQD, head_size), few, nn::RotaryPairs::neighbours);
  const at::Tensor k_BHSK = nn::rotate(heads(k, head_size), pass.angles, nn::RotaryPairs::neighbours);
  const at::Tensor v_BHSK = with_pads(heads(v_BSD, head_size), pass);
  return attend_all(q_BHQK, with_pads(k_BHSK, pass), v_BHSK, pass.key_bias_S).transpose(1, 2).flatten(-2);
}

std::string with_published_name(const std::string& name) {
  for (const auto& [ours, theirs] : {std::pair{"gate_proj", "w1"}, {"up_proj", "w3"}, {"down_proj", "w2"}}) {
    const std::size_t at = name.rfind(ours);
    if (at != std::string::npos) return name.substr(0, at) + theirs + name.substr(at + std::string_view(ours).size());
  }
  return name;
}

/// SwiGLU parts are w1, w3 and w2 in the published files.
template <class Module>
void list_renamed(Module& module, nn::Parameters& out, const std::string& prefix) {
  const std::size_t from = out.size();
  module.list(out, prefix);
  for (std::size_t i = from; i < out.size(); ++i) out[i].name = with_published_name(out[i].name);
}

}  // namespace

StreamProjections::StreamProjections(std::int64_t hidden, const at::TensorOptions& options)
    : q(hidden, hidden, true, options),
      k(hidden, hidden, true, options),
      v(hidden, hidden, true, options),
      out(hidden, hidden, true, options),
      q_norm(hidden, kHeadNormEps, options),
      k_norm(hidden, kHeadNormEps, options) {}

void StreamProjections::list(nn::Parameters& list, const std::string& prefix, const std::string& suffix) {
  q.list(list, prefix + ".to_q" + suffix);
  k.list(list, prefix + ".to_k" + suffix);
  v.list(list, prefix + ".to_v" + suffix);
  out.list(list, prefix + ".to_out" + suffix);
  q_norm.list(list, prefix + ".q_rms_norm" + suffix);
  k_norm.list(list, prefix + ".k_rms_norm" + suffix);
}

void list_experts(moe::Layer& experts, nn::Parameters& out, const std::string& prefix) {
  list_renamed(experts, out, prefix);
}

DualBlock::DualBlock(const spec::Dit& config, const at::TensorOptions& options)
    : head_size(config.attention_head_dim),
      modulation(config.hidden(), 12 * config.hidden(), true, options),
      image(config.hidden(), options),
      text(config.hidden(), options),
      experts(make_experts(config, options)),
      feed_forward(config.hidden(), spec::dit_feed_forward_width(4 * config.hidden()), options) {}

DualBlock::Streams DualBlock::operator()(const Streams& x, const at::Tensor& own_BLD, const at::Tensor& modulation_BM,
                                         const BlockPass& pass) const {
  // Of each stream: shift, scale and gate of the attention, then of the feed-forward.
  const std::vector<at::Tensor> m = chunks(modulation_BM, 12);
  const std::int64_t image_rows = x.image_BID.size(1);
  const at::Tensor text_x = at::cat({x.text_BTD, own_BLD}, 1);
  const std::int64_t kept = pass.skip_text ? 0 : pass.skip_own ? x.text_BTD.size(1) : text_x.size(1);

  const at::Tensor i = modulated(x.image_BID, m[0], m[1]), t = modulated(text_x, m[6], m[7]);
  const at::Tensor t_kept = t.narrow(1, 0, kept);
  const at::Tensor q = at::cat({image.q_norm(image.q(i)), text.q_norm(text.q(t_kept))}, 1);
  const at::Tensor k = at::cat({image.k_norm(image.k(i)), text.k_norm(text.k(t))}, 1);
  const at::Tensor v = at::cat({image.v(i), text.v(t)}, 1);
  const at::Tensor a = attention(q, k, v, head_size, pass);

  at::Tensor image_out = x.image_BID + m[2] * image.out(a.narrow(1, 0, image_rows));
  image_out = image_out + m[5] * through_experts(experts, modulated(image_out, m[3], m[4]));
  if (kept == 0) return {image_out, {}};
  at::Tensor text_out = text_x.narrow(1, 0, kept) + m[8] * text.out(a.narrow(1, image_rows, kept));
  text_out = text_out + m[11] * feed_forward(modulated(text_out, m[9], m[10]));
  return {image_out, text_out.narrow(1, 0, x.text_BTD.size(1))};
}

void DualBlock::list(nn::Parameters& out, const std::string& prefix) {
  modulation.list(out, prefix + ".adaLN_modulation.1");
  image.list(out, prefix + ".attn1", "");
  text.list(out, prefix + ".attn1", "_t");
  list_experts(experts, out, prefix + ".ff_i");
  list_renamed(feed_forward, out, prefix + ".ff_t");
}

SingleBlock::SingleBlock(const spec::Dit& config, const at::TensorOptions& options)
    : head_size(config.attention_head_dim),
      modulation(config.hidden(), 6 * config.hidden(), true, options),
      rows(config.hidden(), options),
      experts(make_experts(config, options)) {}

at::Tensor SingleBlock::operator()(const at::Tensor& x_BRD, const at::Tensor& own_BLD, const at::Tensor& modulation_BM,
                                   const BlockPass& pass) const {
  const std::vector<at::Tensor> m = chunks(modulation_BM, 6);
  const at::Tensor all = at::cat({x_BRD, own_BLD}, 1);
  const std::int64_t kept = pass.skip_text ? pass.image_rows : pass.skip_own ? x_BRD.size(1) : all.size(1);

  const at::Tensor n = modulated(all, m[0], m[1]);
  const at::Tensor q = rows.q_norm(rows.q(n.narrow(1, 0, kept)));
  const at::Tensor a = attention(q, rows.k_norm(rows.k(n)), rows.v(n), head_size, pass);
  at::Tensor out = all.narrow(1, 0, kept) + m[2] * rows.out(a);
  out = out + m[5] * through_experts(experts, modulated(out, m[3], m[4]));
  return out.narrow(1, 0, std::min(kept, x_BRD.size(1)));
}

void SingleBlock::list(nn::Parameters& out, const std::string& prefix) {
  modulation.list(out, prefix + ".adaLN_modulation.1");
  rows.list(out, prefix + ".attn1", "");
  list_experts(experts, out, prefix + ".ff_i");
}

}  // namespace filigree::image
