#include "image/tiles.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::image {
namespace {

/// Where tiles begin so that they cover `length`; the last ends with it.
std::vector<std::int64_t> tile_starts(std::int64_t length, const TileGrid& grid) {
  std::vector<std::int64_t> starts;
  for (std::int64_t at = 0; at + grid.size < length; at += grid.size - grid.overlap) starts.push_back(at);
  starts.push_back(std::max<std::int64_t>(0, length - grid.size));
  return starts;
}

/// Weights along one axis of a tile: rising over the overlap from each edge that is inside the picture.
at::Tensor ramp(std::int64_t size, std::int64_t overlap, bool rises, bool falls, const at::TensorOptions& options) {
  const at::Tensor place = at::arange(size, options);
  at::Tensor weight = at::ones({size}, options);
  const double width = static_cast<double>(overlap) + 1;
  if (rises) weight = at::minimum(weight, (place + 1) / width);
  if (falls) weight = at::minimum(weight, (static_cast<double>(size) - place) / width);
  return weight;
}

}  // namespace

TileGrid tile_grid(const Tiling& tiling, std::int64_t reduction, std::int64_t cells_per_latent) {
  if (tiling.size == 0) return {};
  const std::int64_t overlap = tiling.overlap > 0 ? tiling.overlap : tiling.size / 4 / reduction * reduction;
  if (tiling.size < 2 * reduction || tiling.size % reduction != 0 || overlap % reduction != 0 ||
      overlap >= tiling.size) {
    fail(
        "tiles of {} pixels that overlap by {} cannot be used; both must be multiples of {}, the overlap smaller than "
        "the tile",
        tiling.size, overlap, reduction);
  }
  return {tiling.size / reduction * cells_per_latent, overlap / reduction * cells_per_latent};
}

at::Tensor in_tiles(const at::Tensor& x, const TileGrid& grid, std::int64_t up, std::int64_t down,
                    const std::function<at::Tensor(const at::Tensor&)>& f) {
  const std::int64_t height = x.size(2), width = x.size(3);
  if (grid.size == 0 || (height <= grid.size && width <= grid.size)) return f(x);
  const auto scaled = [&](std::int64_t n) { return n * up / down; };
  const at::TensorOptions wide = x.options().dtype(at::kFloat);
  at::Tensor sum, total = at::zeros({scaled(height), scaled(width)}, wide);
  for (const std::int64_t top : tile_starts(height, grid)) {
    for (const std::int64_t left : tile_starts(width, grid)) {
      const std::int64_t h = std::min(grid.size, height), w = std::min(grid.size, width);
      const at::Tensor y = f(x.narrow(2, top, h).narrow(3, left, w)).to(at::kFloat);
      const std::int64_t overlap = scaled(grid.overlap);
      const at::Tensor weight_HW = ramp(y.size(2), overlap, top > 0, top + h < height, wide).unsqueeze(1) *
                                   ramp(y.size(3), overlap, left > 0, left + w < width, wide).unsqueeze(0);
      if (!sum.defined()) sum = at::zeros({x.size(0), y.size(1), scaled(height), scaled(width)}, wide);
      sum.narrow(2, scaled(top), y.size(2)).narrow(3, scaled(left), y.size(3)).add_(y * weight_HW);
      total.narrow(0, scaled(top), y.size(2)).narrow(1, scaled(left), y.size(3)).add_(weight_HW);
    }
  }
  return (sum / total).to(x.scalar_type());
}

}  // namespace filigree::image
