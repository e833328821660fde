#include "encoders/llama.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include "base/cancel.h"
#include "nn/attention.h"
#include "nn/rotary.h"

namespace filigree::encoders {
namespace {

/// The rotary settings, which newer configs hold in rope_parameters and older ones in rope_theta and rope_scaling.
ConfigReader rope_settings(const ConfigReader& config) {
  for (const std::string key : {"rope_parameters", "rope_scaling"}) {
    const auto it = config.json().find(key);
    if (it != config.json().end() && it->is_object()) return {*it, config.where() + ": " + key};
  }
  return {Json::object(), config.where()};
}

RopeScaling read_scaling(const ConfigReader& config) {
  const ConfigReader rope = rope_settings(config);
  const std::string kind = rope.word("rope_type", rope.word("type", "default"));
  if (kind == "default") return {};
  if (kind != "llama3") fail("{}: rope_type '{}' is not known (known: default, llama3)", rope.where(), kind);
  const RopeScaling scaling{rope.number("factor", 8), rope.number("low_freq_factor", 1),
                            rope.number("high_freq_factor", 4), rope.number("original_max_position_embeddings", 8192)};
  if (scaling.factor <= 0 || scaling.low <= 0 || scaling.high <= scaling.low || scaling.original <= 0) {
    fail("{}: a factor is not greater than 0, or high_freq_factor not greater than low_freq_factor", rope.where());
  }
  return scaling;
}

}  // namespace

at::Tensor rotary_frequencies(std::int64_t rotary_size, double base, const RopeScaling& scaling) {
  const at::Tensor frequency = at::empty({rotary_size / 2}, at::kDouble);
  for (std::int64_t i = 0; i < rotary_size / 2; ++i) {
    const double plain = std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_size));
    const double turns = scaling.original * plain / (2 * std::numbers::pi);  // within the original length
    const double share = std::clamp((turns - scaling.low) / (scaling.high - scaling.low), 0.0, 1.0);
    frequency.data_ptr<double>()[i] = share * plain + (1 - share) * plain / scaling.factor;
  }
  return frequency;
}

struct LlamaEncoder::Context {
  nn::Angles angles;
  at::Tensor allowed_B1TT;
};

LlamaEncoder::LlamaEncoder(const std::filesystem::path& folder, const at::TensorOptions& options)
    : folder_(folder, options),
      layers_(folder_.config().size("num_hidden_layers")),
      hidden_(folder_.config().size("hidden_size")),
      heads_(folder_.config().size("num_attention_heads")),
      groups_(folder_.config().size("num_key_value_heads", heads_)),
      head_size_(folder_.config().size("head_dim", hidden_ / heads_)),
      width_(folder_.config().size("intermediate_size")),
      vocabulary_(folder_.config().size("vocab_size")),
      eps_(folder_.config().number("rms_norm_eps", 1e-5)),
      base_(rope_settings(folder_.config()).number("rope_theta", folder_.config().number("rope_theta", 10000))),
      scaling_(read_scaling(folder_.config())) {
  const std::string& where = folder_.config().where();
  const std::string kind = folder_.config().word("model_type", "llama");
  if (kind != "llama") fail("{}: model_type '{}' is no Llama", where, kind);
  if (heads_ % groups_ != 0 || head_size_ % 2 != 0) {
    fail("{}: {} query heads of {} numbers over {} key heads do not go together", where, heads_, head_size_, groups_);
  }
  if (base_ <= 1) fail("{}: rope_theta is {}; expected more than 1", where, base_);
  if (folder_.config().flag("attention_bias", false) || folder_.config().flag("mlp_bias", false)) {
    fail("{}: a Llama with biases is not known", where);
  }
}

at::Tensor LlamaEncoder::normalize(const at::Tensor& x_BTD, const std::string& name) const {
  const at::Tensor wide = x_BTD.to(at::kFloat);
  const at::Tensor unit = wide * at::rsqrt(wide.square().mean(-1, true) + eps_);
  return folder_.take(name, {hidden_}) * unit.to(x_BTD.scalar_type());
}

at::Tensor LlamaEncoder::attention(const at::Tensor& x_BTD, const Context& context, const std::string& prefix) const {
  const at::Tensor normal = normalize(x_BTD, prefix + "input_layernorm.weight");
  const auto heads = [&](const std::string& name, std::int64_t count) {
    const at::Tensor weight = folder_.take(prefix + "self_attn." + name + ".weight", {count * head_size_, hidden_});
    return at::linear(normal, weight).unflatten(-1, {count, head_size_}).transpose(1, 2);
  };
  const at::Tensor q = nn::rotate(heads("q_proj", heads_), context.angles, nn::RotaryPairs::halves);
  const at::Tensor k = nn::rotate(heads("k_proj", groups_), context.angles, nn::RotaryPairs::halves);
  const double scale = 1 / std::sqrt(static_cast<double>(head_size_));
  const at::Tensor seen = nn::attend(q, k, heads("v_proj", groups_), scale, context.allowed_B1TT);
  const at::Tensor out = folder_.take(prefix + "self_attn.o_proj.weight", {hidden_, heads_ * head_size_});
  return x_BTD + at::linear(seen.transpose(1, 2).flatten(-2), out);
}

at::Tensor LlamaEncoder::forward(const at::Tensor& x_BTD, const std::string& prefix) const {
  const at::Tensor normal = normalize(x_BTD, prefix + "post_attention_layernorm.weight");
  const at::Tensor gate = at::linear(normal, folder_.take(prefix + "mlp.gate_proj.weight", {width_, hidden_}));
  const at::Tensor up = at::linear(normal, folder_.take(prefix + "mlp.up_proj.weight", {width_, hidden_}));
  return x_BTD + at::linear(at::silu(gate) * up, folder_.take(prefix + "mlp.down_proj.weight", {hidden_, width_}));
}

at::Tensor LlamaEncoder::operator()(const at::Tensor& ids_BT, const at::Tensor& mask_BT) const {
  const at::Device device = folder_.options().device();
  const std::int64_t tokens = ids_BT.size(1);
  const at::Tensor position_T1 = at::arange(tokens, at::kDouble).unsqueeze(1);
  const at::Tensor angle = (position_T1 * rotary_frequencies(head_size_, base_, scaling_)).unsqueeze(0).unsqueeze(0);
  const at::Tensor causal = at::ones({tokens, tokens}, at::kBool).tril();
  const Context context{{angle.cos().to(device, at::kFloat), angle.sin().to(device, at::kFloat)},
                        (causal & mask_BT.cpu().unsqueeze(1).unsqueeze(1)).to(device)};
  at::Tensor x = folder_.look_up("model.embed_tokens.weight", vocabulary_, hidden_, ids_BT);
  std::vector<at::Tensor> states;
  for (std::int64_t i = 0; i < layers_; ++i) {
    if (cancelled()) return {};
    const std::string prefix = fmt::format("model.layers.{}.", i);
    x = forward(attention(x, context, prefix), prefix);
    states.push_back(i + 1 < layers_ ? x : normalize(x, "model.norm.weight"));
  }
  return at::stack(states);
}

}  // namespace filigree::encoders
