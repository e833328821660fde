#include "tensor/recompute.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "support/expect_error.h"
#include "tensor/gradcheck.h"

namespace filigree::tensor {
namespace {

using Tensors = std::vector<at::Tensor>;

at::Tensor numbers(at::IntArrayRef shape, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(shape);
}

at::Tensor leaf(at::IntArrayRef shape, std::uint64_t seed) { return numbers(shape, seed).requires_grad_(true); }

/// A layer that holds its parameters, with dropout.
struct Layer {
  at::Tensor w1 = leaf({8, 16}, 11), b1 = leaf({16}, 12), w2 = leaf({16, 8}, 13);

  at::Tensor operator()(const at::Tensor& x) const {
    const at::Tensor inner = at::dropout(at::gelu(at::addmm(b1, x, w1)), 0.3, true);
    return x + at::matmul(inner, w2);
  }
  Tensors parameters() const { return {w1, b1, w2}; }
  void clear() const {
    for (at::Tensor p : parameters()) p.mutable_grad() = at::Tensor();
  }
};

void expect_identical(const Tensors& a, const Tensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].defined(), b[i].defined()) << i;
    if (!a[i].defined()) continue;
    EXPECT_TRUE(at::equal(a[i], b[i])) << i;
  }
}

/// Loss, gradients, and the next random number, so that the generator's place is compared too.
template <class Run>
Tensors outcome(const Layer& layer, Run run) {
  layer.clear();
  at::Tensor x = leaf({5, 8}, 3);
  at::manual_seed(42);
  const at::Tensor loss = run(x).square().sum();
  const at::Tensor after_forward = at::rand({1});
  loss.backward();
  Tensors all = {loss.detach(), after_forward, at::rand({1}), x.grad()};
  for (const at::Tensor& p : layer.parameters()) all.push_back(p.grad());
  return all;
}

TEST(Recompute, GivesTheSameBitForBit) {
  const Layer layer;
  const Tensors plain = outcome(layer, [&](const at::Tensor& x) { return layer(layer(x)); });
  const Tensors again = outcome(layer, [&](const at::Tensor& x) {
    return recompute([&](const at::Tensor& y) { return layer(y); },
                     recompute([&](const at::Tensor& y) { return layer(y); }, x));
  });
  for (const at::Tensor& t : plain) EXPECT_TRUE(t.defined());
  expect_identical(plain, again);
}

TEST(Recompute, MayBeNested) {
  const Layer layer;
  const auto once = [&](const at::Tensor& x) { return layer(x); };
  const auto twice = [&](const at::Tensor& x) { return recompute(once, recompute(once, x)); };
  const Tensors plain = outcome(layer, [&](const at::Tensor& x) { return layer(layer(layer(layer(x)))); });
  const Tensors nested = outcome(layer, [&](const at::Tensor& x) { return recompute(twice, recompute(twice, x)); });
  expect_identical(plain, nested);
}

TEST(Recompute, DropsTheSameElements) {
  std::vector<at::Tensor> masks;
  at::Tensor x = at::ones({100}).requires_grad_(true);
  at::manual_seed(7);
  const at::Tensor y = recompute(
      [&](const at::Tensor& in) {
        const at::Tensor out = at::dropout(in, 0.5, true);
        masks.push_back(out.detach() != 0);
        return out;
      },
      x);
  at::manual_seed(1000);
  y.sum().backward();
  ASSERT_EQ(masks.size(), 2u);
  EXPECT_TRUE(at::equal(masks[0], masks[1]));
  EXPECT_TRUE(at::equal(x.grad(), masks[0] * at::full({}, 2.0f)));
}

TEST(Recompute, TakesSeveralInputsAndOutputs) {
  const at::Tensor index = at::tensor({2, 0, 1}, at::kLong);
  const Function function = [](const Tensors& x) {
    const at::Tensor rows = x[0].index_select(0, x[1]) * x[2];
    // The last three: indices, one of the inputs, and the same tensor twice.
    return Tensors{rows.tanh(), rows.sum(), rows.argmax(1), x[0], rows, rows};
  };
  const auto run = [&](bool recomputed) {
    at::Tensor a = leaf({3, 4}, 1), frozen = numbers({4}, 2);
    const Tensors in = {a, index, frozen, at::Tensor()};
    const Tensors out = recomputed ? recompute(function, in) : function(in);
    EXPECT_FALSE(out[2].requires_grad());
    EXPECT_TRUE(out[0].requires_grad());
    (out[0].sum() + out[1] * 2 + (out[3] * out[4]).sum() + out[5].square().sum()).backward();
    EXPECT_FALSE(frozen.grad().defined());
    return Tensors{out[0].detach(), out[1].detach(), out[2], a.grad()};
  };
  const Tensors plain = run(false), recomputed = run(true);
  expect_identical({plain.begin(), plain.begin() + 3}, {recomputed.begin(), recomputed.begin() + 3});
  // Here five parts are added up in another order.
  EXPECT_TRUE(at::allclose(plain[3], recomputed[3], 1e-5, 1e-6));
}

TEST(Recompute, LeavesOutOutputsThatAreNotUsed) {
  at::Tensor x = leaf({3}, 1);
  const Tensors out = recompute([](const Tensors& in) { return Tensors{in[0].exp(), in[0].square()}; }, {x});
  out[1].sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), 2 * x.detach()));
}

TEST(Recompute, ReachesParametersWhereNoInputNeedsGradients) {
  const Layer layer;
  const at::Tensor x = numbers({5, 8}, 3);
  at::manual_seed(42);
  layer(x).sum().backward();
  Tensors plain;
  for (const at::Tensor& p : layer.parameters()) plain.push_back(p.grad());
  layer.clear();
  at::manual_seed(42);
  recompute([&](const at::Tensor& y) { return layer(y); }, x).sum().backward();
  Tensors again;
  for (const at::Tensor& p : layer.parameters()) again.push_back(p.grad());
  expect_identical(plain, again);
  EXPECT_FALSE(x.grad().defined());
}

TEST(Recompute, DoesNothingWhereNothingNeedsGradients) {
  const at::Tensor y = recompute([](const at::Tensor& x) { return x * 2; }, at::ones({2}));
  (y.sum() * leaf({}, 1)).backward();
  EXPECT_TRUE(at::equal(y.detach(), at::full({2}, 2.0f)));
}

TEST(Recompute, OnlyRunsWhereGradientsAreNotRecorded) {
  int runs = 0;
  at::Tensor x = leaf({2}, 1);
  const c10::NoGradGuard no_grad;
  const at::Tensor y = recompute(
      [&](const at::Tensor& in) {
        ++runs;
        return in * 2;
      },
      x);
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(runs, 1);
}

TEST(Recompute, AnswersGradForItsInputsAlone) {
  const Layer layer;
  at::Tensor x = leaf({5, 8}, 3);
  at::manual_seed(42);
  const at::Tensor expected = torch::autograd::grad({layer(x).sum()}, {x})[0];
  at::manual_seed(42);
  const at::Tensor got =
      torch::autograd::grad({recompute([&](const at::Tensor& y) { return layer(y); }, x).sum()}, {x})[0];
  EXPECT_TRUE(at::equal(expected, got));
  for (const at::Tensor& p : layer.parameters()) EXPECT_FALSE(p.grad().defined());
}

TEST(Recompute, PassesGradcheck) {
  const auto result = gradcheck(
      [](const Tensors& x) {
        return recompute([](const Tensors& y) { return Tensors{at::matmul(y[0], y[1]).tanh(), y[1].exp()}; }, x);
      },
      {numbers({2, 3}, 1).to(at::kDouble), numbers({3, 2}, 2).to(at::kDouble)});
  EXPECT_LT(result.worst, 1e-8) << result.where;
}

/// How much of what a function makes inside is still in memory after it: each inner tensor's storage is watched.
class Watch {
 public:
  at::Tensor operator()(const at::Tensor& tensor) {
    storages_.push_back(tensor.storage().getWeakStorageImpl());
    return tensor;
  }
  int alive() const {
    int count = 0;
    for (const auto& storage : storages_) count += storage.expired() ? 0 : 1;
    return count;
  }

 private:
  std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> storages_;
};

TEST(Recompute, FreesWhatTheFunctionSaves) {
  Watch watch;
  const auto deep = [&](const at::Tensor& x) {
    at::Tensor y = x;
    for (int i = 0; i < 10; ++i) y = watch(y.sigmoid());
    return y * 2;
  };
  at::Tensor x = leaf({1000}, 1);
  at::Tensor plain = deep(x);
  EXPECT_EQ(watch.alive(), 10);
  plain = at::Tensor();
  EXPECT_EQ(watch.alive(), 0);
  watch = Watch();
  const at::Tensor y = recompute(deep, x);
  EXPECT_EQ(watch.alive(), 0);
  y.sum().backward();
  EXPECT_EQ(watch.alive(), 0);
}

TEST(Recompute, KeepsItsInputUntilItIsUsed) {
  Watch watch;
  at::Tensor x = leaf({10}, 1);
  at::Tensor y = recompute([](const at::Tensor& in) { return in.exp(); }, watch(x * 2));
  EXPECT_EQ(watch.alive(), 1);
  y.sum().backward();
  EXPECT_EQ(watch.alive(), 0);
}

TEST(Recompute, AllowsChangesInPlace) {
  at::Tensor x = leaf({3}, 1);
  at::Tensor y = recompute([](const at::Tensor& in) { return in.exp(); }, x);
  y.mul_(3);
  y.sum().backward();
  EXPECT_TRUE(at::allclose(x.grad(), 3 * x.detach().exp()));
}

TEST(Recompute, NoticesInputsChangedInPlace) {
  at::Tensor x = leaf({3}, 1);
  at::Tensor between = x * 2;
  const at::Tensor y = recompute([](const at::Tensor& in) { return in.exp(); }, between);
  between.mul_(2);
  EXPECT_THROW(y.sum().backward(), c10::Error);
}

TEST(Recompute, MayBeDifferentiatedTwiceWhereTheGraphIsKept) {
  at::Tensor x = leaf({3}, 1);
  const at::Tensor loss = recompute([](const at::Tensor& in) { return in.exp(); }, x).sum();
  loss.backward({}, /*retain_graph=*/true);
  loss.backward();
  EXPECT_TRUE(at::allclose(x.grad(), 2 * x.detach().exp()));
  EXPECT_ANY_THROW(loss.backward());
}

TEST(Recompute, NamesWhatItCannotDo) {
  at::Tensor x = leaf({3}, 1);
  const auto square = [](const at::Tensor& in) { return in.square(); };
  EXPECT_ERROR(
      torch::autograd::grad({recompute(square, x).sum()}, {x}, {}, true, true),
      "recompute: second derivatives (create_graph) are not supported; call the function itself where they are "
      "needed");
  // The sum keeps nothing, so that the node itself notices.
  const at::Tensor kept = recompute(square, x);
  kept.backward(at::ones({3}));
  EXPECT_ERROR(kept.backward(at::ones({3})),
               "recompute: its gradients were taken already; to take them twice, pass retain_graph the first time");
  EXPECT_ERROR(recompute([](const at::Tensor&) { return at::Tensor(); }, x),
               "recompute: output 0 of the function is undefined");
  int runs = 0;
  const Tensors other =
      recompute([&](const Tensors& in) { return Tensors(static_cast<std::size_t>(++runs), in[0]); }, {x});
  EXPECT_ERROR(other[0].sum().backward(),
               "recompute: the function gave 1 outputs and, when it ran again, 2; it must do the same each time");
  const Tensors longer = recompute([&](const Tensors& in) { return Tensors{in[0].repeat(++runs)}; }, {x});
  EXPECT_ERROR(longer[0].sum().backward(),
               "recompute: output 0 has another shape when the function runs again; it must do the same each time");
}

TEST(Recompute, LeavesTheGeneratorWhereAnErrorFoundIt) {
  at::Tensor x = leaf({3}, 1);
  int runs = 0;
  const at::Tensor y = recompute(
      [&](const at::Tensor& in) {
        if (++runs == 2) fail("the second run fails");
        return at::dropout(in, 0.5, true);
      },
      x);
  at::manual_seed(9);
  const at::Tensor expected = at::rand({4});
  at::manual_seed(9);
  EXPECT_ERROR(y.sum().backward(), "the second run fails");
  EXPECT_TRUE(at::equal(at::rand({4}), expected));
}

}  // namespace
}  // namespace filigree::tensor
