#include "language/grpo.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/cancel.h"
#include "language/rollout.h"
#include "small_models.h"
#include "support/expect_error.h"
#include "tensor/gradcheck.h"

namespace filigree::language {
namespace {

using Numbers = std::vector<double>;

TEST(GrpoAdvantage, ByHand) {
  const GrpoOptions four{.group = 4};
  EXPECT_EQ(group_advantages({1, 0, 0, 1}, four), (Numbers{1, -1, -1, 1}));
  // Mean 1/4, deviation sqrt(3)/4.
  const Numbers one = group_advantages({0, 1, 0, 0}, four);
  EXPECT_NEAR(one[1], std::sqrt(3), 1e-12);
  EXPECT_NEAR(one[0], -1 / std::sqrt(3), 1e-12);
  EXPECT_EQ(group_advantages({0, 1, 0, 0}, {.group = 4, .divide_by_std = false}), (Numbers{-0.25, 0.75, -0.25, -0.25}));
  // Each group by itself; equal rewards teach nothing, whatever rounding makes of their mean.
  EXPECT_EQ(group_advantages({3, 1, 0.1, 0.1, 5, 7}, {.group = 2}), (Numbers{1, -1, 0, 0, -1, 1}));
  EXPECT_EQ(group_advantages({0.1, 0.1, 0.1}, {.group = 3}), (Numbers{0, 0, 0}));
  EXPECT_EQ(informative_groups({3, 1, 0.1, 0.1, 5, 7}, 2), 2);
}

/// The formulas of the header with loops, as the paper writes them.
double by_loops(const PolicyBatch& batch, const GrpoOptions& o) {
  double sum = 0;
  for (std::int64_t i = 0; i < batch.log_prob_BT.size(0); ++i) {
    for (std::int64_t t = 0; t < batch.log_prob_BT.size(1); ++t) {
      const auto at = [&](const at::Tensor& x) { return x.index({i, t}).item<double>(); };
      if (at(batch.weight_BT) == 0) continue;
      const double a = batch.advantage_B.index({i}).item<double>(),
                   ratio = std::exp(at(batch.log_prob_BT) - at(batch.old_log_prob_BT));
      double s = std::min(ratio * a, std::clamp(ratio, 1 - o.clip_low, 1 + o.clip_high) * a);
      if (o.kl_weight > 0) {
        const double q = at(batch.reference_log_prob_BT) - at(batch.log_prob_BT);
        s -= o.kl_weight * (std::exp(q) - q - 1);
      }
      sum -= at(batch.weight_BT) * s;
    }
  }
  return sum;
}

at::Tensor row(const Numbers& numbers) { return at::tensor(numbers, at::kDouble).unsqueeze(0); }

TEST(GrpoLoss, ByHand) {
  // Ratios 1.5, 1.5, 0.5, 0.5 with advantages 1, -1, 1, -1, one answer of one token each.
  PolicyBatch batch;
  batch.log_prob_BT = row({std::log(1.5), std::log(1.5), std::log(0.5), std::log(0.5)}).t().requires_grad_(true);
  batch.old_log_prob_BT = at::zeros({4, 1}, at::kDouble);
  batch.advantage_B = at::tensor(Numbers{1, -1, 1, -1}, at::kDouble);
  batch.weight_BT = at::full({4, 1}, 0.25, at::kDouble);
  const PolicyLoss found = policy_loss(batch, {.clip_low = 0.2, .clip_high = 0.28});
  // min(1.5, 1.28) + min(-1.5, -1.28) + min(0.5, 0.8) + min(-0.5, -0.8), over 4.
  EXPECT_NEAR(found.loss.item<double>(), -(1.28 - 1.5 + 0.5 - 0.8) / 4, 1e-12);
  EXPECT_NEAR(found.clipped, 0.5, 1e-12);
  EXPECT_EQ(found.kl, 0);
  found.loss.backward();
  // d ratio = ratio where it is not clipped away.
  const at::Tensor gradient = batch.log_prob_BT.grad();
  for (const auto& [i, expected] : std::vector<std::pair<int, double>>{{0, 0}, {1, 1.5 / 4}, {2, -0.5 / 4}, {3, 0}}) {
    EXPECT_NEAR(gradient.index({i, 0}).item<double>(), expected, 1e-12) << i;
  }
}

TEST(GrpoLoss, DivergenceByHand) {
  PolicyBatch batch;
  batch.log_prob_BT = batch.old_log_prob_BT = row({std::log(0.25), std::log(0.5)});
  batch.reference_log_prob_BT = row({std::log(0.5), std::log(0.5)});
  batch.advantage_B = at::zeros({1}, at::kDouble);
  batch.weight_BT = row({0.5, 0.5});
  const PolicyLoss found = policy_loss(batch, {.kl_weight = 0.1});
  const double divergence = (2 - std::log(2) - 1) / 2;
  EXPECT_NEAR(found.kl, divergence, 1e-12);
  EXPECT_NEAR(found.loss.item<double>(), 0.1 * divergence, 1e-12);
}

TEST(GrpoLoss, WeightsOfTheAverages) {
  const at::Tensor mask = at::tensor(std::vector<float>{0, 1, 1, 1, 0, 0, 1, 0}).view({2, 4});
  const StepTotals totals{.answers = 2, .tokens = 4, .longest = 8};
  const auto weight = [&](LossAverage average, int i, int t) {
    return token_weights(mask, average, totals).index({i, t}).item<double>();
  };
  EXPECT_NEAR(weight(LossAverage::sequence, 0, 1), 1.0 / 6, 1e-7);
  EXPECT_NEAR(weight(LossAverage::sequence, 1, 2), 1.0 / 2, 1e-7);
  EXPECT_NEAR(weight(LossAverage::token, 1, 2), 1.0 / 4, 1e-7);
  EXPECT_NEAR(weight(LossAverage::length, 0, 3), 1.0 / 16, 1e-7);
  EXPECT_EQ(weight(LossAverage::length, 0, 0), 0);
}

TEST(GrpoLoss, AsWithLoopsAndAsDifferencesSay) {
  at::manual_seed(3);
  const at::TensorOptions wide(at::kDouble);
  const at::Tensor logits = at::randn({2 * 5, 7}, wide), token = at::randint(0, 7, {2 * 5}, at::kLong);
  PolicyBatch batch;
  batch.old_log_prob_BT = token_log_probs(logits + 0.3 * at::randn({10, 7}, wide), token, 0.7).view({2, 5});
  batch.reference_log_prob_BT = token_log_probs(logits + 0.3 * at::randn({10, 7}, wide), token, 0.7).view({2, 5});
  batch.advantage_B = at::tensor(Numbers{1.3, -0.7}, wide);
  batch.weight_BT = at::rand({2, 5}, wide);
  batch.weight_BT.select(1, 0).zero_();
  const GrpoOptions options{.clip_low = 0.1, .clip_high = 0.15, .kl_weight = 0.05};
  const auto loss = [&](const std::vector<at::Tensor>& in) {
    batch.log_prob_BT = token_log_probs(in[0], token, 0.7).view({2, 5});
    return std::vector<at::Tensor>{policy_loss(batch, options).loss};
  };
  const auto found = loss({logits})[0].item<double>();
  EXPECT_NEAR(found, by_loops(batch, options), 1e-12);
  EXPECT_GT(policy_loss(batch, options).clipped, 0);
  const tensor::GradcheckResult checked = tensor::gradcheck(loss, {logits});
  EXPECT_LT(checked.worst, 1e-7) << checked.where;
  // What lies outside the answers does not matter, even infinities.
  batch.log_prob_BT = batch.log_prob_BT.clone();
  batch.log_prob_BT.select(1, 0).fill_(-INFINITY);
  EXPECT_NEAR(policy_loss(batch, options).loss.item<double>(), by_loops(batch, options), 1e-12);
}

TEST(GrpoLoss, MicroBatchesAddUp) {
  at::manual_seed(4);
  PolicyBatch all;
  all.log_prob_BT = at::randn({6, 5});
  all.old_log_prob_BT = at::randn({6, 5});
  all.advantage_B = at::randn({6});
  const at::Tensor mask = at::rand({6, 5}) > 0.4;
  const StepTotals totals{6, mask.sum().item<std::int64_t>(), 5};
  for (const LossAverage average : {LossAverage::sequence, LossAverage::token, LossAverage::length}) {
    all.weight_BT = token_weights(mask, average, totals);
    double sum = 0;
    for (const int begin : {0, 2, 4}) {
      PolicyBatch part;
      part.log_prob_BT = all.log_prob_BT.narrow(0, begin, 2);
      part.old_log_prob_BT = all.old_log_prob_BT.narrow(0, begin, 2);
      part.advantage_B = all.advantage_B.narrow(0, begin, 2);
      part.weight_BT = token_weights(mask.narrow(0, begin, 2), average, totals);
      sum += policy_loss(part, {}).loss.item<double>();
    }
    EXPECT_NEAR(sum, policy_loss(all, {}).loss.item<double>(), 1e-5);  // float32
  }
}

TEST(GrpoLoss, LogProbabilitiesAndEntropy) {
  const at::Tensor logits = at::tensor(std::vector<float>{0, 0, 0, 0, 0, std::log(3.0F)}).view({2, 3});
  const at::Tensor token = at::tensor({1, 2}, at::kLong);
  const at::Tensor found = token_log_probs(logits, token);
  EXPECT_NEAR(found.index({0}).item<double>(), -std::log(3), 1e-6);
  EXPECT_NEAR(found.index({1}).item<double>(), std::log(0.6), 1e-6);
  // Temperature 1/2 squares the odds: 1 1 9.
  EXPECT_NEAR(token_log_probs(logits, token, 0.5).index({1}).item<double>(), std::log(9.0 / 11), 1e-6);
  EXPECT_NEAR(token_entropy(logits).index({0}).item<double>(), std::log(3), 1e-6);
  EXPECT_NEAR(token_entropy(logits).index({1}).item<double>(), -0.6 * std::log(0.6) - 0.4 * std::log(0.2), 1e-6);
  const at::Tensor sure = at::tensor(std::vector<float>{0, -INFINITY}).unsqueeze(0);
  EXPECT_EQ(token_entropy(sure).item<double>(), 0);
}

TEST(Rollout, GroupsSeedsAndEnds) {
  const Model model = test::small_model("pangu");
  const std::vector<std::vector<std::int64_t>> prompts{{1, 2, 3}, {4}};
  RolloutOptions options{.group = 3, .max_new_tokens = 6, .rows = 4, .seed = 1};
  const std::vector<Rollout> free = roll_out(model, prompts, options);
  ASSERT_EQ(free.size(), 6U);
  EXPECT_EQ(free[2].prompt, prompts[0]);
  EXPECT_EQ(free[3].prompt, prompts[1]);
  EXPECT_NE(free[0].answer, free[1].answer);
  for (const Rollout& rollout : free) {
    EXPECT_EQ(rollout.answer.size(), 6U);
    EXPECT_FALSE(rollout.ended);
  }
  EXPECT_EQ(roll_out(model, prompts, options)[5].answer, free[5].answer);
  options.seed = 2;
  EXPECT_NE(roll_out(model, prompts, options)[0].answer, free[0].answer);
  options.seed = 1;
  options.stop_ids = {free[0].answer[1]};
  const Rollout cut = roll_out(model, prompts, options)[0];
  EXPECT_TRUE(cut.ended);
  EXPECT_LE(cut.answer.size(), 2U);
  request_cancel();
  EXPECT_ERROR(roll_out(model, prompts, options), "drawing answers was stopped");
  reset_cancel();
}

}  // namespace
}  // namespace filigree::language
