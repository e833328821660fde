#include "nn/rotary.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tensor/device.h"

namespace filigree::nn {
namespace {

class Pairs : public testing::TestWithParam<RotaryPairs> {};
INSTANTIATE_TEST_SUITE_P(Rotary, Pairs, testing::Values(RotaryPairs::neighbours, RotaryPairs::halves));

TEST_P(Pairs, ProductsDependOnDistancesAlone) {
  at::manual_seed(1);
  const at::Tensor q = at::randn({1, 2, 1, 8}), k = at::randn({1, 2, 1, 8});
  const auto product = [&](std::int64_t query, std::int64_t key) {
    const auto at_position = [](std::int64_t p) { return rotary_angles(at::full({1, 1}, p, at::kLong), 8, 10000); };
    return (rotate(q, at_position(query), GetParam()) * rotate(k, at_position(key), GetParam())).sum().item<double>();
  };
  EXPECT_NEAR(product(3, 1), product(17, 15), 1e-5);
  EXPECT_GT(std::abs(product(3, 1) - product(3, 2)), 1e-3);
}

TEST(Rotary, FirstPairTurnsByOneRadianAPosition) {
  const Angles angles = rotary_angles(at::full({1, 1}, 2, at::kLong), 4, 100);
  const at::Tensor x = at::tensor({1.0F, 0.0F, 1.0F, 0.0F}).view({1, 1, 1, 4});
  const at::Tensor near = rotate(x, angles, RotaryPairs::neighbours).flatten();
  EXPECT_NEAR(near[0].item<double>(), std::cos(2.0), 1e-6);
  EXPECT_NEAR(near[1].item<double>(), std::sin(2.0), 1e-6);
  EXPECT_NEAR(near[2].item<double>(), std::cos(0.2), 1e-6);
  const at::Tensor halves = rotate(x, angles, RotaryPairs::halves).flatten();  // pairs (1, 1) and (0, 0)
  EXPECT_NEAR(halves[0].item<double>(), std::cos(2.0) - std::sin(2.0), 1e-6);
  EXPECT_NEAR(halves[3].item<double>(), 0, 1e-6);
}

TEST_P(Pairs, AGpuTurnsAsTheCpuDoes) {
  const std::vector<std::string> devices = tensor::device_names();
  if (std::find(devices.begin(), devices.end(), "cuda:0") == devices.end()) GTEST_SKIP() << "no GPU here";
  at::manual_seed(2);
  const Angles angles = rotary_angles(at::arange(7).unsqueeze(0), 16, 10000);
  const Angles there{angles.cos.cuda(), angles.sin.cuda()};
  // As attention has it: heads stand behind tokens in memory, and a part of each head turns.
  const at::Tensor all = at::randn({2, 7, 3, 24});
  const at::Tensor weight = at::randn({2, 3, 7, 16});
  const auto run = [&](at::Tensor x, const Angles& turn) {
    x.requires_grad_(true);
    const at::Tensor y = rotate(x.transpose(1, 2).narrow(-1, 8, 16), turn, GetParam());
    (y * weight.to(x.device())).sum().backward();
    return std::pair(y.detach().cpu(), x.grad().cpu());
  };
  const auto [y, grad] = run(all.clone(), angles);
  const auto [y_gpu, grad_gpu] = run(all.cuda(), there);
  EXPECT_LE((y - y_gpu).abs().max().item<double>(), 1e-5);
  EXPECT_LE((grad - grad_gpu).abs().max().item<double>(), 1e-5);
  const at::Tensor half = rotate(all.cuda().to(at::kBFloat16).transpose(1, 2).narrow(-1, 8, 16), there, GetParam());
  EXPECT_EQ(half.scalar_type(), at::kBFloat16);
  EXPECT_LE((y - half.cpu().to(at::kFloat)).abs().max().item<double>(), 0.05);
}

}  // namespace
}  // namespace filigree::nn
