#pragma once

#include <ATen/core/Tensor.h>

#include "base/png.h"

/// Pictures as tensors and back.
namespace filigree::image {

/// (1, 3, H, W) float32 in [0, 1]; alpha is laid over white.
at::Tensor to_tensor(const Picture& picture);

/// Of one image (3, H, W) or (1, 3, H, W) in [0, 1], rounded.
Picture to_picture(const at::Tensor& image);

/// Brightness in [0, 1], (1, 1, H, W): a mask. Where the picture is transparent it counts as black.
at::Tensor to_mask(const Picture& picture);

/// Another size, with a bicubic filter that takes in all pixels where it shrinks.
at::Tensor resize(const at::Tensor& image_BCHW, std::int64_t height, std::int64_t width);

/// The largest part of the size's shape in the middle, then resized.
at::Tensor resize_and_crop(const at::Tensor& image_BCHW, std::int64_t height, std::int64_t width);

}  // namespace filigree::image
