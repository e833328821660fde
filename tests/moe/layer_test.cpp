#include "moe/layer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "tensor/device.h"

namespace filigree::moe {
namespace {

Layer filled(const at::TensorOptions& options, std::int64_t shared_width = 6) {
  Layer layer({.routed = 5, .top_k = 2, .width = 7, .shared_width = shared_width}, 8, {.top_k = 2, .scale = 1.5},
              options);
  nn::Parameters parameters;
  layer.list(parameters, "mlp");
  at::manual_seed(4);
  for (const nn::Parameter& parameter : parameters) parameter.value().normal_(0, 0.4);
  return layer;
}

TEST(MoeLayer, EqualsItsReadableTwin) {
  for (const std::int64_t shared : {0, 6}) {
    const Layer layer = filled(at::kFloat, shared);
    const at::Tensor x = at::randn({20, 8});
    EXPECT_TRUE(at::allclose(layer(x).y_TD, forward_by_loop(layer, x), 1e-5, 1e-6));
  }
}

TEST(MoeLayer, GradientsEqualThoseOfItsTwin) {
  Layer fast = filled(at::kFloat), plain = filled(at::kFloat);
  nn::Parameters a, b;
  fast.list(a, "mlp");
  plain.list(b, "mlp");
  nn::record_gradients(a);
  nn::record_gradients(b);
  at::manual_seed(5);
  const at::Tensor start = at::randn({20, 8}), weight = at::randn({20, 8});
  at::Tensor x = start.clone().requires_grad_(true), z = start.clone().requires_grad_(true);
  (fast(x).y_TD * weight).sum().backward();
  (forward_by_loop(plain, z) * weight).sum().backward();
  EXPECT_TRUE(at::allclose(x.grad(), z.grad(), 1e-4, 1e-5));
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::allclose(a[i].gradient(), b[i].gradient(), 1e-4, 1e-5)) << a[i].name;
  }
}

TEST(MoeLayer, EqualsItsTwinOnAGpu) {
  if (tensor::device_names().size() < 2) GTEST_SKIP() << "no GPU here";
  const at::TensorOptions options = at::TensorOptions().device(at::kCUDA).dtype(at::kBFloat16);
  Layer layer({.routed = 6, .top_k = 2, .width = 48, .shared_width = 32}, 64, {.top_k = 2, .scale = 1.5}, options);
  nn::Parameters parameters;
  layer.list(parameters, "mlp");
  at::manual_seed(4);
  for (const nn::Parameter& parameter : parameters) parameter.value().normal_(0, 0.2);
  nn::record_gradients(parameters);
  const at::Tensor start = at::randn({300, 64}, options), weight = at::randn({300, 64}, options);
  std::vector<at::Tensor> results[2];
  for (const bool fast : {false, true}) {
    for (const nn::Parameter& parameter : parameters) parameter.tensor->mutable_grad() = at::Tensor();
    const at::Tensor x = start.clone().requires_grad_(true);
    const at::Tensor y = fast ? layer(x).y_TD : forward_by_loop(layer, x);
    (y * weight).sum().backward();
    results[fast] = {y.detach(), x.grad()};
    for (const nn::Parameter& parameter : parameters) results[fast].push_back(parameter.gradient().clone());
  }
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    const at::Tensor a = results[1][i].to(at::kFloat), b = results[0][i].to(at::kFloat);
    EXPECT_LE(((a - b).norm() / b.norm()).item<double>(), 1e-2) << i;  // of the norm: bfloat16 has eight bits
  }
}

TEST(MoeLayer, NamesAreThoseOfCheckpoints) {
  Layer layer = filled(at::kFloat);
  nn::Parameters list;
  layer.list(list, "model.layers.1.mlp");
  EXPECT_EQ(list.front().name, "model.layers.1.mlp.gate.weight");
  EXPECT_EQ(list[1].name, "model.layers.1.mlp.experts.0.gate_proj.weight");
  EXPECT_EQ(list.back().name, "model.layers.1.mlp.shared_experts.down_proj.weight");
  EXPECT_EQ(list.size(), 1U + 5 * 3 + 3);
}

TEST(MoeLayer, RefusesWhatCannotBeRun) {
  EXPECT_ERROR(Layer({.routed = 2, .top_k = 1, .width = 2, .bias = true}, 4, {}, {}),
               "experts with biases or a gated shared expert cannot be run, only planned");
}

}  // namespace
}  // namespace filigree::moe
