#include "nn/attention_fused.h"

/// For a LibTorch without fused attention.
namespace filigree::nn {

at::Tensor attend_fused(const at::Tensor&, const at::Tensor&, const at::Tensor&, double) { return {}; }

}  // namespace filigree::nn
