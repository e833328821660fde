#include "language/model.h"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "small_models.h"
#include "spec/count.h"
#include "spec/hf_config.h"
#include "support/expect_error.h"

namespace filigree::language {
namespace {

class Families : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Model, Families, testing::Values("pangu", "deepseek", "qwen"));

TEST_P(Families, HasAsManyParametersAsThePlannerCounts) {
  Model model = test::small_model(GetParam());
  const spec::Count count = spec::count(model.config().model);
  std::int64_t main = 0, predictor = 0;
  const std::string mtp = "model.layers." + std::to_string(model.config().model.layers) + ".";
  for (const nn::Parameter& parameter : model.parameters()) {
    (parameter.name.starts_with(mtp) ? predictor : main) += parameter.value().numel();
  }
  EXPECT_EQ(main, count.total);
  EXPECT_EQ(predictor, count.mtp);
}

/// Loss of a fixed text, and the experts that all its tokens went to.
struct Trial {
  double loss = 0;
  std::vector<moe::Routing> routings;
};

bool same_experts(const Trial& a, const Trial& b) {
  for (std::size_t i = 0; i < a.routings.size(); ++i) {
    if (!at::equal(a.routings[i].expert_TK, b.routings[i].expert_TK)) return false;
  }
  return true;
}

TEST_P(Families, GradientsAgreeWithDifferences) {
  Model model = test::small_model(GetParam());
  nn::Parameters parameters = model.parameters();
  nn::record_gradients(parameters);
  const at::Tensor ids = at::tensor({3, 1, 4, 1, 5, 9, 2, 6}, at::kLong).unsqueeze(0);
  const auto run = [&](std::vector<moe::Routing>* routings) {
    Pass pass;
    pass.routings = routings;
    const Output out = model.forward(ids, pass);
    at::Tensor loss = cross_entropy(out.logits_BTV, ids);
    if (model.has_predictor()) {
      loss =
          loss + cross_entropy(model.predict(ids.narrow(1, 1, 7), out.hidden_BTD.narrow(1, 0, 7)), ids.narrow(1, 1, 7));
    }
    return loss;
  };
  run(nullptr).backward();
  const c10::NoGradGuard no_grad;
  constexpr double kStep = 2e-3;       // float32: rounding of the losses is some 1e-7
  constexpr double kTolerance = 2e-3;  // of the derivative along a direction of length 1
  int compared = 0;
  for (int trial = 0; trial < 12; ++trial) {
    std::vector<at::Tensor> direction;
    double square = 0, analytic = 0;
    for (const nn::Parameter& parameter : parameters) {
      direction.push_back(parameter.trained ? at::randn_like(parameter.value()) : at::zeros_like(parameter.value()));
      square += direction.back().square().sum().item<double>();
    }
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      direction[i].div_(std::sqrt(square));
      const at::Tensor gradient = parameters[i].gradient();
      if (gradient.defined()) analytic += (direction[i] * gradient).sum().item<double>();
    }
    const auto moved = [&](double by) {
      for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].value().add_(direction[i], by);
      Trial result;
      result.loss = run(&result.routings).item<double>();
      for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].value().add_(direction[i], -by);
      return result;
    };
    const Trial forward = moved(kStep), backward = moved(-kStep);
    if (!same_experts(forward, backward)) continue;  // the loss jumps where a token changes its experts
    ++compared;
    EXPECT_NEAR((forward.loss - backward.loss) / (2 * kStep), analytic, kTolerance);
  }
  EXPECT_GE(compared, 4);
}

/// A small model of a family, with its weights, but for some fields of its config.
Model with_fields(const std::string& family, const Json& fields) {
  Json json = test::small_config(family);
  json.update(fields);
  Model model(config_from_json(json, "small"));
  Model plain = test::small_model(family);
  const nn::Parameters from = plain.parameters(), to = model.parameters();
  for (std::size_t i = 0; i < from.size(); ++i) to[i].value().copy_(from[i].value());
  return model;
}

TEST(RotaryScaling, ScalesTheScoresOfLatentAttention) {
  const at::Tensor ids = at::tensor({3, 1, 4, 1, 5, 9, 2, 6}, at::kLong).unsqueeze(0);
  // So few turns that every pair keeps its frequency: only the factor on the scores is left.
  const Json yarn = {{"type", "yarn"},    {"factor", 8},   {"beta_fast", 1e-4},
                     {"beta_slow", 1e-4}, {"mscale", 0.7}, {"mscale_all_dim", 0.7}};
  const Model scaled = with_fields("deepseek", {{"rope_scaling", yarn}});
  Model plain = test::small_model("deepseek");
  EXPECT_FALSE(at::allclose(scaled.forward(ids).logits_BTV, plain.forward(ids).logits_BTV, 1e-3, 1e-3));
  const double factor = std::pow(0.1 * 0.7 * std::log(8.0) + 1, 2);
  for (const nn::Parameter& parameter : plain.parameters()) {
    if (parameter.name.ends_with("q_b_proj.weight")) parameter.value().mul_(factor);
  }
  EXPECT_TRUE(at::allclose(scaled.forward(ids).logits_BTV, plain.forward(ids).logits_BTV, 1e-4, 1e-5));
  EXPECT_EQ(scaled.config().model.max_positions, 8 * 64);
}

TEST(RotaryScaling, IsReadUnderItsNewerName) {
  const at::Tensor ids = at::tensor({3, 1, 4, 1, 5, 9, 2, 6}, at::kLong).unsqueeze(0);
  const Json linear = {{"rope_type", "linear"}, {"factor", 2}, {"rope_theta", 500}};
  const Model newer = with_fields("qwen", {{"rope_parameters", linear}});
  EXPECT_EQ(newer.config().rotary_base, 500);
  const Model older = with_fields("qwen", {{"rope_theta", 500}, {"rope_scaling", {{"type", "linear"}, {"factor", 2}}}});
  EXPECT_TRUE(at::equal(newer.forward(ids).logits_BTV, older.forward(ids).logits_BTV));
  // Half the turns: every position stands where the half of it was.
  Pass pass;
  const Model same_base = with_fields("qwen", {{"rope_theta", 500}});
  pass.angles = nn::rotary_angles(at::arange(8).unsqueeze(0).to(at::kFloat) / 2, 6, 500);
  EXPECT_TRUE(at::allclose(older.forward(ids).logits_BTV, same_base.forward(ids, pass).logits_BTV, 1e-4, 1e-5));
}

TEST(Model, RefusesWhatCannotBeRun) {
  Json json = test::small_config("qwen");
  json["rope_scaling"] = {{"type", "dynamic"}, {"factor", 2}};
  EXPECT_ERROR(config_from_json(json, "a.json"),
               "a.json: rope_scaling of type 'dynamic' cannot be run; linear, llama3 and yarn can");
  json["rope_parameters"] = {{"rope_type", "default"}};
  EXPECT_ERROR(config_from_json(json, "a.json"),
               "a.json: rope_scaling and rope_parameters say the same thing; keep one of them");
  EXPECT_ERROR(
      Model(config_from_json(parse_json(R"({"model_type": "gpt2", "vocab_size": 8, "n_embd": 8, "n_head": 2,
                       "n_layer": 1, "n_positions": 8})",
                                        "b"),
                             "b.json")),
      "b.json: models of type 'gpt2' cannot be run; pangu_ultra_moe, deepseek_v3, kimi_k2, qwen3 and qwen3_moe "
      "can");
  EXPECT_ERROR(load_model("/nowhere/at/all"),
               "/nowhere/at/all: is no folder; a model is a folder with config.json and safetensors");
  const Model qwen = test::small_model("qwen");
  EXPECT_ERROR(qwen.predict(at::zeros({1, 2}, at::kLong), at::zeros({1, 2, 16})),
               "small has no multi-token-prediction module");
}

}  // namespace
}  // namespace filigree::language
