#include "moe/dispatch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tensor/gradcheck.h"

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

TEST(Dispatch, GradientsAgreeWithDifferences) {
  at::manual_seed(2);
  const at::Tensor expert = std::get<1>(at::rand({6, 5}).topk(3, -1));
  const auto there_and_back = [&](const std::vector<at::Tensor>& in) {
    const Dispatched rows = dispatch(in[0], routing_of(expert, in[1]), 5);
    // Something that differs by row, as experts do.
    const at::Tensor factor = at::arange(1, 19, at::kDouble).unsqueeze(1);
    return std::vector{combine(rows.x_RD.square() * factor, rows.plan, in[1])};
  };
  const auto result =
      tensor::gradcheck(there_and_back, {at::randn({6, 4}, at::kDouble), at::rand({6, 3}, at::kDouble)});
  EXPECT_LT(result.worst, 1e-8) << result.where;
}

TEST(Dispatch, NothingDroppedIsTheSameInBothWays) {
  at::manual_seed(3);
  const at::Tensor x = at::randn({7, 4}), expert = std::get<1>(at::rand({7, 5}).topk(2, -1)), weight = at::rand({7, 2});
  const Dispatched free = dispatch(x, routing_of(expert, weight), 5);
  const Dispatched roomy = dispatch(x, routing_of(expert, weight), 5, {.capacity_factor = 10});
  EXPECT_TRUE(at::equal(free.x_RD, roomy.x_RD));
  EXPECT_TRUE(at::equal(free.plan.count_E, roomy.plan.count_E));
  EXPECT_TRUE(at::allclose(combine(free.x_RD.sin(), free.plan, weight), combine(roomy.x_RD.sin(), roomy.plan, weight),
                           1e-5, 1e-6));
}

TEST(Dispatch, NoTokens) {
  const at::Tensor none = at::zeros({0, 2});
  const Dispatched rows = dispatch(at::zeros({0, 4}), routing_of(none.to(at::kLong), none), 3);
  EXPECT_TRUE(at::equal(rows.plan.count_E, at::zeros({3}, at::kLong)));
  EXPECT_EQ(combine(rows.x_RD, rows.plan, none).size(0), 0);
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
