#pragma once

#include <ATen/core/Tensor.h>

/// The grouped products of LibTorch's own CUDA kernel, which reads on the device where groups end.
namespace filigree::ops::detail {

/// Whether there is a kernel for these: LibTorch from 2.11 on, a GPU, bfloat16, sizes that are multiples of 8.
bool has_grouped_kernel(const at::Tensor& x_RI, const at::Tensor& w_EOI);

/// y_RO = x_r w_e for the rows of each group. end_E: int32 on the device, where each group's rows end.
at::Tensor grouped_rows(const at::Tensor& x_RI, const at::Tensor& w_EIO, const at::Tensor& end_E);

/// Σ over the rows of each group of a_r b_r^T; zero for a group without rows.
at::Tensor grouped_outer(const at::Tensor& a_RO, const at::Tensor& b_RI, const at::Tensor& end_E);

}  // namespace filigree::ops::detail
