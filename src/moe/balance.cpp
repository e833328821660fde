#include "moe/balance.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"

namespace filigree::moe {

at::Tensor balance_loss(const Routing& routing, std::int64_t sequences, BalanceScope scope,
                        const BalanceGroups& groups) {
  const std::int64_t experts = routing.score_TE.size(1), top_k = routing.expert_TK.size(1);
  const std::int64_t pieces = scope == BalanceScope::sequence ? sequences : 1;
  FILIGREE_ASSERT(pieces >= 1 && routing.score_TE.size(0) % pieces == 0);
  const at::Tensor share_TE = routing.score_TE / (routing.score_TE.sum(-1, true) + 1e-20);
  const at::Tensor mean_SE = share_TE.unflatten(0, {pieces, -1}).mean(1);
  const at::Tensor chosen_TE = at::zeros_like(routing.score_TE.detach()).scatter(-1, routing.expert_TK, 1.0);
  at::Tensor load_SE = chosen_TE.unflatten(0, {pieces, -1}).mean(1) / static_cast<double>(top_k);
  if (scope == BalanceScope::expert_group || scope == BalanceScope::data_group) {
    const parallel::Group& group = scope == BalanceScope::expert_group ? groups.experts : groups.data;
    load_SE = group.sum(load_SE) / static_cast<double>(group.size());
  }
  return static_cast<double>(experts) * (load_SE * mean_SE).sum(-1).mean();
}

at::Tensor expert_load(const at::Tensor& expert_TK, std::int64_t experts) {
  // bincount would ask the device for the highest.
  const at::Tensor flat = expert_TK.reshape({-1});
  return at::zeros({experts}, flat.options()).scatter_add_(0, flat, at::ones_like(flat));
}

double load_variation(const at::Tensor& count_E) {
  const at::Tensor load = count_E.to(at::kDouble);
  const double mean = load.mean().item<double>();
  return mean > 0 ? load.std(false).item<double>() / mean : 0;
}

void update_correction(at::Tensor& correction_E, const at::Tensor& count_E, double rate) {
  const c10::NoGradGuard no_grad;
  const at::Tensor load = count_E.to(correction_E.device(), at::kFloat);
  correction_E.add_(at::sign(load.mean() - load), rate);
}

}  // namespace filigree::moe
