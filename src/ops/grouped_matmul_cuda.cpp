#include "ops/grouped_matmul_cuda.h"

#include <ATen/ATen.h>

/// For LibTorch from 2.11 on.
namespace filigree::ops::detail {

bool has_grouped_kernel(const at::Tensor& x_RI, const at::Tensor& w_EOI) {
  constexpr std::int64_t kAligned = 8;        // rows of 16 bytes
  constexpr std::int64_t kMostGroups = 1024;  // one thread each
  return x_RI.is_cuda() && x_RI.scalar_type() == at::kBFloat16 && w_EOI.scalar_type() == at::kBFloat16 &&
         x_RI.size(0) > 0 && x_RI.size(1) % kAligned == 0 && w_EOI.size(1) % kAligned == 0 &&
         w_EOI.size(0) < kMostGroups && w_EOI.is_contiguous();
}

at::Tensor grouped_rows(const at::Tensor& x_RI, const at::Tensor& w_EIO, const at::Tensor& end_E) {
  return at::_grouped_mm(x_RI, w_EIO, end_E);
}

at::Tensor grouped_outer(const at::Tensor& a_RO, const at::Tensor& b_RI, const at::Tensor& end_E) {
  return at::_grouped_mm(a_RO.t(), b_RI, end_E);
}

}  // namespace filigree::ops::detail
