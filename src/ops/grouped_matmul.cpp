#include "ops/grouped_matmul.h"

#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "ops/grouped_matmul_cuda.h"

namespace filigree::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Where each group's rows begin, and the end.
std::vector<std::int64_t> offsets(const at::Tensor& count_E, std::int64_t rows) {
  const at::Tensor counts = count_E.to(at::kCPU).contiguous();
  const std::int64_t* count = counts.data_ptr<std::int64_t>();
  std::vector<std::int64_t> begin(static_cast<std::size_t>(counts.numel()) + 1, 0);
  for (std::size_t e = 0; e + 1 < begin.size(); ++e) begin[e + 1] = begin[e] + count[e];
  if (begin.back() != rows) fail("grouped product: the groups have {} rows together, x has {}", begin.back(), rows);
  return begin;
}

/// Calls work(e, begin, rows) for each group with rows; groups side by side on the CPU, where each is small.
template <class Work>
void for_groups(const std::vector<std::int64_t>& begin, bool on_cpu, const Work& work) {
  const auto groups = static_cast<std::int64_t>(begin.size()) - 1;
  const auto one = [&](std::int64_t e) {
    const auto i = static_cast<std::size_t>(e);
    if (begin[i + 1] > begin[i]) work(e, begin[i], begin[i + 1] - begin[i]);
  };
  if (!on_cpu) {
    for (std::int64_t e = 0; e < groups; ++e) one(e);
    return;
  }
  at::parallel_for(0, groups, 1, [&](std::int64_t from, std::int64_t to) {
    const c10::NoGradGuard no_grad;  // threads have a mode of their own
    for (std::int64_t e = from; e < to; ++e) one(e);
  });
}

struct GroupedMatmul : torch::autograd::Function<GroupedMatmul> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_RI, const at::Tensor& w_EOI,
                            const at::Tensor& count_E) {
    const c10::NoGradGuard no_grad;
    const std::vector<std::int64_t> begin = offsets(count_E, x_RI.size(0));
    context->save_for_backward({x_RI, w_EOI});
    context->saved_data["begin"] = begin;
    at::Tensor y_RO = at::empty({x_RI.size(0), w_EOI.size(1)}, x_RI.options());
    for_groups(begin, x_RI.is_cpu(), [&](std::int64_t e, std::int64_t from, std::int64_t rows) {
      at::Tensor y = y_RO.narrow(0, from, rows);
      at::mm_out(y, x_RI.narrow(0, from, rows), w_EOI.select(0, e).t());
    });
    return y_RO;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_RI = saved[0], &w_EOI = saved[1];
    const std::vector<std::int64_t> begin = context->saved_data["begin"].toIntVector();
    const at::Tensor dy_RO = gradients[0].contiguous();
    at::Tensor dx_RI, dw_EOI;
    if (context->needs_input_grad(0)) dx_RI = at::empty_like(x_RI);
    if (context->needs_input_grad(1)) dw_EOI = at::zeros_like(w_EOI);
    for_groups(begin, x_RI.is_cpu(), [&](std::int64_t e, std::int64_t from, std::int64_t rows) {
      const at::Tensor dy = dy_RO.narrow(0, from, rows);
      if (dx_RI.defined()) {
        at::Tensor dx = dx_RI.narrow(0, from, rows);
        at::mm_out(dx, dy, w_EOI.select(0, e));
      }
      if (dw_EOI.defined()) {
        at::Tensor dw = dw_EOI.select(0, e);
        at::mm_out(dw, dy.t(), x_RI.narrow(0, from, rows));
      }
    });
    return {dx_RI, dw_EOI, at::Tensor()};
  }
};

/// The same with counts that stay on the device.
struct GroupedMatmulOnDevice : torch::autograd::Function<GroupedMatmulOnDevice> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_RI, const at::Tensor& w_EOI,
                            const at::Tensor& count_E) {
    const c10::NoGradGuard no_grad;
    const at::Tensor end_E = count_E.cumsum(0).to(at::kInt);
    context->save_for_backward({x_RI, w_EOI, end_E});
    return detail::grouped_rows(x_RI.contiguous(), w_EOI.transpose(1, 2), end_E);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_RI = saved[0], &w_EOI = saved[1], &end_E = saved[2];
    const at::Tensor dy_RO = gradients[0].contiguous();
    at::Tensor dx_RI, dw_EOI;
    if (context->needs_input_grad(0)) dx_RI = detail::grouped_rows(dy_RO, w_EOI, end_E);
    if (context->needs_input_grad(1)) dw_EOI = detail::grouped_outer(dy_RO, x_RI.contiguous(), end_E);
    return {dx_RI, dw_EOI, at::Tensor()};
  }
};

}  // namespace

bool counts_stay_on_device(const at::Tensor& x_RI, const at::Tensor& w_EOI) {
  return detail::has_grouped_kernel(x_RI, w_EOI);
}

at::Tensor grouped_matmul(const at::Tensor& x_RI, const at::Tensor& w_EOI, const at::Tensor& count_E) {
  if (count_E.is_cuda() && counts_stay_on_device(x_RI, w_EOI)) {
    return GroupedMatmulOnDevice::apply(x_RI, w_EOI, count_E);
  }
  return GroupedMatmul::apply(x_RI, w_EOI, count_E);
}

}  // namespace filigree::ops
