#include "moe/router.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace filigree::moe {
namespace {

/// A router whose logits are the tokens themselves.
Router identity(RouterOptions options, std::int64_t experts) {
  Router router(experts, experts, options, {});
  router.weight_ED = at::eye(experts);
  return router;
}

TEST(Router, TheExampleOfItsHeader) {
  const Router router = identity({.top_k = 2, .scale = 2.5}, 3);
  const Routing routing = router(at::tensor({2.0F, -1.0F, 0.0F}).unsqueeze(0));
  EXPECT_EQ(routing.expert_TK[0][0].item<std::int64_t>(), 0);
  EXPECT_EQ(routing.expert_TK[0][1].item<std::int64_t>(), 2);
  EXPECT_NEAR(routing.score_TE[0][1].item<double>(), 0.269, 1e-3);
  EXPECT_NEAR(routing.weight_TK[0][0].item<double>(), 1.595, 1e-3);
  EXPECT_NEAR(routing.weight_TK[0][1].item<double>(), 0.905, 1e-3);
}

TEST(Router, SoftmaxScoresUnnormalised) {
  const Router router = identity({.top_k = 1, .scoring = Scoring::softmax, .normalise = false}, 2);
  const Routing routing = router(at::tensor({1.0F, 0.0F}).unsqueeze(0));
  EXPECT_NEAR(routing.weight_TK.item<double>(), 1 / (1 + std::exp(-1.0)), 1e-6);
}

TEST(Router, TheCorrectionChoosesButDoesNotWeigh) {
  Router router = identity({.top_k = 1, .normalise = false, .correction = true}, 3);
  router.correction_E = at::tensor({-1.0F, 0.0F, 0.0F});
  const Routing routing = router(at::tensor({2.0F, 1.0F, 0.0F}).unsqueeze(0));
  EXPECT_EQ(routing.expert_TK.item<std::int64_t>(), 1);
  EXPECT_NEAR(routing.weight_TK.item<double>(), 1 / (1 + std::exp(-1.0)), 1e-6);
}

TEST(Router, OnlyTheBestGroupsAreLookedAt) {
  // Groups (3, 0) and (2, 2): the second is better by its two best, although the best expert is in the first.
  const Router router = identity({.top_k = 2, .groups = 2, .top_groups = 1}, 4);
  const Routing routing = router(at::tensor({3.0F, -9.0F, 2.0F, 1.9F}).unsqueeze(0));
  EXPECT_EQ(std::get<0>(routing.expert_TK.sort(-1))[0][0].item<std::int64_t>(), 2);
  EXPECT_EQ(std::get<0>(routing.expert_TK.sort(-1))[0][1].item<std::int64_t>(), 3);
}

}  // namespace
}  // namespace filigree::moe
