#include <vector>

#include <ATen/ATen.h>

#include "ops/grouped_matmul.h"

namespace filigree::ops {

at::Tensor grouped_matmul_reference(const at::Tensor& x_RI, const at::Tensor& w_EOI, const at::Tensor& count_E) {
  const at::Tensor counts = count_E.to(at::kCPU).contiguous();
  const std::int64_t* count = counts.data_ptr<std::int64_t>();
  std::vector<at::Tensor> parts;
  std::int64_t begin = 0;
  for (std::int64_t e = 0; e < w_EOI.size(0); ++e) {
    parts.push_back(at::linear(x_RI.narrow(0, begin, count[e]), w_EOI.select(0, e)));
    begin += count[e];
  }
  return at::cat(parts, 0);
}

}  // namespace filigree::ops
