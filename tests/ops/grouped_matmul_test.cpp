#include "ops/grouped_matmul.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
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

TEST(GroupedMatmul, CountsThatDoNotFit) {
  EXPECT_ERROR(grouped_matmul(at::zeros({4, 5}), at::zeros({2, 3, 5}), counts({1, 2})),
               "grouped product: the groups have 3 rows together, x has 4");
}

}  // namespace
}  // namespace filigree::ops
