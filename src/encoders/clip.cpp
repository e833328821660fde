#include "encoders/clip.h"

#include <cmath>

#include <ATen/ATen.h>

#include "base/cancel.h"
#include "nn/attention.h"

namespace filigree::encoders {

namespace {

at::Tensor activate(const at::Tensor& x, const std::string& kind) {
  if (kind == "quick_gelu") return x * at::sigmoid(1.702 * x);
  return at::gelu(x);
}

/// The position of the end token of each text, (B).
at::Tensor end_of_text(const at::Tensor& ids_BT, std::int64_t end_id) {
  if (end_id == 2) return ids_BT.argmax(-1);
  return ids_BT.eq(end_id).to(at::kInt).argmax(-1);
}

}  // namespace

ClipText::ClipText(const std::filesystem::path& folder, const at::TensorOptions& options)
    : folder_(folder, options),
      layers_(folder_.config().size("num_hidden_layers")),
      hidden_(folder_.config().size("hidden_size")),
      heads_(folder_.config().size("num_attention_heads")),
      width_(folder_.config().size("intermediate_size")),
      vocabulary_(folder_.config().size("vocab_size")),
      end_id_(folder_.config().size("eos_token_id", 2)),
      eps_(folder_.config().number("layer_norm_eps", 1e-5)),
      activation_(folder_.config().word("hidden_act", "quick_gelu")) {
  if (activation_ != "quick_gelu" && activation_ != "gelu") {
    fail("{}: hidden_act '{}' is not known (known: quick_gelu, gelu)", folder_.config().where(), activation_);
  }
  if (hidden_ % heads_ != 0) {
    fail("{}: hidden_size {} is no multiple of num_attention_heads {}", folder_.config().where(), hidden_, heads_);
  }
  if (!folder_.has("text_projection.weight")) {
    fail("{}: has no tensor 'text_projection.weight'; it must be a CLIPTextModelWithProjection", folder_.where());
  }
  positions_ = folder_.take("text_model.embeddings.position_embedding.weight", {-1, hidden_}).size(0);
  projected_ = folder_.take("text_projection.weight", {-1, hidden_}).size(0);
}

at::Tensor ClipText::normalize(const at::Tensor& x_BTD, const std::string& prefix) const {
  return at::layer_norm(x_BTD, {hidden_}, folder_.take(prefix + ".weight", {hidden_}),
                        folder_.take(prefix + ".bias", {hidden_}), eps_);
}

at::Tensor ClipText::linear(const at::Tensor& x, const std::string& prefix, std::int64_t outputs) const {
  return at::linear(x, folder_.take(prefix + ".weight", {outputs, x.size(-1)}),
                    folder_.take(prefix + ".bias", {outputs}));
}

at::Tensor ClipText::layer(const at::Tensor& x_BTD, const std::string& prefix) const {
  const at::Tensor normal = normalize(x_BTD, prefix + "layer_norm1");
  const auto heads = [&](const std::string& name) {
    return linear(normal, prefix + "self_attn." + name, hidden_).unflatten(-1, {heads_, -1}).transpose(1, 2);
  };
  const double scale = 1 / std::sqrt(static_cast<double>(hidden_ / heads_));
  const at::Tensor seen = nn::attend(heads("q_proj"), heads("k_proj"), heads("v_proj"), scale, {});
  const at::Tensor x = x_BTD + linear(seen.transpose(1, 2).flatten(-2), prefix + "self_attn.out_proj", hidden_);
  const at::Tensor wide = linear(normalize(x, prefix + "layer_norm2"), prefix + "mlp.fc1", width_);
  return x + linear(activate(wide, activation_), prefix + "mlp.fc2", hidden_);
}

at::Tensor ClipText::operator()(const at::Tensor& ids_BT) const {
  const std::int64_t tokens = ids_BT.size(1);
  if (tokens > positions_) fail("{}: {} tokens, but the model has {} positions", folder_.where(), tokens, positions_);
  const at::Tensor ids = ids_BT.to(folder_.options().device());
  const std::string embeddings = "text_model.embeddings.";
  at::Tensor x = folder_.look_up(embeddings + "token_embedding.weight", vocabulary_, hidden_, ids) +
                 folder_.take(embeddings + "position_embedding.weight", {positions_, hidden_}).narrow(0, 0, tokens);
  for (std::int64_t i = 0; i < layers_; ++i) {
    if (cancelled()) return {};
    x = layer(x, fmt::format("text_model.encoder.layers.{}.", i));
  }
  x = normalize(x, "text_model.final_layer_norm");
  const at::Tensor rows = at::arange(ids.size(0), ids.options());
  const at::Tensor pooled_BD = x.index({rows, end_of_text(ids, end_id_)});
  return at::linear(pooled_BD, folder_.take("text_projection.weight", {projected_, hidden_}));
}

}  // namespace filigree::encoders
