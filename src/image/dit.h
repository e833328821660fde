#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "image/conditioning.h"
#include "image/dit_block.h"
#include "image/lora.h"
#include "nn/parameters.h"
#include "spec/dit.h"
#include "tensor/weight_source.h"

/// The sparse diffusion transformer of HiDream-I1 and E1 (arXiv 2505.22705; huggingface/diffusers:
/// models/transformers/transformer_hidream_image.py).
///
/// B batch, C latent channels, H and W latent cells, I image tokens (patches in rows), T text tokens, D hidden, S steps,
/// M numbers of a modulation.
namespace filigree::image {

/// What stands behind the image tokens of a size that is not square. The published code fills up to `max_seq` tokens with
/// zeros and multiplies their keys by zero, so that each still weighs exp(0) in the attention. All these rows are equal
/// and stay so.
enum class Padding {
  one_row,   ///< one row that counts as often as there would be rows: the same numbers for less work
  all_rows,  ///< all of them, as published: the twin of one_row
  none,      ///< no padding, as ComfyUI has it: other pictures
};

struct DitOptions {
  Padding padding = Padding::one_row;
  /// Leaves out what has no effect: queries, feed-forward and output of each block's own Llama rows, and of all text rows
  /// in the last block.
  bool skip_discarded = true;
  /// How one_row counts: by repeating its keys and values in the attention, or by a bias on its scores. By default the
  /// first on a GPU, whose fused attention is faster without a bias, and exact in bfloat16.
  std::optional<bool> repeat_pad_keys = {};
  /// Looks at cancelled() after each block, and then gives an undefined tensor.
  bool cancel_within_step = false;
};

/// What does not depend on the latents: computed once for a batch of texts and a list of timesteps.
struct Prepared {
  at::Tensor text_BTD;                     ///< T5 and the last Llama layer
  std::vector<at::Tensor> llama_BTD;       ///< of each block
  std::vector<at::Tensor> modulation_SBM;  ///< of each block
  at::Tensor final_SBM;
};

class Dit {
 public:
  /// With zero weights and unit norms: to be loaded or initialised.
  explicit Dit(spec::Dit config, const at::TensorOptions& options = {});

  /// Streamed: weights of blocks are brought from `weights` into one block of each kind when they are needed, and only
  /// the parts outside the blocks are held. No gradients. Error where names or shapes do not match.
  Dit(spec::Dit config, std::shared_ptr<const tensor::WeightSource> weights, const at::TensorOptions& options = {});

  const spec::Dit& config() const { return config_; }
  at::ScalarType dtype() const { return patch_embed_.weight_OI.scalar_type(); }
  at::Device device() const { return patch_embed_.weight_OI.device(); }
  bool streamed() const { return weights_ != nullptr; }

  DitOptions options;
  /// Image tokens that sizes other than square are filled up to, and the most there may be. From max_resolution; E1.1
  /// sets 8192.
  std::int64_t max_seq = 0;

  /// data − noise for latents (B, C, H, W) at timesteps 1000 σ (B). The result has the latents' shape and the model's
  /// dtype. Error for sizes that do not fit.
  at::Tensor operator()(const at::Tensor& latents_BCHW, const at::Tensor& timestep_B,
                        const Conditioning& conditioning) const;

  /// For many steps with the same texts: prepare once, then give the number of the step. timestep_S: (S), or (S, B).
  Prepared prepare(const Conditioning& conditioning, const at::Tensor& timestep_S) const;
  at::Tensor operator()(const at::Tensor& latents_BCHW, const Prepared& prepared, std::int64_t step) const;

  /// Every tensor by its published name; streamed, only those that are held.
  void list(nn::Parameters& out);
  nn::Parameters parameters();

  std::int64_t num_blocks() const { return config_.num_layers + config_.num_single_layers; }

 private:
  struct Embedder {  ///< linear, SiLU, linear
    nn::Linear first, second;
    at::Tensor operator()(const at::Tensor& x) const;
  };

  void make(std::int64_t dual_blocks, std::int64_t single_blocks, const at::TensorOptions& options);
  void list_outer(nn::Parameters& out);
  std::string block_name(std::size_t block) const;
  void bring(std::size_t block) const;
  void check(const Conditioning& conditioning) const;
  at::Tensor time_features(const at::Tensor& timestep_N) const;
  BlockPass make_pass(std::int64_t rows, std::int64_t columns, std::int64_t pads, std::int64_t text_rows) const;
  std::int64_t count_pads(std::int64_t rows, std::int64_t columns) const;
  const DualBlock& dual(std::size_t block) const;
  const SingleBlock& single(std::size_t block) const;
  at::Tensor modulation(std::size_t block, const at::Tensor& x_NBD) const;
  at::Tensor run_blocks(at::Tensor image_BID, const Prepared& prepared, std::int64_t step, BlockPass pass) const;

  spec::Dit config_;
  Embedder time_, pooled_;
  nn::Linear patch_embed_, final_modulation_, final_;
  std::vector<nn::Linear> caption_;
  std::vector<DualBlock> dual_;      ///< one only where streamed
  std::vector<SingleBlock> single_;  ///< likewise
  std::shared_ptr<const tensor::WeightSource> weights_;
  tensor::NamedTensors dual_slot_, single_slot_;  ///< streamed: the tensors of those, named without the block's prefix
};

struct DitLoading {
  at::TensorOptions options = {};
  bool stream = false;  ///< bring blocks from the file when they are needed
  std::vector<LoraFile> loras = {};
};

/// The transformer's weights of a folder (config.json beside one file or shards) or of one file, safetensors or GGUF,
/// whose names may begin with "model.diffusion_model.".
std::shared_ptr<const tensor::WeightSource> open_dit_weights(const std::string& path);

/// The config.json of the folder, or of the file's folder; else that of HiDream-I1.
spec::Dit read_dit_config(const std::string& path);

/// Error lists what is missing, unexpected or of another shape.
Dit load_dit(const std::string& path, const DitLoading& loading = {});

}  // namespace filigree::image
