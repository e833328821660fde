#include "encoders/t5.h"

#include <cmath>

#include <ATen/ATen.h>

#include "base/cancel.h"

namespace filigree::encoders {
namespace {

at::TensorOptions without_float16(const at::TensorOptions& options) {
  return options.dtype() == at::kHalf ? options.dtype(at::kFloat) : options;
}

}  // namespace

std::int64_t distance_bucket(std::int64_t distance, std::int64_t buckets, std::int64_t far) {
  const std::int64_t half = buckets / 2, exact = half / 2;
  const std::int64_t side = distance > 0 ? half : 0, length = std::abs(distance);
  if (length < exact) return side + length;
  // In float32, as published code has it: the floor would fall otherwise at some distances.
  const float share = std::log(static_cast<float>(length) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(far) / static_cast<double>(exact)));
  const auto beyond = static_cast<std::int64_t>(share * static_cast<float>(half - exact));
  return side + std::min(exact + beyond, half - 1);
}

T5Encoder::T5Encoder(const std::filesystem::path& folder, const at::TensorOptions& options)
    : folder_(folder, without_float16(options)),
      layers_(folder_.config().size("num_layers")),
      hidden_(folder_.config().size("d_model")),
      heads_(folder_.config().size("num_heads")),
      head_size_(folder_.config().size("d_kv")),
      width_(folder_.config().size("d_ff")),
      vocabulary_(folder_.config().size("vocab_size")),
      buckets_(folder_.config().size("relative_attention_num_buckets", 32)),
      far_(folder_.config().size("relative_attention_max_distance", 128)),
      eps_(folder_.config().number("layer_norm_epsilon", 1e-6)) {
  const std::string kind = folder_.config().word("feed_forward_proj", "relu");
  if (kind != "gated-gelu") {
    fail("{}: feed_forward_proj '{}' is not known (known: gated-gelu)", folder_.config().where(), kind);
  }
  if (buckets_ < 4 || far_ <= buckets_ / 4) {
    fail("{}: {} buckets for distances up to {} make no scale", folder_.config().where(), buckets_, far_);
  }
}

at::Tensor T5Encoder::bias_1HTT(std::int64_t tokens) const {
  const at::Tensor bucket_TT = at::empty({tokens, tokens}, at::kLong);
  auto* bucket = bucket_TT.data_ptr<std::int64_t>();
  for (std::int64_t query = 0; query < tokens; ++query) {
    for (std::int64_t key = 0; key < tokens; ++key) *bucket++ = distance_bucket(key - query, buckets_, far_);
  }
  const at::Tensor table =
      folder_.take("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", {buckets_, heads_});
  return at::embedding(table, bucket_TT.to(table.device())).permute({2, 0, 1}).unsqueeze(0);
}

at::Tensor T5Encoder::normalize(const at::Tensor& x_BTD, const std::string& name) const {
  const at::Tensor wide = x_BTD.to(at::kFloat);
  const at::Tensor unit = wide * at::rsqrt(wide.square().mean(-1, true) + eps_);
  return folder_.take(name, {hidden_}) * unit.to(x_BTD.scalar_type());
}

at::Tensor T5Encoder::block(const at::Tensor& x_BTD, const at::Tensor& bias_BHTT, const std::string& prefix) const {
  const std::string attention = prefix + "layer.0.SelfAttention.", forward = prefix + "layer.1.DenseReluDense.";
  const std::int64_t inner = heads_ * head_size_;
  at::Tensor normal = normalize(x_BTD, prefix + "layer.0.layer_norm.weight");
  const auto heads = [&](const std::string& name) {
    const at::Tensor weight = folder_.take(attention + name + ".weight", {inner, hidden_});
    return at::linear(normal, weight).unflatten(-1, {heads_, head_size_}).transpose(1, 2);
  };
  const at::Tensor score = at::matmul(heads("q"), heads("k").transpose(-1, -2)) + bias_BHTT;
  const at::Tensor share = at::softmax(score.to(at::kFloat), -1).to(x_BTD.scalar_type());
  const at::Tensor seen = at::matmul(share, heads("v")).transpose(1, 2).flatten(-2);
  const at::Tensor x = x_BTD + at::linear(seen, folder_.take(attention + "o.weight", {hidden_, inner}));
  normal = normalize(x, prefix + "layer.1.layer_norm.weight");
  const at::Tensor gate =
      at::gelu(at::linear(normal, folder_.take(forward + "wi_0.weight", {width_, hidden_})), "tanh");
  const at::Tensor wide = gate * at::linear(normal, folder_.take(forward + "wi_1.weight", {width_, hidden_}));
  return x + at::linear(wide, folder_.take(forward + "wo.weight", {hidden_, width_}));
}

at::Tensor T5Encoder::operator()(const at::Tensor& ids_BT, const at::Tensor& mask_BT) const {
  const at::Device device = folder_.options().device();
  const std::string table = folder_.has("shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight";
  at::Tensor x = folder_.look_up(table, vocabulary_, hidden_, ids_BT);
  const at::Tensor hidden_B11T = mask_BT.to(device).logical_not().unsqueeze(1).unsqueeze(1);
  const at::Tensor bias = bias_1HTT(ids_BT.size(1))
                              .expand({ids_BT.size(0), -1, -1, -1})
                              .masked_fill(hidden_B11T, -std::numeric_limits<double>::infinity());
  for (std::int64_t i = 0; i < layers_; ++i) {
    if (cancelled()) return {};
    x = block(x, bias, fmt::format("encoder.block.{}.", i));
  }
  return normalize(x, "encoder.final_layer_norm.weight");
}

}  // namespace filigree::encoders
