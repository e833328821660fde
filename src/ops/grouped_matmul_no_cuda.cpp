#include "base/error.h"
#include "ops/grouped_matmul_cuda.h"

/// For a LibTorch without grouped products.
namespace filigree::ops::detail {

bool has_grouped_kernel(const at::Tensor&, const at::Tensor&) { return false; }

at::Tensor grouped_rows(const at::Tensor&, const at::Tensor&, const at::Tensor&) {
  fail("this build has no grouped products on CUDA; they need LibTorch 2.11 or newer");
}

at::Tensor grouped_outer(const at::Tensor& a_RO, const at::Tensor& b_RI, const at::Tensor& end_E) {
  return grouped_rows(a_RO, b_RI, end_E);
}

}  // namespace filigree::ops::detail
