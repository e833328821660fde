#include <cmath>

#include <ATen/ATen.h>

#include "train/adamw.h"

namespace filigree::train {

void adamw_update_reference(const AdamWStep& step, at::Tensor& w, const at::Tensor& g, at::Tensor& m, at::Tensor& v) {
  const AdamWOptions& o = step.options;
  const auto t = static_cast<double>(step.step);
  const at::Tensor scaled = g * step.scale;
  m.mul_(o.beta1).add_(scaled, 1 - o.beta1);
  v.mul_(o.beta2).addcmul_(scaled, scaled, 1 - o.beta2);
  const at::Tensor root = (v / (1 - std::pow(o.beta2, t))).sqrt_().add_(o.eps);
  w.mul_(1 - step.rate * step.weight_decay).addcdiv_(m, root, -step.rate / (1 - std::pow(o.beta1, t)));
}

}  // namespace filigree::train
