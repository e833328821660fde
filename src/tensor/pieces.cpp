#include "tensor/pieces.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "base/error.h"

namespace filigree::tensor {
namespace {

constexpr std::int64_t kPiece = 1 << 22;  // numbers held beside the tensor
constexpr std::int64_t kGrain = 1 << 16;  // numbers worth a thread

}  // namespace

void fill_rows(const at::Tensor& destination, std::int64_t rows,
               const std::function<void(std::int64_t, std::int64_t, float*)>& fill) {
  if (destination.numel() == 0) return;
  FILIGREE_ASSERT(rows > 0 && destination.numel() % rows == 0);
  const std::int64_t width = destination.numel() / rows;
  const auto shared = [&](std::int64_t first, std::int64_t count, float* out) {
    at::parallel_for(0, count, std::max<std::int64_t>(1, kGrain / width),
                     [&](std::int64_t from, std::int64_t to) { fill(first + from, to - from, out + from * width); });
  };
  if (destination.is_cpu() && destination.scalar_type() == at::kFloat && destination.is_contiguous()) {
    return shared(0, rows, destination.data_ptr<float>());
  }
  const bool direct = destination.is_contiguous();
  at::Tensor flat = direct ? destination.view({rows, width}) : at::empty({rows, width}, destination.options());
  const std::int64_t most = std::min(rows, std::max<std::int64_t>(1, kPiece / width));
  at::Tensor piece = at::empty({most, width}, at::kFloat);
  for (std::int64_t first = 0; first < rows; first += most) {
    const std::int64_t count = std::min(most, rows - first);
    shared(first, count, piece.data_ptr<float>());
    flat.narrow(0, first, count).copy_(piece.narrow(0, 0, count));
  }
  if (!direct) destination.copy_(flat.view(destination.sizes()));
}

}  // namespace filigree::tensor
