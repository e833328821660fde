#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace filigree::tensor {

/// Tensors to tensors.
using Function = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

}  // namespace filigree::tensor
