#include "moe/dispatch.h"

#include <cmath>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

namespace filigree::moe {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows by index, where each row of x is taken `times` times and back_P holds where to. So the gradient is a sum of
/// rows that are taken back, in float32, and no addition at one place by many (on a GPU slow and of random order).
struct TakeRows : torch::autograd::Function<TakeRows> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_TD, const at::Tensor& index_R,
                            const at::Tensor& back_P, std::int64_t times) {
    context->save_for_backward({back_P});
    context->saved_data["times"] = times;
    return x_TD.index_select(0, index_R);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor back_P = context->get_saved_variables()[0];
    const std::int64_t times = context->saved_data["times"].toInt();
    at::Tensor dx = gradients[0].index_select(0, back_P);
    if (times > 1) dx = dx.view({dx.size(0) / times, times, dx.size(1)}).sum(1);
    return {dx, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

Dispatched dispatch(const at::Tensor& x_TD, const Routing& routing, std::int64_t experts,
                    const DispatchOptions& options) {
  Dispatched out;
  DispatchPlan& plan = out.plan;
  plan.tokens = x_TD.size(0);
  const std::int64_t top_k = routing.expert_TK.size(1);
  const at::Tensor expert_P = routing.expert_TK.reshape({-1});
  // 1. Pairs in the order of their experts, tokens in order within each.
  const auto [sorted_P, order_P] = expert_P.sort(true, 0, false);
  const at::Tensor end_E = at::searchsorted(sorted_P, at::arange(experts, sorted_P.options()), false, true);
  plan.count_E = at::diff(end_E, 1, 0, at::zeros({1}, end_E.options()));
  plan.pair_R = order_P;
  if (options.capacity_factor > 0) {
    // 2. The place of a pair within its expert decides whether it stays.
    const auto capacity = static_cast<std::int64_t>(
        std::ceil(options.capacity_factor * static_cast<double>(plan.tokens * top_k) / static_cast<double>(experts)));
    const at::Tensor begin_E = end_E - plan.count_E;
    const at::Tensor place_P = at::arange(expert_P.numel(), begin_E.options()) - begin_E.index_select(0, sorted_P);
    plan.pair_R = order_P.masked_select(place_P < capacity);
    plan.count_E = plan.count_E.clamp_max(capacity);
    plan.dropped = expert_P.numel() - plan.pair_R.numel();
  }
  plan.token_R = at::floor_divide(plan.pair_R, top_k);
  if (options.capacity_factor > 0) {
    out.x_RD = x_TD.index_select(0, plan.token_R);
  } else {
    plan.row_P = at::empty_like(order_P).scatter_(0, order_P, at::arange(order_P.numel(), order_P.options()));
    out.x_RD = TakeRows::apply(x_TD, plan.token_R, plan.row_P, top_k);
  }
  return out;
}

at::Tensor combine(const at::Tensor& y_RD, const DispatchPlan& plan, const at::Tensor& weight_TK) {
  if (plan.row_P.defined()) {
    const at::Tensor y_PD = TakeRows::apply(y_RD, plan.row_P, plan.pair_R, std::int64_t{1});
    const at::Tensor y_TKD = y_PD.view({plan.tokens, weight_TK.size(1), y_RD.size(1)});
    const at::Tensor weight = weight_TK.to(y_RD.scalar_type());
    // Many small products, which only a GPU does quickly.
    if (y_RD.is_cuda()) return at::bmm(weight.unsqueeze(1), y_TKD).squeeze(1);
    return (y_TKD * weight.unsqueeze(-1)).sum(1);
  }
  const at::Tensor weight_R = weight_TK.reshape({-1}).index_select(0, plan.pair_R);
  const at::Tensor weighted = y_RD * weight_R.to(y_RD.scalar_type()).unsqueeze(-1);
  return at::zeros({plan.tokens, y_RD.size(1)}, y_RD.options()).index_add(0, plan.token_R, weighted);
}

}  // namespace filigree::moe
