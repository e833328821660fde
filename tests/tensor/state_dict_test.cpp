#include "tensor/state_dict.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/nn/module.h>

#include "folder.h"
#include "support/expect_error.h"

namespace filigree::tensor {
namespace {

struct Inner : torch::nn::Module {
  Inner() {
    weight = register_parameter("weight", at::zeros({2, 3}));
    table = register_buffer("table", at::zeros({4}, at::kLong));
  }
  at::Tensor weight, table;
};

struct Model : torch::nn::Module {
  Model() {
    inner = register_module("inner", std::make_shared<Inner>());
    bias = register_parameter("bias", at::zeros({3}, at::kDouble));
  }
  std::shared_ptr<Inner> inner;
  at::Tensor bias;
};

class StateDictTest : public test::FolderTest {
 protected:
  SafeTensors file(const NamedTensors& tensors, const SaveOptions& options = {}) const {
    save(folder / "x", tensors, options);
    return SafeTensors::open(folder / "x");
  }
  std::string start() const {
    return (folder / "x").string() + ": its tensors are not those of the model, so nothing was loaded; ";
  }
  const at::Tensor weight = at::arange(6, at::kFloat).view({2, 3}), table = at::arange(4, at::kLong),
                   bias = at::ones({3});
  const NamedTensors all = {{"inner.weight", weight}, {"inner.table", table}, {"bias", bias}};
};

TEST_F(StateDictTest, ListsParametersAndBuffers) {
  const Model model;
  std::vector<std::string> names;
  for (const auto& entry : named_tensors(model)) names.push_back(entry.first);
  EXPECT_THAT(names, testing::ElementsAre("bias", "inner.weight", "inner.table"));
}

TEST_F(StateDictTest, CopiesIntoTheModule) {
  Model model;
  load_into(model, file(all));
  EXPECT_TRUE(test::identical(model.inner->weight.detach(), weight));
  EXPECT_TRUE(test::identical(model.inner->table, table));
  EXPECT_TRUE(test::identical(model.bias.detach(), bias.to(at::kDouble)));
  EXPECT_TRUE(model.bias.requires_grad());
  EXPECT_TRUE(model.bias.is_leaf());
  // And out of it.
  const SafeTensors again = file(named_tensors(model));
  EXPECT_TRUE(test::identical(again.get("inner.weight"), weight));
}

TEST_F(StateDictTest, ConvertsFloat8) {
  at::Tensor target = at::zeros({2});
  load_into(NamedTensors{{"w", target}},
            file({{"w", at::tensor({0x38, 0x40}, at::kByte)}}, {.float8 = {{"w", Float8::e4m3}}}));
  EXPECT_TRUE(test::identical(target, at::tensor({1.0f, 2.0f})));
}

TEST_F(StateDictTest, Renames) {
  Model model;
  const NamedTensors other = {{"model.inner.weight", weight}, {"model.inner.table", table}, {"model.bias", bias}};
  load_into(model, file(other), {.rename = [](const std::string& name) { return "model." + name; }});
  EXPECT_TRUE(test::identical(model.inner->weight.detach(), weight));
  // Two names for one tensor of the file.
  at::Tensor a = at::zeros({3}), b = at::zeros({3});
  load_into(NamedTensors{{"a", a}, {"b", b}}, file({{"shared", bias}}),
            {.rename = [](const std::string&) { return std::string("shared"); }});
  EXPECT_TRUE(test::identical(a, bias));
  EXPECT_TRUE(test::identical(b, bias));
  EXPECT_ERROR(
      load_into(model, file(all), {.rename = [](const std::string& name) { return name == "bias" ? "b" : name; }}),
      start() + "1 missing: b (for bias); 1 unexpected: bias");
}

TEST_F(StateDictTest, LetsNamesBeAbsent) {
  Model model;
  const auto is_table = [](const std::string& name) { return name == "inner.table"; };
  const auto is_extra = [](const std::string& name) { return name == "extra"; };
  const NamedTensors tensors = {{"inner.weight", weight}, {"bias", bias}, {"extra", bias}};
  load_into(model, file(tensors), {.may_be_missing = is_table, .may_be_unexpected = is_extra});
  EXPECT_TRUE(test::identical(model.inner->weight.detach(), weight));
  EXPECT_TRUE(test::identical(model.inner->table, at::zeros({4}, at::kLong)));
}

TEST_F(StateDictTest, NamesAllThatDoesNotMatchAndCopiesNothing) {
  Model model;
  const NamedTensors bad = {{"inner.weight", weight.t()}, {"bias", bias}, {"extra", bias}, {"more", bias}};
  EXPECT_ERROR(load_into(model, file(bad)),
               start() +
                   "1 missing: inner.table; 2 unexpected: extra, more; 1 of another shape: inner.weight has [3, 2], "
                   "expected [2, 3]");
  EXPECT_TRUE(test::identical(model.bias.detach(), at::zeros({3}, at::kDouble)));
  const NamedTensors kinds = {
      {"inner.weight", weight.to(at::kInt)}, {"inner.table", table.to(at::kFloat)}, {"bias", bias > 0}};
  EXPECT_ERROR(load_into(model, file(kinds)),
               start() +
                   "3 of another kind: bias is BOOL, expected float64, inner.weight is I32, expected float32, "
                   "inner.table is F32, expected int64");
  EXPECT_TRUE(test::identical(model.inner->weight.detach(), at::zeros({2, 3})));
}

TEST_F(StateDictTest, ShowsTheFirstTwentyOfMany) {
  NamedTensors wanted, got;
  std::string missing, unexpected;
  for (int i = 10; i < 35; ++i) {
    wanted.emplace_back(fmt::format("w{}", i), at::zeros({1}));
    got.emplace_back(fmt::format("u{}", i), at::zeros({1}));
    if (i < 30) {
      missing += fmt::format("{}w{}", i == 10 ? "" : ", ", i);
      unexpected += fmt::format("{}u{}", i == 10 ? "" : ", ", i);
    }
  }
  EXPECT_ERROR(load_into(wanted, file(got)),
               start() + "25 missing: " + missing + ", …; 25 unexpected: " + unexpected + ", …");
}

}  // namespace
}  // namespace filigree::tensor
