#include "image/joint_attention_fused.h"

/// For LibTorch before 2.5.
namespace filigree::image {

at::Tensor attend_all_fused(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&) { return {}; }

}  // namespace filigree::image
