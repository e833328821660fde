#include "moe/layer.h"

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::moe {

Layer::Layer(const spec::Experts& sizes, std::int64_t hidden, const RouterOptions& routing,
             const at::TensorOptions& options)
    : router(hidden, sizes.routed, routing, options), experts(sizes.routed, hidden, sizes.width, options) {
  if (sizes.bias || sizes.shared_gate) fail("experts with biases or a gated shared expert cannot be run, only planned");
  if (sizes.shared_width > 0) shared.emplace(hidden, sizes.shared_width, options);
}

Layer::Result Layer::operator()(const at::Tensor& x_TD) const {
  Result result;
  result.routing = router(x_TD);
  const Dispatched rows = dispatch(x_TD, result.routing, experts.size(), dispatch_options);
  const at::Tensor y_RD = experts(rows.x_RD, rows.plan.count_E);
  result.y_TD = combine(y_RD, rows.plan, result.routing.weight_TK);
  result.dropped = rows.plan.dropped;
  if (shared) {
    result.shared_TD = (*shared)(x_TD);
    result.y_TD = result.y_TD + result.shared_TD;
  }
  return result;
}

void Layer::list(nn::Parameters& out, const std::string& prefix) {
  router.list(out, prefix + ".gate");
  experts.list(out, prefix + ".experts");
  if (shared) shared->list(out, prefix + ".shared_experts");
}

at::Tensor forward_by_loop(const Layer& layer, const at::Tensor& x_TD) {
  const Routing routing = layer.router(x_TD);
  at::Tensor y_TD = layer.shared ? (*layer.shared)(x_TD) : at::zeros_like(x_TD);
  for (std::int64_t e = 0; e < layer.experts.size(); ++e) {
    const at::Tensor pairs = (routing.expert_TK == e).nonzero();
    const at::Tensor token_N = pairs.select(1, 0), place_N = pairs.select(1, 1);
    if (token_N.numel() == 0) continue;
    const at::Tensor x_ND = x_TD.index_select(0, token_N);
    const at::Tensor inner = at::silu(at::linear(x_ND, layer.experts.gate_EFD.select(0, e))) *
                             at::linear(x_ND, layer.experts.up_EFD.select(0, e));
    const at::Tensor weight_N = routing.weight_TK.index({token_N, place_N}).to(x_TD.scalar_type());
    const at::Tensor y_ND = at::linear(inner, layer.experts.down_EDF.select(0, e)) * weight_N.unsqueeze(-1);
    y_TD = y_TD.index_add(0, token_N, y_ND);
  }
  return y_TD;
}

}  // namespace filigree::moe
