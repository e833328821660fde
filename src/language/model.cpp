#include "language/model.h"

#include <cmath>
#include <utility>

#include <ATen/ATen.h>

#include "base/error.h"
#include "spec/count.h"

namespace filigree::language {

Model::Model(Config config, const at::TensorOptions& options) : config_(std::move(config)) {
  const spec::Model& m = config_.model;
  if (m.mamba || m.learned_positions || m.layer_norm || m.feed_forward_bias ||
      m.feed_forward != spec::FeedForwardKind::swiglu) {
    fail(
        "{}: a model with Mamba, learned positions, LayerNorm, biases or another feed-forward than SwiGLU cannot be "
        "run, "
        "only planned",
        m.name);
  }
  embedding_VD_ = at::zeros({m.vocabulary, m.hidden}, options);
  const std::vector<spec::LayerKind> kinds = spec::layer_kinds(m);
  for (const spec::LayerKind& kind : kinds) blocks_.push_back(make_block(kind, options));
  final_norm_ = make_norm(options);
  if (!m.tied_embeddings) head_ = nn::Linear(m.hidden, m.vocabulary, false, options);
  for (std::int64_t i = 0; i < m.mtp_layers; ++i) {
    predictors_.push_back({make_norm(options), make_norm(options), make_norm(options),
                           nn::Linear(2 * m.hidden, m.hidden, false, options), make_block(kinds.back(), options)});
  }
}

nn::RmsNorm Model::make_norm(const at::TensorOptions& options) const {
  return {config_.model.hidden, config_.norm_eps, options};
}

Block Model::make_block(const spec::LayerKind& kind, const at::TensorOptions& options) const {
  const spec::Model& m = config_.model;
  Block block;
  block.before_attention = make_norm(options);
  block.before_feed_forward = make_norm(options);
  if (m.sandwich_norm) {
    block.after_attention = make_norm(options);
    block.after_feed_forward = make_norm(options);
  }
  nn::AttentionSettings settings{.norm_eps = config_.inner_norm_eps, .pairs = config_.pairs};
  if (m.attention.latent()) {
    settings.score_scale = config_.rotary_scaling.latent_factor / std::sqrt(static_cast<double>(m.attention.head_dim));
  }
  block.attention = nn::make_attention(m.attention, m.hidden, settings, options);
  if (kind.feed_forward == spec::FeedForward::experts) {
    block.experts.emplace(*m.experts, m.hidden, config_.router, options);
  } else {
    block.dense.emplace(m.hidden, m.dense_width, options);
  }
  return block;
}

at::Tensor Model::embed(const at::Tensor& ids_BT) const { return at::embedding(embedding_VD_, ids_BT); }

at::Tensor Model::head(const at::Tensor& h_BTD) const {
  return head_.weight_OI.defined() ? head_(h_BTD) : at::linear(h_BTD, embedding_VD_);
}

/// Angles of positions start, start + 1, … where none are given.
void Model::complete(Pass& pass, const at::Tensor& ids_BT) const {
  if (pass.angles.cos.defined()) return;
  const std::int64_t start = pass.cache != nullptr ? pass.cache->start : 0;
  pass.angles = angles(at::arange(start, start + ids_BT.size(1), ids_BT.options()).unsqueeze(0));
}

nn::Angles Model::angles(const at::Tensor& positions_BT) const {
  return nn::rotary_angles(positions_BT, blocks_.front().attention->rotary_size(), config_.rotary_base,
                           config_.rotary_scaling);
}

at::Tensor Model::hidden(const at::Tensor& ids_BT, Pass pass) const {
  complete(pass, ids_BT);
  at::Tensor h = embed(ids_BT);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) h = blocks_[layer](h, pass, layer);
  if (pass.cache != nullptr) pass.cache->start += ids_BT.size(1);
  return h;
}

at::Tensor Model::logits(const at::Tensor& h_BTD) const { return head(final_norm_(h_BTD)); }

Output Model::forward(const at::Tensor& ids_BT, Pass pass) const {
  const at::Tensor h = hidden(ids_BT, std::move(pass));
  return {h, logits(h)};
}

at::Tensor Model::predict(const at::Tensor& next_BT, const at::Tensor& hidden_BTD, Pass pass) const {
  return head(predict_hidden(next_BT, hidden_BTD, std::move(pass)));
}

at::Tensor Model::predict_hidden(const at::Tensor& next_BT, const at::Tensor& hidden_BTD, Pass pass) const {
  if (predictors_.empty()) fail("{} has no multi-token-prediction module", config_.model.name);
  const Predictor& p = predictors_.front();
  const at::Tensor joined = p.join(at::cat({p.embedding_norm(embed(next_BT)), p.hidden_norm(hidden_BTD)}, -1));
  complete(pass, next_BT);
  // A cache of the prediction module begins with its own layer.
  const at::Tensor h = p.block(joined, pass, pass.cache != nullptr ? 0 : blocks_.size());
  if (pass.cache != nullptr) pass.cache->start += next_BT.size(1);
  return p.final_norm(h);
}

Cache Model::make_cache(std::int64_t batch, std::int64_t room) const {
  const at::TensorOptions options = at::TensorOptions().dtype(dtype()).device(device());
  Cache cache;
  cache.room = room;
  for (const Block& block : blocks_) cache.layers.push_back(block.attention->make_cache(batch, room, options));
  return cache;
}

Cache Model::make_predictor_cache(std::int64_t batch, std::int64_t room) const {
  FILIGREE_ASSERT(has_predictor());
  const at::TensorOptions options = at::TensorOptions().dtype(dtype()).device(device());
  Cache cache;
  cache.room = room;
  cache.layers.push_back(predictors_.front().block.attention->make_cache(batch, room, options));
  return cache;
}

std::vector<std::int64_t> Model::expert_layers() const {
  std::vector<std::int64_t> layers;
  const auto add = [&](const Block& block, std::size_t layer) {
    if (block.experts) layers.push_back(static_cast<std::int64_t>(layer));
  };
  for (std::size_t i = 0; i < blocks_.size(); ++i) add(blocks_[i], i);
  for (std::size_t i = 0; i < predictors_.size(); ++i) add(predictors_[i].block, blocks_.size() + i);
  return layers;
}

std::vector<Block*> Model::predictor_blocks() {
  std::vector<Block*> blocks;
  for (Predictor& predictor : predictors_) blocks.push_back(&predictor.block);
  return blocks;
}

void Model::list_block(Block& block, nn::Parameters& out, const std::string& prefix) {
  block.attention->list(out, prefix + ".self_attn");
  block.before_attention.list(out, prefix + ".input_layernorm");
  if (config_.model.sandwich_norm) {
    block.after_attention.list(out, prefix + ".post_attention_layernorm");
    block.before_feed_forward.list(out, prefix + ".pre_mlp_layernorm");
    block.after_feed_forward.list(out, prefix + ".post_mlp_layernorm");
  } else {
    block.before_feed_forward.list(out, prefix + ".post_attention_layernorm");
  }
  if (block.experts) {
    block.experts->list(out, prefix + ".mlp");
  } else {
    block.dense->list(out, prefix + ".mlp");
  }
}

nn::Parameters Model::parameters() {
  nn::Parameters out;
  out.push_back({"model.embed_tokens.weight", &embedding_VD_});
  const std::string layers = "model.layers.";
  for (std::size_t i = 0; i < blocks_.size(); ++i) list_block(blocks_[i], out, layers + std::to_string(i));
  final_norm_.list(out, "model.norm");
  head_.list(out, "lm_head");
  for (std::size_t i = 0; i < predictors_.size(); ++i) {
    Predictor& p = predictors_[i];
    const std::string prefix = layers + std::to_string(blocks_.size() + i);
    p.embedding_norm.list(out, prefix + ".enorm");
    p.hidden_norm.list(out, prefix + ".hnorm");
    p.join.list(out, prefix + ".eh_proj");
    list_block(p.block, out, prefix);
    p.final_norm.list(out, prefix + ".shared_head.norm");
  }
  return out;
}

at::Tensor cross_entropy(const at::Tensor& logits_BTV, const at::Tensor& target_BT) {
  return at::cross_entropy_loss(logits_BTV.to(at::kFloat).flatten(0, 1), target_BT.flatten());
}

}  // namespace filigree::language
