#include "nn/attention_fused.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "nn/attention.h"
#include "tensor/device.h"
#include "tensor/gradcheck.h"

namespace filigree::nn {
namespace {

struct Shape {
  std::int64_t batch, heads, groups, tokens, key, value;
};

/// Queries, keys and values, leaves of a graph.
std::vector<at::Tensor> inputs(const Shape& s, const at::TensorOptions& options) {
  const auto leaf = [&](std::int64_t heads, std::int64_t size) {
    return at::randn({s.batch, heads, s.tokens, size}).to(options).requires_grad_(true);
  };
  return {leaf(s.heads, s.key), leaf(s.groups, s.key), leaf(s.groups, s.value)};
}

double error(const at::Tensor& got, const at::Tensor& exact) {
  return ((got.cpu().to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
}

/// The fused result and its gradients against the twin's in float64 on the CPU; how many there were to compare.
void compare(const Shape& shape, const at::TensorOptions& options, double tolerance, int& compared) {
  at::manual_seed(7);
  const std::vector<at::Tensor> in = inputs(shape, options);
  const at::Tensor y = attend_fused(in[0], in[1], in[2], 0.2);
  if (!y.defined()) return;
  ++compared;
  std::vector<at::Tensor> exact_in;
  for (const at::Tensor& x : in) exact_in.push_back(x.detach().cpu().to(at::kDouble).requires_grad_(true));
  const at::Tensor exact = attend_reference(exact_in[0], exact_in[1], exact_in[2], 0.2, {});
  EXPECT_EQ(y.scalar_type(), in[2].scalar_type());
  EXPECT_EQ(y.sizes(), exact.sizes());
  const at::Tensor weight = at::randn_like(exact);
  (y * weight.to(options)).sum().backward();
  (exact * weight.to(options.dtype()).to(at::kDouble)).sum().backward();
  EXPECT_LE(error(y.detach(), exact.detach()), tolerance);
  for (std::size_t i = 0; i < in.size(); ++i) {
    EXPECT_LE(error(in[i].grad(), exact_in[i].grad()), tolerance) << "gradient of input " << i;
  }
}

TEST(AttendFused, EqualsItsTwinOnEveryDevice) {
  const Shape shapes[] = {{2, 4, 4, 37, 16, 16}, {2, 4, 2, 64, 32, 32}, {1, 2, 2, 300, 192, 128}, {2, 3, 3, 5, 24, 8}};
  // Of the norm. Float32: sums in another order, on GPUs from products of three parts. Bfloat16: its eight bits.
  const std::pair<at::ScalarType, double> types[] = {{at::kFloat, 1e-5}, {at::kBFloat16, 1e-2}};
  int compared = 0;
  for (const std::string& device : tensor::device_names()) {
    for (const Shape& shape : shapes) {
      for (const auto& [dtype, tolerance] : types) {
        SCOPED_TRACE(device + " " + tensor::dtype_name(dtype) + " " + std::to_string(shape.key));
        compare(shape, at::TensorOptions().device(tensor::parse_device(device)).dtype(dtype), tolerance, compared);
      }
    }
  }
  if (compared == 0) GTEST_SKIP() << "this LibTorch has no fused attention";
}

TEST(AttendFused, IsNotForFewerQueriesThanKeys) {
  const at::Tensor q = at::randn({1, 2, 3, 8}), k = at::randn({1, 2, 5, 8});
  EXPECT_FALSE(attend_fused(q, k, k, 0.2).defined());
  EXPECT_EQ(attend(q, k, k, 0.2, {}).size(2), 3);
}

TEST(Attend, WithoutAMaskTheLastQueriesSeeTheKeysUpToTheirOwn) {
  const at::Tensor q = at::randn({1, 2, 5, 8}), k = at::randn({1, 2, 5, 8}), v = at::randn({1, 2, 5, 6});
  const at::Tensor whole = attend_reference(q, k, v, 0.2, {});
  for (const std::int64_t last : {1, 3}) {
    const at::Tensor part = attend_reference(q.narrow(2, 5 - last, last), k, v, 0.2, {});
    EXPECT_TRUE(at::allclose(part, whole.narrow(2, 5 - last, last), 1e-5, 1e-6));
  }
}

TEST(Attend, GradientsAgreeWithDifferences) {
  at::manual_seed(8);
  const std::vector<at::Tensor> in{at::randn({1, 4, 5, 3}, at::kDouble), at::randn({1, 2, 5, 3}, at::kDouble),
                                   at::randn({1, 2, 5, 3}, at::kDouble)};
  const auto result = tensor::gradcheck(
      [](const std::vector<at::Tensor>& x) { return std::vector{attend(x[0], x[1], x[2], 0.5, {})}; }, in);
  EXPECT_LT(result.worst, 1e-8) << result.where;
}

}  // namespace
}  // namespace filigree::nn
