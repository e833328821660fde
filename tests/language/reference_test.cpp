#include <algorithm>
#include <filesystem>
#include <map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "language/generate.h"
#include "language/model.h"
#include "support/paths.h"
#include "tensor/device.h"
#include "tensor/safetensors.h"

/// A small Pangu Ultra MoE as another implementation computed it, in float32. All sizes come from the case's files.
namespace filigree::language {
namespace {

namespace fs = std::filesystem;

constexpr double kOutputs = 1e-4;        // absolute: float32 sums in another order
constexpr double kScores = 1e-5;         // of the router and of losses
constexpr double kGradientNorms = 1e-3;  // relative

double furthest(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

class PanguReference : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(test::reference_dir()) / "pangu";
    if (!fs::is_directory(folder_)) GTEST_SKIP() << "no reference case at " << folder_.string();
    model_.emplace(load_model(folder_.string()));
    reference_.emplace(tensor::SafeTensors::open(folder_ / "reference.safetensors"));
    case_ = load_json(folder_ / "case.json");
    ids_ = reference("ids");
    input_ = ids_.narrow(1, 0, ids_.size(1) - 1).contiguous();
  }

  at::Tensor reference(const std::string& name) const { return reference_->get(name); }

  at::Tensor targets(std::int64_t ahead) const { return ids_.narrow(1, ahead, ids_.size(1) - ahead).contiguous(); }

  /// Logits of the prediction module for the input.
  at::Tensor predict(const at::Tensor& hidden, Pass pass = {}) const {
    const std::int64_t tokens = input_.size(1) - 1;
    return model_->predict(input_.narrow(1, 1, tokens), hidden.narrow(1, 0, tokens), pass);
  }

  fs::path folder_;
  std::optional<Model> model_;
  std::optional<tensor::SafeTensors> reference_;
  Json case_;
  at::Tensor ids_, input_;
};

TEST_F(PanguReference, OutputsAndRouting) {
  const c10::NoGradGuard no_grad;
  std::vector<moe::Routing> routings;
  Pass pass;
  pass.routings = &routings;
  const Output out = model_->forward(input_, pass);
  EXPECT_LE(furthest(out.hidden_BTD, reference("hidden")), kOutputs);
  EXPECT_LE(furthest(out.logits_BTV, reference("logits")), kOutputs);
  EXPECT_LE(furthest(predict(out.hidden_BTD, pass), reference("mtp_logits")), kOutputs);
  const std::vector<std::int64_t> layers = model_->expert_layers();
  ASSERT_EQ(routings.size(), layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string prefix = "router.model.layers." + std::to_string(layers[i]) + ".mlp.";
    EXPECT_LE(furthest(routings[i].score_TE, reference(prefix + "scores")), kScores) << prefix;
    EXPECT_TRUE(at::equal(std::get<0>(routings[i].expert_TK.sort(-1)), reference(prefix + "topk"))) << prefix;
  }
}

TEST_F(PanguReference, LossesAndGradients) {
  nn::Parameters parameters = model_->parameters();
  nn::record_gradients(parameters);
  const Output out = model_->forward(input_);
  const at::Tensor loss = cross_entropy(out.logits_BTV, targets(1));
  const at::Tensor second = cross_entropy(predict(out.hidden_BTD), targets(2));
  EXPECT_NEAR(loss.item<double>(), reference("loss").item<double>(), kScores);
  EXPECT_NEAR(second.item<double>(), reference("mtp_loss").item<double>(), kScores);
  (loss + case_["mtp_loss_weight"].get<double>() * second).backward();
  std::map<std::string, double> norms;
  for (const nn::Parameter& parameter : parameters) norms[parameter.name] = parameter.gradient().norm().item<double>();
  for (const std::string& name : model_->config().shared_copies) {  // tied to the main ones
    norms[name] = norms[name.ends_with("embed_tokens.weight") ? "model.embed_tokens.weight" : "lm_head.weight"];
  }
  const Json expected = load_json(folder_ / "grad_norms.json");
  EXPECT_EQ(norms.size(), expected.size());
  for (const auto& [name, norm] : expected.items()) {
    ASSERT_TRUE(norms.contains(name)) << name;
    EXPECT_NEAR(norms[name], norm.get<double>(), kGradientNorms * norm.get<double>()) << name;
  }
}

TEST_F(PanguReference, OutputsOnAGpu) {
  const std::vector<std::string> devices = tensor::device_names();
  if (std::find(devices.begin(), devices.end(), "cuda:0") == devices.end()) GTEST_SKIP() << "no GPU here";
  const c10::NoGradGuard no_grad;
  const auto outputs = [&](at::ScalarType dtype) {
    const Model model = load_model(folder_.string(), at::TensorOptions().device(at::kCUDA).dtype(dtype));
    return model.forward(input_.to(at::kCUDA));
  };
  const Output exact = outputs(at::kFloat);
  EXPECT_LE(furthest(exact.logits_BTV.cpu(), reference("logits")), kOutputs);
  EXPECT_LE(furthest(exact.hidden_BTD.cpu(), reference("hidden")), kOutputs);
  // Eight bits of mantissa, and a router that may choose otherwise where two experts are near: in the mean over all
  // logits it is a few per cent.
  constexpr double kHalfPrecision = 0.1;
  const at::Tensor half = outputs(at::kBFloat16).logits_BTV.cpu().to(at::kFloat);
  const double error = ((half - reference("logits")).norm() / reference("logits").norm()).item<double>();
  EXPECT_LE(error, kHalfPrecision);
  RecordProperty("bfloat16_error", std::to_string(error));
}

TEST_F(PanguReference, GreedyTokensInEveryWayOfDecoding) {
  const at::Tensor greedy = reference("greedy").flatten();
  const auto given = case_["greedy_prompt_tokens"].get<std::int64_t>();
  const std::int64_t* ids = greedy.data_ptr<std::int64_t>();
  const std::vector<std::int64_t> prompt(ids, ids + given), expected(ids + given, ids + greedy.numel());
  GenerateOptions options{.max_new_tokens = static_cast<std::int64_t>(expected.size())};
  EXPECT_EQ(generate(*model_, {prompt}, options).ids[0], expected) << "absorbed";
  options.absorbed = false;
  EXPECT_EQ(generate(*model_, {prompt}, options).ids[0], expected) << "expanded";
  options.cache = false;
  EXPECT_EQ(generate(*model_, {prompt}, options).ids[0], expected) << "without a cache";
  options = {.max_new_tokens = options.max_new_tokens, .speculative = true};
  const Generated speculative = generate(*model_, {prompt}, options);
  EXPECT_EQ(speculative.ids[0], expected) << "speculative";
  EXPECT_GT(speculative.proposed, 0);
  // Beside a shorter prompt, that is with padding.
  options = {.max_new_tokens = options.max_new_tokens};
  const Generated batch = generate(*model_, {{prompt.front()}, prompt}, options);
  EXPECT_EQ(batch.ids[1], expected) << "in a batch";
  EXPECT_EQ(batch.ids[0], generate(*model_, {{prompt.front()}}, options).ids[0]) << "the other of the batch";
}

TEST_F(PanguReference, FoldersGoThroughUnchanged) {
  const fs::path copy = fs::path(testing::TempDir()) / "filigree_pangu_copy";
  fs::remove_all(copy);
  save_model(*model_, copy.string());
  EXPECT_EQ(load_json(copy / "config.json"), load_json(folder_ / "config.json"));
  const tensor::SafeTensors a = tensor::SafeTensors::open(folder_), b = tensor::SafeTensors::open(copy);
  std::vector<std::string> names = a.names(), others = b.names();
  std::sort(names.begin(), names.end());
  std::sort(others.begin(), others.end());
  EXPECT_EQ(names, others);
  for (const std::string& name : names) EXPECT_TRUE(at::equal(a.get(name), b.get(name))) << name;
  Model again = load_model(copy.string());
  const nn::Parameters first = model_->parameters(), second = again.parameters();
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(at::equal(first[i].value(), second[i].value())) << first[i].name;
  }
  fs::remove_all(copy);
}

}  // namespace
}  // namespace filigree::language
