#include "nn/linear.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tensor/device.h"

namespace filigree::nn {
namespace {

TEST(RmsNorm, DividesByTheRootMeanSquare) {
  RmsNorm norm(2, 0, {});
  norm.weight_D = at::tensor({1.0F, 2.0F});
  const at::Tensor y = norm(at::tensor({3.0F, 4.0F}));
  const double rms = std::sqrt(12.5);
  EXPECT_NEAR(y[0].item<double>(), 3 / rms, 1e-6);
  EXPECT_NEAR(y[1].item<double>(), 8 / rms, 1e-6);
}

TEST(RmsNorm, ComputesHalfPrecisionInFloat) {
  RmsNorm norm(64, 1e-5, at::kBFloat16);
  const at::Tensor x = at::randn({4, 64}).to(at::kBFloat16);
  const at::Tensor y = norm(x);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  RmsNorm wide(64, 1e-5, at::kFloat);
  EXPECT_TRUE(at::equal(y, wide(x.to(at::kFloat)).to(at::kBFloat16)));
}

TEST(RmsNorm, EqualsItsTwinOnAGpu) {
  if (tensor::device_names().size() < 2) GTEST_SKIP() << "no GPU here";
  at::manual_seed(1);
  // Of the norm: sums in another order; bfloat16 has eight bits, and the twin rounds once more.
  const std::pair<at::ScalarType, double> types[] = {{at::kFloat, 1e-6}, {at::kBFloat16, 1e-2}};
  for (const auto& [dtype, tolerance] : types) {
    const at::TensorOptions options = at::TensorOptions().device(at::kCUDA).dtype(dtype);
    RmsNorm norm(96, 1e-5, options);
    norm.weight_D = at::randn({96}, options).requires_grad_(true);
    const at::Tensor start = at::randn({5, 7, 96}, options), weight = at::randn({5, 7, 96}, options);
    std::vector<at::Tensor> results[2];
    for (const bool fast : {false, true}) {
      norm.weight_D.mutable_grad() = at::Tensor();
      const at::Tensor x = start.clone().requires_grad_(true);
      const at::Tensor y = fast ? norm(x) : norm.reference(x);
      EXPECT_EQ(y.scalar_type(), dtype);
      (y * weight).sum().backward();
      for (const at::Tensor& t : {y.detach(), x.grad(), norm.weight_D.grad()})
        results[fast].push_back(t.to(at::kFloat));
    }
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_LE(((results[1][i] - results[0][i]).norm() / results[0][i].norm()).item<double>(), tolerance) << i;
    }
  }
}

TEST(Parameters, SlicesShareStorageAndGradients) {
  at::Tensor stacked = at::zeros({2, 3}).requires_grad_(true);
  const Parameters list{{"a", &stacked, 0}, {"b", &stacked, 1}};
  list[1].value().fill_(5);
  EXPECT_EQ(stacked.sum().item<double>(), 15);
  (stacked.select(0, 1) * 2).sum().backward();
  EXPECT_EQ(list[0].gradient().sum().item<double>(), 0);
  EXPECT_EQ(list[1].gradient().sum().item<double>(), 6);
  EXPECT_EQ(trained_tensors(list).size(), 1U);
  EXPECT_EQ(count_numbers(list), 6);
}

TEST(Parameters, BuffersAreNotTrained) {
  at::Tensor weight = at::zeros({2}), buffer = at::zeros({2});
  const Parameters list{{"weight", &weight}, {"buffer", &buffer, -1, false}};
  record_gradients(list);
  EXPECT_TRUE(weight.requires_grad());
  EXPECT_FALSE(buffer.requires_grad());
  EXPECT_EQ(trained_tensors(list).size(), 1U);
}

}  // namespace
}  // namespace filigree::nn
