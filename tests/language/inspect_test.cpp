#include "language/inspect.h"

#include <cmath>
#include <filesystem>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "language/inspect_report.h"
#include "small_models.h"
#include "support/expect_error.h"
#include "text/train.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Ids = std::vector<std::int64_t>;

at::Tensor weight(Model& model, const std::string& name) {
  for (const nn::Parameter& parameter : model.parameters()) {
    if (parameter.name == name) return parameter.value();
  }
  ADD_FAILURE() << name;
  return {};
}

/// Tokens below 25 are e0 and the others e1, and nothing adds to them before the last layer; experts 0 and 1 answer e0 with
/// logits 4 and 2, experts 2 and 3 so e1. In the last layer expert n gives (n + 1) g e5, the shared expert 2 g e5, with
/// g = 4 silu(4).
Model routed_model(const std::string& family) {
  Model model = test::small_model(family);
  const c10::NoGradGuard no_grad;
  for (const nn::Parameter& parameter : model.parameters()) {
    const std::string& name = parameter.name;
    if (name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight")) parameter.value().zero_();
    if (name.ends_with("mlp.gate.weight")) {
      parameter.value().zero_();
      const at::Tensor rows = at::tensor({1.0F, 0.5F});
      parameter.value().narrow(0, 0, 2).select(1, 0).copy_(rows);
      parameter.value().narrow(0, 2, 2).select(1, 1).copy_(rows);
    }
  }
  const at::Tensor embedding = weight(model, "model.embed_tokens.weight").zero_();
  embedding.narrow(0, 0, 25).select(1, 0).fill_(3);
  embedding.narrow(0, 25, 25).select(1, 1).fill_(3);
  const std::string last = "model.layers." + std::to_string(model.config().model.layers - 1) + ".mlp.";
  const auto set_network = [&](const std::string& name, double gain) {
    for (const char* part : {".gate_proj.weight", ".up_proj.weight"}) {
      weight(model, last + name + part).zero_().select(0, 0).narrow(0, 0, 2).fill_(1);
    }
    weight(model, last + name + ".down_proj.weight").select(0, 5).select(0, 0).fill_(gain);
  };
  for (int e = 0; e < 4; ++e) set_network("experts." + std::to_string(e), e + 1);
  if (family == "pangu") set_network("shared_experts", 2);
  return model;
}

Domain domain(const std::string& label, Ids ids) { return {label, std::move(ids)}; }

constexpr double kNear = 1e-4;  // float32, and the epsilon of the norms

TEST(Inspect, KnownRoutes) {
  const Model model = routed_model("qwen");
  // Windows of 3 tokens, two at a time, and one token left over.
  const Inspection found =
      inspect(model, {domain("a", {1, 2, 3, 4, 5, 6, 7}), domain("b", {30, 31})}, {.window = 3, .batch = 2});
  EXPECT_EQ(found.labels, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(found.experts, 4);
  EXPECT_EQ(found.top_k, 2);
  EXPECT_NEAR(found.random_together, 4.0 * 1 / (2 * 3), 1e-12);
  ASSERT_EQ(found.layers.size(), 2U);
  for (const LayerUse& layer : found.layers) {
    EXPECT_FALSE(layer.predictor);
    EXPECT_EQ(layer.domains[0].count, (Ids{7, 7, 0, 0}));
    EXPECT_EQ(layer.domains[1].count, (Ids{0, 0, 2, 2}));
    EXPECT_EQ(layer.all.count, (Ids{7, 7, 2, 2}));
    EXPECT_EQ(layer.all.tokens, 9);
    EXPECT_NEAR(layer.domains[0].share[1], 0.5, 1e-12);
    EXPECT_NEAR(layer.domains[0].variation, 1, 1e-12);
    EXPECT_NEAR(layer.all.variation, 2.5 / 4.5, 1e-12);
    EXPECT_NEAR(layer.specialisation, 1, 1e-12);
    // Of 9 tokens 7 use both 0 and 1: 7/9 over (7/9)².
    EXPECT_NEAR(layer.together[0][1], 9.0 / 7, 1e-12);
    EXPECT_NEAR(layer.together[3][2], 9.0 / 2, 1e-12);
    EXPECT_EQ(layer.together[0][2], 0);
    EXPECT_TRUE(std::isnan(layer.together[1][1]));
    // Softmax of (4, 2, 0, 0).
    const double sum = std::exp(4) + std::exp(2) + 2;
    double entropy = 0;
    for (const double e : {std::exp(4), std::exp(2), 1.0, 1.0}) entropy -= e / sum * std::log(e / sum);
    EXPECT_NEAR(layer.all.entropy, entropy / std::log(4), kNear);
    EXPECT_NEAR(layer.all.weight[0], 1 / (1 + std::exp(-2)), kNear);
    EXPECT_NEAR(layer.all.weight[1], 1 / (1 + std::exp(2)), kNear);
    EXPECT_FALSE(layer.all.shared);
  }
  EXPECT_EQ(found.layers[0].all.routed, 0);
  const double g = 4 * 4 / (1 + std::exp(-4)), first = 1 / (1 + std::exp(-2));
  EXPECT_NEAR(found.layers[1].domains[0].routed, g * (first + 2 * (1 - first)), g * kNear);
  EXPECT_NEAR(found.layers[1].domains[1].routed, g * (3 * first + 4 * (1 - first)), g * kNear);
  EXPECT_NEAR(found.distance[0][1], 1, 1e-12);
  EXPECT_EQ(found.distance[0][0], 0);
}

TEST(Inspect, SharedExpertAndPrediction) {
  const Model model = routed_model("pangu");
  const Inspection found = inspect(model, {domain("a", {1, 2, 3, 4})});
  ASSERT_EQ(found.layers.size(), 3U);  // of layers 1 and 2, and of multi-token prediction
  EXPECT_EQ(found.layers[2].layer, 3);
  EXPECT_TRUE(found.layers[2].predictor);
  EXPECT_EQ(found.layers[2].all.tokens, 3);
  EXPECT_EQ(found.layers[0].specialisation, 0);
  const ExpertUse& use = found.layers[1].all;
  const double g = 4 * 4 / (1 + std::exp(-4));
  const double high = 1 / (1 + std::exp(-4)), low = 1 / (1 + std::exp(-2)), first = 2.5 * high / (high + low);
  ASSERT_TRUE(use.shared);
  EXPECT_NEAR(*use.shared, 2 * g, g * kNear);
  EXPECT_NEAR(use.weight[0], first, kNear);
  EXPECT_NEAR(use.routed, g * (first + 2 * (2.5 - first)), 3 * g * kNear);
}

TEST(Inspect, WindowsAndBatchesDoNotMatterWithoutAttention) {
  const Model model = routed_model("qwen");
  Ids ids;
  for (std::int64_t i = 0; i < 50; ++i) ids.push_back(i);
  const Inspection whole = inspect(model, {domain("x", ids)}, {.window = 1000});
  const Inspection parts = inspect(model, {domain("x", ids)}, {.window = 7, .batch = 3});
  EXPECT_EQ(whole.layers[0].all.count, parts.layers[0].all.count);
  EXPECT_EQ(whole.layers[0].all.count, (Ids{25, 25, 25, 25}));
  EXPECT_EQ(whole.layers[0].all.variation, 0);
}

TEST(Inspect, JensenShannon) {
  EXPECT_EQ(jensen_shannon({}), 0);
  EXPECT_EQ(jensen_shannon({{0.25, 0.75}}), 0);
  EXPECT_NEAR(jensen_shannon({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}), std::log2(3), 1e-12);
  // Mean (0.75, 0.25): H = 0.8113; half of H(0.5, 0.5) = 0.5.
  EXPECT_NEAR(jensen_shannon({{1, 0}, {0.5, 0.5}}), 0.811278 - 0.5, 1e-6);
}

TEST(Inspect, Errors) {
  const Model model = routed_model("qwen");
  EXPECT_ERROR(inspect(model, {}), "there is no text to inspect the experts with");
  EXPECT_ERROR(inspect(model, {domain("a", {})}), "a: is empty; there is nothing to inspect the experts with");
  EXPECT_ERROR(inspect(model, {domain("a", {1}), domain("a", {2})}),
               "two texts are called 'a'; give them names of their own, as in LABEL=FILE");
  EXPECT_ERROR(inspect(model, {domain("a", {1, 50})}),
               "a: token 1 has the id 50, which is not within the model's 0 … 49; is this its tokenizer?");
  Json dense = test::small_config("qwen");
  dense["model_type"] = "qwen3";
  dense["architectures"] = {"Qwen3ForCausalLM"};
  for (const char* key :
       {"num_experts", "num_experts_per_tok", "moe_intermediate_size", "norm_topk_prob", "decoder_sparse_step"}) {
    dense.erase(key);
  }
  EXPECT_ERROR(inspect(Model(config_from_json(dense, "small")), {domain("a", {1})}),
               "small has no layer with experts to inspect");
  request_cancel();
  EXPECT_ERROR(inspect(model, {domain("a", {1})}), "the inspection was stopped");
  reset_cancel();
}

class InspectFiles : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& content) const {
    write_file(folder_ / name, content);
    return (folder_ / name).string();
  }
  fs::path folder_ = fs::path(testing::TempDir()) / "filigree_inspect";
};

TEST_F(InspectFiles, Domains) {
  const std::string file = write("words.txt", "abcab");
  text::save_tokenizer(text::train_characters({file}, {"<|endoftext|>"}), folder_ / "tokenizer");
  const text::Tokenizer tokenizer = text::load_tokenizer(folder_ / "tokenizer");
  const Domain whole = read_domain(tokenizer, file);
  EXPECT_EQ(whole.label, "words.txt");
  EXPECT_EQ(whole.ids.size(), 5U);
  EXPECT_EQ(whole.ids[0], whole.ids[3]);
  const Domain part = read_domain(tokenizer, "letters=" + file, 2);
  EXPECT_EQ(part.label, "letters");
  EXPECT_EQ(part.ids.size(), 2U);
  EXPECT_ERROR(read_domain(tokenizer, "=" + file),
               "'=" + file + "': the label before '=' is empty; expected LABEL=FILE");
  const std::string empty = write("empty.txt", "");
  EXPECT_ERROR(read_domain(tokenizer, empty), empty + ": is empty; there is nothing to inspect the experts with");
  EXPECT_THROW(read_domain(tokenizer, write("bytes.txt", "ab\xff")), Error);
  EXPECT_THROW(read_domain(tokenizer, (folder_ / "none").string()), Error);
}

TEST_F(InspectFiles, TablesPicturesAndPage) {
  const Inspection found = inspect(routed_model("pangu"), {domain("a", {1, 2, 3}), domain("b", {30, 31, 32})});
  EXPECT_THAT(layer_table(found).text(), HasSubstr("3 (MTP)"));
  EXPECT_THAT(domain_table(found).text(), HasSubstr("0 (50.0 %), 1 (50.0 %), 2 (0.0 %)"));
  EXPECT_THAT(distance_table(found).text(), HasSubstr("0.000"));
  const HeatMap use = use_map(found);
  EXPECT_EQ(use.values[0], (std::vector<double>{2, 2, 0, 0}));
  EXPECT_EQ(use.row_labels[1], "layer 1 · b");
  const BalanceHistory history{{10, 20}, {{0.5, 0.4, 0.3}, {0.2, 0.1, 0.1}}};
  const Json json = to_json(found, history);
  EXPECT_EQ(json["layers"][0]["domains"][1]["count"], Json({0, 0, 3, 3}));
  EXPECT_TRUE(json["layers"][0]["together"][0][0].is_null());
  EXPECT_EQ(json["balance_steps"], Json({10, 20}));
  const Plot plot = balance_plot(history, found);
  ASSERT_EQ(plot.series.size(), 3U);
  EXPECT_EQ(plot.series[1].y, (std::vector<double>{0.4, 0.1}));
  EXPECT_EQ(plot.series[2].name, "layer 3 (MTP)");
  const std::string page = inspect_page(found, history).text();
  for (const char* words : {"Use", "Between texts", "Strength", "Used together", "Balance while training"}) {
    EXPECT_THAT(page, HasSubstr(std::string(">") + words + "<"));
  }
}

TEST_F(InspectFiles, ModelOfARun) {
  const std::string here = folder_.string();
  EXPECT_ERROR(model_folder(folder_ / "none"),
               here + "/none: is no folder; expected a model (config.json and safetensors) or a training run");
  EXPECT_ERROR(model_folder(folder_), here +
                                          ": holds no model: there is neither config.json, nor model/config.json, nor "
                                          "a checkpoint in checkpoints/");
  write("checkpoints/step-9/model/config.json", "{}");
  write("checkpoints/step-10/model/config.json", "{}");
  write("checkpoints/step-11/other", "");
  write("checkpoints/latest/model/config.json", "{}");
  EXPECT_EQ(model_folder(folder_), folder_ / "checkpoints/step-10/model");
  write("metrics.jsonl", "");
  EXPECT_TRUE(is_run_folder(folder_));
  write("model/config.json", "{}");
  EXPECT_EQ(model_folder(folder_), folder_ / "model");
  write("config.json", "{}");
  EXPECT_EQ(model_folder(folder_), folder_);
  EXPECT_FALSE(is_run_folder(folder_));
}

TEST_F(InspectFiles, BalanceOfARun) {
  EXPECT_TRUE(balance_history(folder_).steps.empty());
  const std::string path = write("metrics.jsonl", R"({"step": 1, "loss": 3}
{"step": 2, "expert_load_variation": [1, 0.5]}
{"step": 3, "expert_load_variation": [2, 2]}

{"step": 3, "expert_load_variation": [0.25, 0.125]}
{"step": 4, "expert_lo)");
  const BalanceHistory history = balance_history(folder_);
  EXPECT_EQ(history.steps, (Ids{2, 3}));
  EXPECT_EQ(history.variation[1], (std::vector<double>{0.25, 0.125}));
  write("metrics.jsonl", "{\"step\": 1, \"expert_load_variation\": [\"a\"]}\n");
  EXPECT_ERROR(balance_history(folder_),
               path + ", line 1: step must be a whole number and expert_load_variation a list of numbers");
  write("metrics.jsonl", "1\n");
  EXPECT_ERROR(balance_history(folder_), path + ", line 1: is no JSON object; metrics.jsonl has one a line");
  write("metrics.jsonl", "\n{\n");
  EXPECT_THROW(balance_history(folder_), Error);
  write("metrics.jsonl",
        "{\"step\": 1, \"expert_load_variation\": [1]}\n{\"step\": 2, \"expert_load_variation\": [1, 2]}\n");
  EXPECT_ERROR(balance_history(folder_),
               path + ": step 2 has numbers of 2 layers with experts, and steps before have 1");
}

}  // namespace
}  // namespace filigree::language
