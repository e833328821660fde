#include "nn/linear.h"

#include <ATen/ATen.h>

#include "nn/rms_norm_fused.h"

namespace filigree::nn {

Linear::Linear(std::int64_t inputs, std::int64_t outputs, bool bias, const at::TensorOptions& options)
    : weight_OI(at::zeros({outputs, inputs}, options)) {
  if (bias) bias_O = at::zeros({outputs}, options);
}

at::Tensor Linear::operator()(const at::Tensor& x) const { return at::linear(x, weight_OI, bias_O); }

void Linear::list(Parameters& out, const std::string& prefix) {
  list_tensor(out, prefix + ".weight", weight_OI);
  list_tensor(out, prefix + ".bias", bias_O);
}

RmsNorm::RmsNorm(std::int64_t size, double eps_given, const at::TensorOptions& options)
    : weight_D(at::ones({size}, options)), eps(eps_given) {}

at::Tensor RmsNorm::operator()(const at::Tensor& x) const {
  const at::Tensor y = rms_norm_fused(x, weight_D, eps);
  return y.defined() ? y : reference(x);
}

at::Tensor RmsNorm::reference(const at::Tensor& x) const {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor unit = wide * at::rsqrt(wide.square().mean(-1, true) + eps);
  return weight_D * unit.to(x.scalar_type());
}

void RmsNorm::list(Parameters& out, const std::string& prefix) { list_tensor(out, prefix + ".weight", weight_D); }

SwiGlu::SwiGlu(std::int64_t hidden, std::int64_t width, const at::TensorOptions& options)
    : gate(hidden, width, false, options), up(hidden, width, false, options), down(width, hidden, false, options) {}

at::Tensor SwiGlu::operator()(const at::Tensor& x) const { return down(at::silu(gate(x)) * up(x)); }

void SwiGlu::list(Parameters& out, const std::string& prefix) {
  gate.list(out, prefix + ".gate_proj");
  up.list(out, prefix + ".up_proj");
  down.list(out, prefix + ".down_proj");
}

}  // namespace filigree::nn
