#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "tensor/weight_source.h"

/// Products with matrices that stay in their file.
namespace filigree::tensor {
namespace {

constexpr std::int64_t kTile = 1 << 21;  // numbers of the matrix that are held at a time

at::Tensor read_whole(const WeightSource& source, const std::string& name, const at::TensorOptions& options) {
  at::Tensor out = at::empty(source.shape(name), options);
  source.read(name, out);
  return out;
}

}  // namespace

at::Tensor streamed_linear(const at::Tensor& x, const WeightSource& source, const std::string& weight,
                           const std::string& bias) {
  const c10::NoGradGuard no_grad;
  const std::vector<std::int64_t> shape = source.shape(weight);  // (O, I)
  const std::int64_t tile = std::min(shape[0], std::max<std::int64_t>(1, kTile / shape[1]));
  const at::Tensor rows_NI = x.reshape({-1, shape[1]});
  at::Tensor y_NO = at::empty({rows_NI.size(0), shape[0]}, x.options());
  const at::Tensor held = at::empty({tile, shape[1]}, x.options());
  for (std::int64_t first = 0; first < shape[0]; first += tile) {
    const std::int64_t count = std::min(tile, shape[0] - first);
    const at::Tensor part = held.narrow(0, 0, count);
    source.read_rows(weight, first, count, part);
    y_NO.narrow(1, first, count).copy_(at::mm(rows_NI, part.t()));
  }
  source.forget(weight);
  if (!bias.empty()) y_NO.add_(read_whole(source, bias, x.options()));
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes.back() = shape[0];
  return y_NO.view(sizes);
}

at::Tensor streamed_linear_reference(const at::Tensor& x, const WeightSource& source, const std::string& weight,
                                     const std::string& bias) {
  const c10::NoGradGuard no_grad;
  const at::Tensor b = bias.empty() ? at::Tensor() : read_whole(source, bias, x.options());
  return at::linear(x, read_whole(source, weight, x.options()), b);
}

}  // namespace filigree::tensor
