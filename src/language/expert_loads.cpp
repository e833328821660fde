#include "language/expert_loads.h"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "moe/balance.h"

namespace filigree::language {

void ExpertLoads::count(const std::vector<moe::Routing>& routings) {
  if (routings.empty()) return;
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> rows;
  for (const moe::Routing& routing : routings) {
    rows.push_back(moe::expert_load(routing.expert_TK, routing.score_TE.size(1)));
  }
  const at::Tensor load_LE = at::stack(rows);
  load_LE_ = load_LE_.defined() ? load_LE_ + load_LE : load_LE;
}

at::Tensor ExpertLoads::take() { return std::exchange(load_LE_, at::Tensor()); }

std::vector<double> load_variations(const at::Tensor& load_LE) {
  const at::Tensor here_LE = load_LE.cpu();
  std::vector<double> variation;
  for (std::int64_t layer = 0; layer < here_LE.size(0); ++layer) {
    variation.push_back(moe::load_variation(here_LE.select(0, layer)));
  }
  return variation;
}

void add_load_metrics(Json& line, const at::Tensor& load_LE) {
  const at::Tensor count_LE = load_LE.to(at::kCPU, at::kDouble);
  line["expert_load_variation"] = load_variations(count_LE);
  line["expert_load_ratio"] = (count_LE.amax(1) / count_LE.mean(1)).max().item<double>();
}

}  // namespace filigree::language
