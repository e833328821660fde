#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

#include "image/autoencoder.h"

/// Work on a large picture piece by piece.
namespace filigree::image {

/// In cells of the input.
struct TileGrid {
  std::int64_t size = 0;  ///< 0: one piece
  std::int64_t overlap = 0;
};

/// Of tiles in pixels, where a latent cell has `reduction` pixels a side and an input cell is `pixels_per_latent` to the
/// latent cell (1: the input is latents). Error for sizes that do not fit.
TileGrid tile_grid(const Tiling& tiling, std::int64_t reduction, std::int64_t cells_per_latent);

/// f over tiles of x (B, C, H, W), where f's output is up / down times as large. Neighbours overlap; there each counts by
/// its distance from its own edge.
at::Tensor in_tiles(const at::Tensor& x, const TileGrid& grid, std::int64_t up, std::int64_t down,
                    const std::function<at::Tensor(const at::Tensor&)>& f);

}  // namespace filigree::image
