#pragma once

#include "base/png.h"
#include "image/autoencoder.h"

namespace filigree::image {

/// What latents show, roughly and at once: a linear map from the channels of a latent cell to one colour. The map is
/// fitted to the autoencoder by least squares, over smooth random pictures, so that it holds for every autoencoder.
class LatentPreview {
 public:
  explicit LatentPreview(const Autoencoder& autoencoder);

  /// Latents (B, C, H, W) as the transformer sees them, as one picture with a row for all of the batch; each latent cell
  /// becomes as many pixels as it stands for.
  Picture operator()(const at::Tensor& latents_BCHW) const;

  /// The colours alone, (B, 3, H, W) in [0, 1].
  at::Tensor colours(const at::Tensor& latents_BCHW) const;

 private:
  std::int64_t reduction_;
  at::Tensor weight_C3, bias_3;
};

}  // namespace filigree::image
