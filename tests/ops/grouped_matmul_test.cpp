#include "ops/grouped_matmul.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "tensor/device.h"
#include "tensor/gradcheck.h"

namespace filigree::ops {
namespace {

at::Tensor counts(std::vector<std::int64_t> values) { return at::tensor(values, at::kLong); }

/// Rows, matrices and counts; some groups have no rows.
struct Groups {
  at::Tensor x_RI = at::randn({9, 5}, at::kDouble), w_EOI = at::randn({4, 3, 5}, at::kDouble);
  at::Tensor count_E = counts({4, 0, 5, 0});
};

TEST(GroupedMatmul, EqualsItsTwin) {
  at::manual_seed(1);
  const Groups g;
  const at::Tensor fast = grouped_matmul(g.x_RI, g.w_EOI, g.count_E);
  EXPECT_TRUE(at::allclose(fast, grouped_matmul_reference(g.x_RI, g.w_EOI, g.count_E), 1e-12, 1e-12));
}

TEST(GroupedMatmul, GradientsAgreeWithDifferences) {
  at::manual_seed(2);
  const Groups g;
  const auto result = tensor::gradcheck(
      [&](const std::vector<at::Tensor>& in) { return std::vector{grouped_matmul(in[0], in[1], g.count_E)}; },
      {g.x_RI, g.w_EOI});
  EXPECT_LT(result.worst, 1e-8) << result.where;
}

TEST(GroupedMatmul, GroupsWithoutRowsGetZeroGradients) {
  const Groups g;
  at::Tensor w = g.w_EOI.clone().requires_grad_(true);
  grouped_matmul(g.x_RI, w, g.count_E).sum().backward();
  EXPECT_EQ(w.grad().select(0, 1).abs().sum().item<double>(), 0);
  EXPECT_GT(w.grad().select(0, 2).abs().sum().item<double>(), 0);
}

TEST(GroupedMatmul, NoRowsAtAll) {
  const at::Tensor y = grouped_matmul(at::zeros({0, 5}), at::randn({2, 3, 5}), counts({0, 0}));
  EXPECT_EQ(y.size(0), 0);
  EXPECT_EQ(y.size(1), 3);
}

/// Relative to the norm.
double error(const at::Tensor& got, const at::Tensor& exact) {
  return ((got.cpu().to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

TEST(GroupedMatmul, CountsOnAGpu) {
  const std::vector<std::string> devices = tensor::device_names();
  if (devices.size() < 2) GTEST_SKIP() << "no GPU here";
  at::manual_seed(3);
  // Of the norm: sums in float32 in another order; bfloat16 has eight bits.
  const std::pair<at::ScalarType, double> types[] = {{at::kFloat, 1e-5}, {at::kBFloat16, 1e-2}};
  for (const auto& [dtype, tolerance] : types) {
    const at::TensorOptions options = at::TensorOptions().device(at::kCUDA).dtype(dtype);
    const at::Tensor count = counts({0, 130, 0, 0, 1, 300, 0, 69, 0});  // none at the ends and between
    const at::Tensor x = at::randn({500, 64}).to(options).requires_grad_(true);
    const at::Tensor w = at::randn({9, 48, 64}).to(options).requires_grad_(true);
    const at::Tensor weight = at::randn({500, 48}).to(options);
    const auto exact_leaf = [](const at::Tensor& t) { return t.detach().cpu().to(at::kDouble).requires_grad_(true); };
    const at::Tensor exact_x = exact_leaf(x), exact_w = exact_leaf(w);
    const at::Tensor exact = grouped_matmul_reference(exact_x, exact_w, count);
    (exact * weight.cpu().to(at::kDouble)).sum().backward();
    for (const bool poisoned : {false, true}) {
      // What the results' memory held before must not come through.
      if (poisoned) at::full({64 << 20}, std::numeric_limits<double>::quiet_NaN(), options);
      w.mutable_grad() = x.mutable_grad() = at::Tensor();
      const at::Tensor y = grouped_matmul(x, w, count.to(at::kCUDA));
      (y * weight).sum().backward();
      EXPECT_LE(error(y.detach(), exact.detach()), tolerance);
      EXPECT_LE(error(x.grad(), exact_x.grad()), tolerance);
      EXPECT_LE(error(w.grad(), exact_w.grad()), tolerance);
      EXPECT_EQ(w.grad().select(0, 2).abs().max().item<double>(), 0);
    }
  }
}

TEST(GroupedMatmul, CountsThatDoNotFit) {
  EXPECT_ERROR(grouped_matmul(at::zeros({4, 5}), at::zeros({2, 3, 5}), counts({1, 2})),
               "grouped product: the groups have 3 rows together, x has 4");
}

}  // namespace
}  // namespace filigree::ops
