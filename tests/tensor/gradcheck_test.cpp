#include "tensor/gradcheck.h"

#include <limits>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/custom_function.h>

#include "support/expect_error.h"

namespace filigree::tensor {
namespace {

using Tensors = std::vector<at::Tensor>;

/// Truncation, step² times the third derivative, and rounding over the step are both about 1e-10 here.
constexpr double kTolerance = 1e-8;

at::Tensor numbers(at::IntArrayRef shape, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(shape, at::kDouble);
}

TEST(Gradcheck, AcceptsRightGradients) {
  const auto result = gradcheck(
      [](const Tensors& x) {
        return Tensors{at::softmax(at::matmul(x[0], x[1]), -1), at::sin(x[0]) * x[2], x[1].sum()};
      },
      {numbers({2, 3}, 1), numbers({3, 4}, 2), numbers({2, 1}, 3)});
  EXPECT_LT(result.worst, kTolerance) << result.where;
  EXPECT_EQ(result.checked, 6 + 12 + 2 + 4);
}

TEST(Gradcheck, PassesOnIndicesAndMasks) {
  const Tensors inputs = {numbers({5, 3}, 1), at::tensor({4, 0, 4}, at::kLong), at::tensor({1, 0, 1}, at::kLong) > 0,
                          at::Tensor()};
  const auto result = gradcheck(
      [](const Tensors& x) {
        EXPECT_FALSE(x[3].defined());
        return Tensors{x[0].index_select(0, x[1]).masked_fill(x[2], 0.0).square(), x[1]};
      },
      inputs);
  EXPECT_LT(result.worst, kTolerance) << result.where;
  EXPECT_EQ(result.checked, 15 + 4);
}

TEST(Gradcheck, TakesUnusedInputsAndConstantOutputsAsZero) {
  EXPECT_EQ(
      gradcheck([](const Tensors& x) { return Tensors{x[1].square()}; }, {numbers({2}, 1), numbers({2}, 2)}).checked,
      8);
  EXPECT_EQ(gradcheck([](const Tensors&) { return Tensors{at::ones({2}, at::kDouble)}; }, {numbers({2}, 1)}).worst,
            0.0);
}

/// x², with a gradient that is wrong in one element.
struct WrongSquare : torch::autograd::Function<WrongSquare> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x) {
    context->save_for_backward({x});
    return x.square();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    at::Tensor gradient = 2 * context->get_saved_variables()[0] * grads[0];
    gradient[1][2].mul_(1.01);
    return {gradient};
  }
};

TEST(Gradcheck, NamesTheElementThatIsWrong) {
  at::Tensor x = at::ones({2, 3}, at::kDouble);
  const auto result =
      gradcheck([](const Tensors& in) { return Tensors{WrongSquare::apply(in[1])}; }, {x, x}, {.directions = 0});
  EXPECT_EQ(result.where, "input 1 [1, 2]");
  EXPECT_NEAR(std::abs(result.analytic / result.numeric), 1.01, 1e-6);
  EXPECT_GT(result.worst, 1e-4);
  // A direction sees it too.
  const auto along =
      gradcheck([](const Tensors& in) { return Tensors{WrongSquare::apply(in[0])}; }, {x}, {.elements = 1});
  EXPECT_GT(along.worst, 1e-4);
  EXPECT_EQ(along.checked, 1 + 4);
}

TEST(Gradcheck, LeavesTheInputsAsTheyAre) {
  const at::Tensor x = numbers({3}, 1).requires_grad_(true);
  const at::Tensor before = x.detach().clone();
  gradcheck([](const Tensors& in) { return Tensors{in[0].exp()}; }, {x});
  EXPECT_TRUE(at::equal(x.detach(), before));
  EXPECT_FALSE(x.grad().defined());
}

TEST(Gradcheck, TakesInputsThatAreNotContiguous) {
  const auto result = gradcheck([](const Tensors& x) { return Tensors{x[0].exp()}; }, {numbers({3, 2}, 1).t()});
  EXPECT_LT(result.worst, kTolerance) << result.where;
}

TEST(Gradcheck, NamesWhatItCannotCheck) {
  const Function twice = [](const Tensors& x) { return Tensors{x[0] * 2}; };
  EXPECT_ERROR(gradcheck(twice, {at::ones({1}, at::kFloat)}),
               "gradcheck: input 0 is Float, expected float64; differences of other types say little");
  EXPECT_ERROR(gradcheck(twice, {at::ones({1}, at::kLong)}), "gradcheck: no input is a floating-point tensor");
  EXPECT_ERROR(gradcheck(twice, {numbers({1}, 1)}, {.step = 0}), "gradcheck: the step must be greater than 0, got 0");
  EXPECT_ERROR(gradcheck([](const Tensors&) { return Tensors{}; }, {numbers({1}, 1)}),
               "gradcheck: no output of the function is a floating-point tensor");
  EXPECT_ERROR(gradcheck([](const Tensors& x) { return Tensors{at::dropout(x[0], 0.5, true)}; }, {numbers({50}, 1)}),
               "gradcheck: the function gives other values when it is called again; set its random numbers inside it");
  EXPECT_ERROR(gradcheck([](const Tensors& x) { return Tensors{x[0] / 0.0}; }, {numbers({1}, 1)}),
               "gradcheck: the function's outputs are not all finite");
}

}  // namespace
}  // namespace filigree::tensor
