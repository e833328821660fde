#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "language/config.h"
#include "moe/layer.h"
#include "nn/attention.h"
#include "nn/linear.h"
#include "tensor/function.h"

/// Decoder-only transformers with latent or grouped-query attention and a mixture of experts, as published by openPangu
/// (arXiv 2505.04519), DeepSeek-V3 (arXiv 2412.19437) and Qwen3.
///
/// B batch, T tokens, D hidden, V vocabulary. Single device; nothing here knows of placement or recomputation.
namespace filigree::language {

/// Keys and values of all layers. `start` tokens are in it.
struct Cache {
  std::vector<nn::AttentionCache> layers;
  std::int64_t start = 0, room = 0;
};

/// Parts of a model that can be run in other ways than at once: a layer as a whole, its attention, its feed-forward
/// network (with their norms), and the head with the loss.
enum class Part { layer, attention, feed_forward, head };

/// Runs one part of layer number `layer`; language/parallelize.h makes some (recomputation). Nothing: it simply runs.
using PartRunner = std::function<std::vector<at::Tensor>(Part, std::size_t layer, const tensor::Function&,
                                                         const std::vector<at::Tensor>&)>;

/// Of one forward pass.
struct Pass {
  nn::Angles angles;
  at::Tensor allowed_B1TS;
  Cache* cache = nullptr;
  bool absorbed = true;
  std::vector<moe::Routing>* routings = nullptr;  ///< collects those of every layer with experts, if wanted
  std::int64_t* dropped = nullptr;                ///< counts dropped (token, expert) pairs
  const PartRunner* runner = nullptr;
  std::vector<moe::Layer::Result>* expert_results = nullptr;  ///< collects what these layers gave, if wanted
};

/// One layer. With a sandwich norm h += n2(attention(n1(h))), h += n4(f(n3(h))); without, n2 and n4 are absent.
struct Block {
  nn::RmsNorm before_attention, after_attention, before_feed_forward, after_feed_forward;
  std::unique_ptr<nn::Attention> attention;
  std::optional<nn::SwiGlu> dense;
  std::optional<moe::Layer> experts;

  at::Tensor operator()(const at::Tensor& h_BTD, const Pass& pass, std::size_t layer) const;

 private:
  using Tensors = std::vector<at::Tensor>;
  Tensors run(const Tensors& h, const Pass& pass, std::size_t layer) const;
  at::Tensor attend(const at::Tensor& h_BTD, const Pass& pass, std::size_t layer) const;
  Tensors feed_forward(const at::Tensor& h_BTD, const Pass& pass) const;
};

/// A multi-token-prediction module (DeepSeek-V3 §2.2): from the hidden state of token i and the embedding of token i + 1
/// it predicts token i + 2. Embedding and head are the main model's.
struct Predictor {
  nn::RmsNorm embedding_norm, hidden_norm, final_norm;
  nn::Linear join;  ///< of [embedding, hidden]
  Block block;
};

struct Output {
  at::Tensor hidden_BTD;  ///< before the final norm
  at::Tensor logits_BTV;
};

class Model {
 public:
  /// With zero weights and unit norms: to be loaded or initialised.
  explicit Model(Config config, const at::TensorOptions& options = {});

  const Config& config() const { return config_; }
  at::Device device() const { return embedding_VD_.device(); }
  at::ScalarType dtype() const { return embedding_VD_.scalar_type(); }

  /// ids (B, T), int64, on the model's device. Without a cache each token sees those before it.
  Output forward(const at::Tensor& ids_BT, Pass pass = {}) const;

  /// The two halves of forward(): the hidden states before the final norm, and the logits of some of them.
  at::Tensor hidden(const at::Tensor& ids_BT, Pass pass = {}) const;
  at::Tensor logits(const at::Tensor& h_BTD) const;

  /// Rotary angles of the positions (B, T).
  nn::Angles angles(const at::Tensor& positions_BT) const;

  bool has_predictor() const { return !predictors_.empty(); }

  /// Logits (B, T, V) of the token after the next one. hidden_BTD: of forward(), at some tokens; next_BT: the tokens that
  /// follow each of them. Error where the model has no multi-token-prediction module.
  at::Tensor predict(const at::Tensor& next_BT, const at::Tensor& hidden_BTD, Pass pass = {}) const;

  /// Its hidden states, ready for head().
  at::Tensor predict_hidden(const at::Tensor& next_BT, const at::Tensor& hidden_BTD, Pass pass = {}) const;
  at::Tensor head(const at::Tensor& h_BTD) const;

  /// Room for so many tokens in the main layers, or in the prediction module.
  Cache make_cache(std::int64_t batch, std::int64_t room) const;
  Cache make_predictor_cache(std::int64_t batch, std::int64_t room) const;

  /// Every tensor by its published name, in the order of the layers.
  nn::Parameters parameters();

  /// Layers of `routings` in a pass: the layers with experts, main ones first, then the predictors'.
  std::vector<std::int64_t> expert_layers() const;

  std::vector<Block>& blocks() { return blocks_; }
  const std::vector<Block>& blocks() const { return blocks_; }

  /// The layer of each prediction module.
  std::vector<Block*> predictor_blocks();

 private:
  nn::RmsNorm make_norm(const at::TensorOptions& options) const;
  Block make_block(const spec::LayerKind& kind, const at::TensorOptions& options) const;
  void list_block(Block& block, nn::Parameters& out, const std::string& prefix);
  at::Tensor embed(const at::Tensor& ids_BT) const;
  void complete(Pass& pass, const at::Tensor& ids_BT) const;

  Config config_;
  at::Tensor embedding_VD_;
  std::vector<Block> blocks_;
  nn::RmsNorm final_norm_;
  nn::Linear head_;  ///< undefined where the embedding serves
  std::vector<Predictor> predictors_;
};

/// Mean cross-entropy of logits (B, T, V) for the tokens target (B, T); those with target -100 do not count.
at::Tensor cross_entropy(const at::Tensor& logits_BTV, const at::Tensor& target_BT);

/// Reads a published folder: config.json and safetensors. Error lists what is missing, unexpected or of another shape.
Model load_model(const std::string& folder, const at::TensorOptions& options = {});

/// The folder's weights in a model whose config was changed in a way that fits them, such as another rotary base.
Model load_model(const std::string& folder, Config config, const at::TensorOptions& options);

/// Writes such a folder: names and config as it was read.
void save_model(Model& model, const std::string& folder);

}  // namespace filigree::language
