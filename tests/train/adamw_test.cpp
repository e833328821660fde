#include "train/adamw.h"

#include <filesystem>
#include <limits>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/optim/adamw.h>

namespace filigree::train {
namespace {

namespace fs = std::filesystem;

constexpr AdamWOptions kOptions{.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};

/// A loss with another gradient for every number.
at::Tensor loss_of(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kFloat).square() * at::arange(a.numel()).view(a.sizes())).sum() +
         (b.to(at::kFloat) - 2).pow(4).sum();
}

TEST(AdamW, AgreesWithLibTorch) {
  at::manual_seed(1);
  at::Tensor a = at::randn({3, 4}), b = at::randn({5});
  at::Tensor c = a.clone().requires_grad_(), d = b.clone().requires_grad_();
  AdamW mine({{&a, {"a"}}, {&b, {"b"}}}, kOptions);
  torch::optim::AdamW theirs({c, d}, torch::optim::AdamWOptions(0.01).betas({0.9, 0.95}).weight_decay(0.1));
  for (int i = 0; i < 20; ++i) {
    loss_of(a, b).backward();
    mine.collect();
    mine.step(0.01);
    theirs.zero_grad();
    loss_of(c, d).backward();
    theirs.step();
  }
  EXPECT_LE((a - c).abs().max().item<double>(), 1e-6);
  EXPECT_LE((b - d).abs().max().item<double>(), 1e-6);
}

TEST(AdamW, OnePassAgreesWithItsTwin) {
  at::manual_seed(2);
  const at::Tensor g = at::randn({100'003});
  at::Tensor w = at::randn({100'003}), m = at::randn({100'003}) * 0.1, v = at::rand({100'003});
  at::Tensor w2 = w.clone(), m2 = m.clone(), v2 = v.clone();
  const AdamWStep step{.rate = 0.01, .scale = 0.3, .weight_decay = 0.1, .step = 7, .options = kOptions};
  adamw_update(step, w, g, m, v);
  adamw_update_reference(step, w2, g, m2, v2);
  EXPECT_LE((w - w2).abs().max().item<double>(), 1e-6);
  EXPECT_LE((m - m2).abs().max().item<double>(), 1e-6);
  EXPECT_LE((v - v2).abs().max().item<double>(), 1e-6);
}

TEST(AdamW, NormsAndBiasesDoNotDecay) {
  at::Tensor a = at::ones({2}), b = at::ones({2});
  AdamW optimizer({{&a, {"a"}, true}, {&b, {"b"}, false}}, {.weight_decay = 0.5});
  optimizer.step(0.1);
  EXPECT_NEAR(a[0].item<double>(), 0.95, 1e-6);
  EXPECT_EQ(b[0].item<double>(), 1);
}

TEST(AdamW, HalfPrecisionHasMastersInFloat32) {
  at::Tensor a = at::ones({4}).to(at::kBFloat16);
  AdamW optimizer({{&a, {"a"}}}, {.weight_decay = 0});
  for (int i = 0; i < 10; ++i) {
    for (int micro = 0; micro < 3; ++micro) {
      a.sum().backward();
      optimizer.collect();
    }
    EXPECT_NEAR(optimizer.gradient_norm(), 6, 1e-6);  // 3 in each of four
    optimizer.step(1e-4);
  }
  // bfloat16 alone would have stayed at 1: its next lower number is 0.996.
  const tensor::NamedTensors state = optimizer.state();
  ASSERT_EQ(state.front().first, "master.a");
  EXPECT_NEAR(state.front().second[0].item<double>(), 1 - 1e-3, 1e-5);
  EXPECT_EQ(a.scalar_type(), at::kBFloat16);
}

TEST(AdamW, StateGoesThroughAFile) {
  const fs::path file = fs::path(testing::TempDir()) / "filigree_adamw.safetensors";
  const auto run = [&](bool stop) {
    at::manual_seed(3);
    at::Tensor a = at::randn({2, 3, 2}), b = at::randn({3}).to(at::kBFloat16);
    auto optimizer = std::make_unique<AdamW>(std::vector<Trained>{{&a, {"a.0", "a.1"}}, {&b, {"b"}}}, kOptions);
    for (int i = 0; i < 6; ++i) {
      if (stop && i == 3) {
        tensor::save(file, optimizer->state());
        a = a.detach().clone();
        b = at::zeros({3}, at::kBFloat16);  // comes back from its master
        optimizer = std::make_unique<AdamW>(std::vector<Trained>{{&a, {"a.0", "a.1"}}, {&b, {"b"}}}, kOptions);
        optimizer->load_state(tensor::SafeTensors::open(file));
        EXPECT_EQ(optimizer->steps(), 3);
      }
      loss_of(a, b).backward();
      optimizer->collect();
      optimizer->step(0.01);
    }
    return std::pair(a.detach().clone(), b.detach().clone());
  };
  const auto whole = run(false), parts = run(true);
  EXPECT_TRUE(at::equal(whole.first, parts.first));
  EXPECT_TRUE(at::equal(whole.second, parts.second));
  fs::remove(file);
}

TEST(AdamW, NamesWhatIsNotFinite) {
  at::Tensor a = at::ones({2, 2}), b = at::ones({2});
  AdamW optimizer({{&b, {"b"}}, {&a, {"a.0", "a.1"}}}, kOptions);
  EXPECT_FALSE(optimizer.first_bad_value());
  EXPECT_FALSE(optimizer.first_bad_gradient());
  {
    const c10::NoGradGuard no_grad;
    a.mutable_grad()[1][0] = std::numeric_limits<float>::quiet_NaN();
  }
  EXPECT_EQ(optimizer.first_bad_gradient(), "a.1");
  {
    const c10::NoGradGuard no_grad;
    b[1] = std::numeric_limits<float>::infinity();
  }
  EXPECT_EQ(optimizer.first_bad_value(), "b");
}

}  // namespace
}  // namespace filigree::train
