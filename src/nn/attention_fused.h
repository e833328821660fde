#pragma once

#include <ATen/core/Tensor.h>

namespace filigree::nn {

/// Causal attention in one kernel that never holds the table of all scores, with its gradient: as attend() without a
/// mask and with as many keys as queries. Undefined where this build (LibTorch before 2.5), device or shape has none.
///
/// On CUDA through at::scaled_dot_product_attention, for all head sizes; on the CPU where queries and values are of one
/// size. Scores are summed up in float32, as in attend(), but in another order.
at::Tensor attend_fused(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, double scale);

}  // namespace filigree::nn
