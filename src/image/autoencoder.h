#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/json.h"
#include "nn/parameters.h"

/// The autoencoder of FLUX (huggingface/diffusers: models/autoencoders/{autoencoder_kl,vae}.py): images to latents of an
/// eighth of the size, and back.
///
/// B batch, C channels, H and W height and width.
namespace filigree::image {

struct AutoencoderConfig {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  std::int64_t latent_channels = 16;
  std::vector<std::int64_t> block_out_channels;
  std::int64_t layers_per_block = 2;  ///< of the encoder; the decoder has one more
  std::int64_t norm_num_groups = 32;
  bool mid_block_add_attention = true;
  bool use_quant_conv = false;
  bool use_post_quant_conv = false;
  double scaling_factor = 0.3611;
  double shift_factor = 0.1159;

  /// Pixels a side of one latent cell.
  std::int64_t reduction() const { return std::int64_t{1} << (block_out_channels.size() - 1); }
};

/// From a published vae/config.json. Error for what cannot be run.
AutoencoderConfig autoencoder_from_json(const Json& json, const std::string& where);

/// Of the latents of an image: a normal distribution.
struct Moments {
  at::Tensor mean_BCHW, logvar_BCHW;  ///< logvar within [-30, 20]
};

/// Large images piece by piece: tiles that overlap, with the overlap blended linearly. Norms and attention then see one
/// tile at a time, so the result differs a little from that of the whole.
struct Tiling {
  std::int64_t size = 0;     ///< pixels a side of a tile, a multiple of the reduction; 0: the image in one piece
  std::int64_t overlap = 0;  ///< pixels that neighbours share; 0: a quarter of the size
};

class Autoencoder {
 public:
  /// With zero weights and unit norms: to be loaded or initialised.
  explicit Autoencoder(AutoencoderConfig config, const at::TensorOptions& options = {});
  Autoencoder(Autoencoder&&) noexcept;
  Autoencoder& operator=(Autoencoder&&) noexcept;
  ~Autoencoder();

  const AutoencoderConfig& config() const { return config_; }
  at::ScalarType dtype() const;
  at::Device device() const;

  /// Of images (B, 3, H, W) in [-1, 1]. Error where H or W is no multiple of the reduction.
  Moments encode(const at::Tensor& image_BCHW, const Tiling& tiling = {}) const;

  /// Images, about in [-1, 1], of latents as encode() gives them.
  at::Tensor decode(const at::Tensor& latents_BCHW, const Tiling& tiling = {}) const;

  /// Between these latents and those that the transformer sees: (z − shift) · scaling, and back.
  at::Tensor to_model(const at::Tensor& latents) const;
  at::Tensor from_model(const at::Tensor& latents) const;

  /// Every tensor by its published name.
  nn::Parameters parameters();

 private:
  struct Networks;
  AutoencoderConfig config_;
  std::unique_ptr<Networks> networks_;
};

/// From a published folder (config.json beside safetensors). Error lists what is missing, unexpected or of another shape.
Autoencoder load_autoencoder(const std::string& folder, const at::TensorOptions& options = {});

}  // namespace filigree::image
