#include "language/grpo.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"

namespace filigree::language {
namespace {

std::span<const double> group_of(const std::vector<double>& reward, std::size_t begin, std::int64_t group) {
  return {reward.data() + begin, static_cast<std::size_t>(group)};
}

bool all_equal(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [&](double value) { return value == values[0]; });
}

/// Half precision is widened; double stays.
at::Tensor scaled(const at::Tensor& logits, double temperature) {
  const at::Tensor wide = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  return temperature == 1 ? wide : wide / temperature;
}

}  // namespace

std::vector<double> group_advantages(const std::vector<double>& reward, const GrpoOptions& options) {
  FILIGREE_ASSERT(options.group >= 1 && reward.size() % static_cast<std::size_t>(options.group) == 0);
  const auto size = static_cast<double>(options.group);
  std::vector<double> advantage;
  for (std::size_t begin = 0; begin < reward.size(); begin += static_cast<std::size_t>(options.group)) {
    const std::span<const double> group = group_of(reward, begin, options.group);
    const double mean = std::accumulate(group.begin(), group.end(), 0.0) / size;
    double square = 0;
    for (const double r : group) square += (r - mean) * (r - mean);
    const double deviation = std::sqrt(square / size);
    for (const double r : group) {
      // Equal rewards have a mean that may differ from them by rounding.
      advantage.push_back(all_equal(group) ? 0 : options.divide_by_std ? (r - mean) / deviation : r - mean);
    }
  }
  return advantage;
}

std::int64_t informative_groups(const std::vector<double>& reward, std::int64_t group) {
  std::int64_t count = 0;
  for (std::size_t begin = 0; begin < reward.size(); begin += static_cast<std::size_t>(group)) {
    if (!all_equal(group_of(reward, begin, group))) ++count;
  }
  return count;
}

at::Tensor token_weights(const at::Tensor& mask_BT, LossAverage average, const StepTotals& totals) {
  const at::Tensor mask = mask_BT.to(at::kFloat);
  const auto answers = static_cast<double>(std::max<std::int64_t>(totals.answers, 1));
  switch (average) {
    case LossAverage::sequence:
      return mask / (mask.sum(-1, true).clamp_min(1) * answers);
    case LossAverage::token:
      return mask / static_cast<double>(std::max<std::int64_t>(totals.tokens, 1));
    case LossAverage::length:
      break;
  }
  FILIGREE_ASSERT(totals.longest >= 1);
  return mask / (answers * static_cast<double>(totals.longest));
}

at::Tensor token_log_probs(const at::Tensor& logits_NV, const at::Tensor& token_N, double temperature) {
  return at::log_softmax(scaled(logits_NV, temperature), -1).gather(-1, token_N.unsqueeze(-1)).squeeze(-1);
}

at::Tensor token_entropy(const at::Tensor& logits_NV, double temperature) {
  const c10::NoGradGuard no_grad;
  const at::Tensor log_prob_NV = at::log_softmax(scaled(logits_NV, temperature), -1);
  return -(log_prob_NV.exp() * log_prob_NV).nan_to_num(0).sum(-1);
}

PolicyLoss policy_loss(const PolicyBatch& batch, const GrpoOptions& options) {
  const at::Tensor counted_BT = batch.weight_BT > 0;
  const at::Tensor advantage_B1 = batch.advantage_B.unsqueeze(-1);
  // Outside the answers anything may stand: no infinity may come into the gradient from there.
  const at::Tensor log_prob = batch.log_prob_BT.masked_fill(counted_BT.logical_not(), 0);
  const at::Tensor old = batch.old_log_prob_BT.detach().masked_fill(counted_BT.logical_not(), 0);
  const at::Tensor ratio = (log_prob - old).exp();
  const at::Tensor kept = ratio.clamp(1 - options.clip_low, 1 + options.clip_high);
  at::Tensor objective = at::minimum(ratio * advantage_B1, kept * advantage_B1);
  PolicyLoss out;
  if (options.kl_weight > 0) {
    FILIGREE_ASSERT(batch.reference_log_prob_BT.defined());
    const at::Tensor reference = batch.reference_log_prob_BT.detach().masked_fill(counted_BT.logical_not(), 0);
    const at::Tensor further = reference - log_prob;
    const at::Tensor divergence = further.exp() - further - 1;
    objective = objective - options.kl_weight * divergence;
    out.kl = (divergence.detach() * batch.weight_BT).sum().item<double>();
  }
  out.loss = -(objective * batch.weight_BT).sum();
  const c10::NoGradGuard no_grad;
  const at::Tensor up = (ratio > 1 + options.clip_high).logical_and(advantage_B1 > 0);
  const at::Tensor down = (ratio < 1 - options.clip_low).logical_and(advantage_B1 < 0);
  out.clipped = (up.logical_or(down).to(at::kFloat) * batch.weight_BT).sum().item<double>();
  return out;
}

}  // namespace filigree::language
