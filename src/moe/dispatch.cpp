#include "moe/dispatch.h"

#include <cmath>

#include <ATen/ATen.h>

namespace filigree::moe {

Dispatched dispatch(const at::Tensor& x_TD, const Routing& routing, std::int64_t experts,
                    const DispatchOptions& options) {
  Dispatched out;
  DispatchPlan& plan = out.plan;
  plan.tokens = x_TD.size(0);
  const std::int64_t top_k = routing.expert_TK.size(1);
  const at::Tensor expert_P = routing.expert_TK.reshape({-1});
  // 1. Pairs in the order of their experts, tokens in order within each.
  const auto [sorted_P, order_P] = expert_P.sort(true, 0, false);
  plan.count_E = at::bincount(expert_P, {}, experts);
  plan.pair_R = order_P;
  if (options.capacity_factor > 0) {
    // 2. The place of a pair within its expert decides whether it stays.
    const auto capacity = static_cast<std::int64_t>(
        std::ceil(options.capacity_factor * static_cast<double>(plan.tokens * top_k) / static_cast<double>(experts)));
    const at::Tensor begin_E = plan.count_E.cumsum(0) - plan.count_E;
    const at::Tensor place_P = at::arange(expert_P.numel(), begin_E.options()) - begin_E.index_select(0, sorted_P);
    plan.pair_R = order_P.masked_select(place_P < capacity);
    plan.count_E = plan.count_E.clamp_max(capacity);
    plan.dropped = expert_P.numel() - plan.pair_R.numel();
  }
  plan.token_R = at::floor_divide(plan.pair_R, top_k);
  out.x_RD = x_TD.index_select(0, plan.token_R);
  return out;
}

at::Tensor combine(const at::Tensor& y_RD, const DispatchPlan& plan, const at::Tensor& weight_TK) {
  const at::Tensor weight_R = weight_TK.reshape({-1}).index_select(0, plan.pair_R);
  const at::Tensor weighted = y_RD * weight_R.to(y_RD.scalar_type()).unsqueeze(-1);
  return at::zeros({plan.tokens, y_RD.size(1)}, y_RD.options()).index_add(0, plan.token_R, weighted);
}

}  // namespace filigree::moe
