#include "moe/balance.h"

#include <memory>
#include <utility>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace filigree::moe {
namespace {

Routing routing_of(const at::Tensor& score_TE, const at::Tensor& expert_TK) {
  Routing routing;
  routing.score_TE = score_TE;
  routing.expert_TK = expert_TK;
  return routing;
}

TEST(BalanceLoss, IsOneWhereAllIsBalanced) {
  const Routing even = routing_of(at::full({4, 2}, 0.5), at::tensor({0, 1, 0, 1}, at::kLong).view({4, 1}));
  EXPECT_NEAR(balance_loss(even, 1, BalanceScope::micro_batch).item<double>(), 1, 1e-6);
  const Routing uneven = routing_of(at::tensor({0.9F, 0.1F}).expand({4, 2}), at::zeros({4, 1}, at::kLong));
  EXPECT_NEAR(balance_loss(uneven, 1, BalanceScope::micro_batch).item<double>(), 1.8, 1e-6);
}

TEST(BalanceLoss, EachSequenceByItself) {
  // Two sequences, each of them uneven, together even.
  const at::Tensor score = at::tensor({0.9F, 0.1F, 0.9F, 0.1F, 0.1F, 0.9F, 0.1F, 0.9F}).view({4, 2});
  const Routing routing = routing_of(score, at::tensor({0, 0, 1, 1}, at::kLong).view({4, 1}));
  EXPECT_NEAR(balance_loss(routing, 2, BalanceScope::micro_batch).item<double>(), 1, 1e-6);
  EXPECT_NEAR(balance_loss(routing, 2, BalanceScope::sequence).item<double>(), 1.8, 1e-6);
}

TEST(BalanceLoss, ItsGradientLowersTheScoresOfBusyExperts) {
  at::Tensor score = at::full({2, 2}, 0.5).requires_grad_(true);
  balance_loss(routing_of(score, at::zeros({2, 1}, at::kLong)), 1, BalanceScope::micro_batch).backward();
  EXPECT_GT(score.grad()[0][0].item<double>(), 0);
  EXPECT_LT(score.grad()[0][1].item<double>(), 0);
}

TEST(Load, CountsAndVaries) {
  const at::Tensor count = expert_load(at::tensor({0, 0, 0, 1}, at::kLong).view({2, 2}), 2);
  EXPECT_TRUE(at::equal(count, at::tensor({3, 1}, at::kLong)));
  EXPECT_NEAR(load_variation(count), 0.5, 1e-12);
  EXPECT_EQ(load_variation(at::zeros({3}, at::kLong)), 0);
}

TEST(Correction, LowersBusyExperts) {
  at::Tensor correction = at::zeros({3});
  update_correction(correction, at::tensor({4, 2, 0}, at::kLong), 0.01);
  EXPECT_TRUE(at::allclose(correction, at::tensor({-0.01F, 0.0F, 0.01F})));
}

/// Two processes, of which the other one's tensor is known.
class OtherProcess : public parallel::Backend {
 public:
  explicit OtherProcess(at::Tensor other) : other_(std::move(other)) {}
  std::int64_t rank() const override { return 0; }
  std::int64_t size() const override { return 2; }
  at::Tensor sum(const at::Tensor& x) const override { return x + other_; }

 private:
  at::Tensor other_;
};

TEST(Balance, TheLoadIsThatOfTheWholeGroup) {
  // Here both tokens go to expert 0, in the other process to expert 1: balanced together.
  const at::Tensor score = at::tensor({0.75F, 0.25F, 0.75F, 0.25F}).view({2, 2});
  const Routing routing{score, score.narrow(1, 0, 1), at::zeros({2, 1}, at::kLong)};
  const double alone = balance_loss(routing, 1, BalanceScope::micro_batch).item<double>();
  EXPECT_NEAR(alone, 2 * 0.75, 1e-6);
  EXPECT_NEAR(balance_loss(routing, 1, BalanceScope::expert_group).item<double>(), alone, 1e-6) << "a group of one";
  const parallel::Group two(std::make_shared<OtherProcess>(at::tensor({0.0F, 1.0F}).view({1, 2})));
  EXPECT_NEAR(balance_loss(routing, 1, BalanceScope::expert_group, {.experts = two, .data = {}}).item<double>(), 1,
              1e-6);
  EXPECT_NEAR(balance_loss(routing, 1, BalanceScope::data_group, {.experts = {}, .data = two}).item<double>(), 1, 1e-6);
}

TEST(Balance, AGroupOfOneGivesBackWhatItGets) {
  const at::Tensor x = at::ones({3});
  EXPECT_TRUE(parallel::Group().sum(x).is_same(x));
  EXPECT_EQ(parallel::Group().size(), 1);
}

}  // namespace
}  // namespace filigree::moe
