#pragma once

#include <ATen/core/Tensor.h>

/// Several matrix products at once: the rows of each group with a matrix of their own.
namespace filigree::ops {

/// y_RO: row r of group e is W_e x_r, with the rows of group 0 first, then those of group 1, …
///
/// x_RI:    rows, I inputs
/// w_EOI:   one matrix for each of E groups
/// count_E: int64, how many rows each group has; their sum is R
///
/// Gradients with respect to x and w. Error where the counts do not make up the rows; but with counts on a GPU and a
/// kernel that reads them there the host does not wait for them, and rows beyond their sum are undefined.
at::Tensor grouped_matmul(const at::Tensor& x_RI, const at::Tensor& w_EOI, const at::Tensor& count_E);

/// Whether such a kernel serves these, so that counts are best left on the GPU.
bool counts_stay_on_device(const at::Tensor& x_RI, const at::Tensor& w_EOI);

/// The plain twin: one product after the other, differentiated by autograd.
at::Tensor grouped_matmul_reference(const at::Tensor& x_RI, const at::Tensor& w_EOI, const at::Tensor& count_E);

}  // namespace filigree::ops
