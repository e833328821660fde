#pragma once

#include <ATen/core/Tensor.h>

namespace filigree::image {

/// attend_all() in one kernel that never holds the table of all scores; undefined where this build (LibTorch before 2.5)
/// has none.
at::Tensor attend_all_fused(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias_S);

}  // namespace filigree::image
