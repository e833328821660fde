#include "moe/experts.h"

#include <ATen/ATen.h>

#include "ops/grouped_matmul.h"

namespace filigree::moe {

Experts::Experts(std::int64_t experts, std::int64_t hidden, std::int64_t width, const at::TensorOptions& options)
    : gate_EFD(at::zeros({experts, width, hidden}, options)),
      up_EFD(at::zeros({experts, width, hidden}, options)),
      down_EDF(at::zeros({experts, hidden, width}, options)) {}

at::Tensor Experts::operator()(const at::Tensor& x_RD, const at::Tensor& count_E) const {
  // Once, where every product would ask for it there.
  const at::Tensor count = ops::counts_stay_on_device(x_RD, gate_EFD) ? count_E : count_E.to(at::kCPU);
  const at::Tensor gate_RF = ops::grouped_matmul(x_RD, gate_EFD, count);
  const at::Tensor up_RF = ops::grouped_matmul(x_RD, up_EFD, count);
  return ops::grouped_matmul(at::silu(gate_RF) * up_RF, down_EDF, count);
}

void Experts::list(nn::Parameters& out, const std::string& prefix) {
  for (std::int64_t e = 0; e < size(); ++e) {
    const std::string one = prefix + "." + std::to_string(e);
    out.push_back({one + ".gate_proj.weight", &gate_EFD, e});
    out.push_back({one + ".up_proj.weight", &up_EFD, e});
    out.push_back({one + ".down_proj.weight", &down_EDF, e});
  }
}

}  // namespace filigree::moe
