#include "moe/dispatch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace filigree::moe {
namespace {

Routing routing_of(const at::Tensor& expert_TK, const at::Tensor& weight_TK) {
  Routing routing;
  routing.expert_TK = expert_TK;
  routing.weight_TK = weight_TK;
  return routing;
}

TEST(Dispatch, RowsStandByExpertAndComeBackWeighted) {
  const at::Tensor x = at::arange(4, at::kFloat).unsqueeze(1);  // token t is the number t
  const at::Tensor expert = at::tensor({2, 0, 0, 2, 0, 1, 2, 1}, at::kLong).view({4, 2});
  const at::Tensor weight = at::tensor({0.5F, 0.5F, 0.25F, 0.75F, 1.0F, 0.0F, 0.5F, 0.5F}).view({4, 2});
  const Dispatched rows = dispatch(x, routing_of(expert, weight), 3);
  EXPECT_TRUE(at::equal(rows.plan.count_E, at::tensor({3, 2, 3}, at::kLong)));
  EXPECT_TRUE(at::equal(rows.x_RD.flatten(), at::tensor({0.0F, 1.0F, 2.0F, 2.0F, 3.0F, 0.0F, 1.0F, 3.0F})));
  EXPECT_EQ(rows.plan.dropped, 0);
  EXPECT_TRUE(at::equal(combine(rows.x_RD, rows.plan, weight), x));  // each token's weights sum to 1
}

TEST(Dispatch, BeyondItsCapacityAnExpertTakesNoMore) {
  const at::Tensor x = at::arange(4, at::kFloat).unsqueeze(1);
  const at::Tensor expert = at::zeros({4, 1}, at::kLong);
  const Dispatched rows = dispatch(x, routing_of(expert, at::ones({4, 1})), 2, {.capacity_factor = 1});
  EXPECT_EQ(rows.plan.dropped, 2);  // ceil(1 · 4 · 1 / 2) = 2 stay
  EXPECT_TRUE(at::equal(rows.plan.count_E, at::tensor({2, 0}, at::kLong)));
  EXPECT_TRUE(
      at::equal(combine(rows.x_RD, rows.plan, at::ones({4, 1})).flatten(), at::tensor({0.0F, 1.0F, 0.0F, 0.0F})));
}

}  // namespace
}  // namespace filigree::moe
