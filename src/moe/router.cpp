#include "moe/router.h"

#include <limits>

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::moe {
namespace {

/// Scores for the choice: what lies outside the best groups is put below everything. A group is as good as its two best
/// experts together (deepseek-ai/DeepSeek-V3: inference/model.py, Gate).
at::Tensor within_groups(const at::Tensor& choice_TE, const RouterOptions& options) {
  if (options.groups <= 1 || options.top_groups >= options.groups) return choice_TE;
  const at::Tensor grouped = choice_TE.unflatten(-1, {options.groups, choice_TE.size(-1) / options.groups});
  const at::Tensor group_TG = std::get<0>(grouped.topk(2, -1)).sum(-1);
  const at::Tensor best = std::get<1>(group_TG.topk(options.top_groups, -1));
  const at::Tensor open = at::zeros_like(group_TG, at::kBool).scatter(-1, best, true);
  return grouped.masked_fill(open.logical_not().unsqueeze(-1), -std::numeric_limits<float>::infinity()).flatten(-2);
}

}  // namespace

Router::Router(std::int64_t hidden, std::int64_t experts, const RouterOptions& given, const at::TensorOptions& tensor)
    : options(given), weight_ED(at::zeros({experts, hidden}, tensor)) {
  FILIGREE_ASSERT(options.top_k >= 1 && options.top_k <= experts);
  FILIGREE_ASSERT(options.groups >= 1 && experts % options.groups == 0);
  if (options.correction) correction_E = at::zeros({experts}, tensor.dtype(at::kFloat));
}

Routing Router::operator()(const at::Tensor& x_TD) const {
  Routing routing;
  const at::Tensor logit_TE = at::linear(x_TD.to(at::kFloat), weight_ED.to(at::kFloat));
  routing.score_TE = options.scoring == Scoring::sigmoid ? at::sigmoid(logit_TE) : at::softmax(logit_TE, -1);
  at::Tensor choice = routing.score_TE.detach();
  if (correction_E.defined()) choice = choice + correction_E;
  routing.expert_TK = std::get<1>(within_groups(choice, options).topk(options.top_k, -1));
  routing.weight_TK = routing.score_TE.gather(-1, routing.expert_TK);
  if (options.normalise) routing.weight_TK = routing.weight_TK / (routing.weight_TK.sum(-1, true) + 1e-20);
  routing.weight_TK = routing.weight_TK * options.scale;
  return routing;
}

void Router::list(nn::Parameters& out, const std::string& prefix) {
  out.push_back({prefix + ".weight", &weight_ED});
  if (correction_E.defined()) out.push_back({prefix + ".e_score_correction_bias", &correction_E, -1, false});
}

}  // namespace filigree::moe
