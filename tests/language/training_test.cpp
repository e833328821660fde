#include "language/training.h"

#include <filesystem>
#include <limits>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "language/initialise.h"
#include "language/parallelize.h"
#include "small_models.h"
#include "support/expect_error.h"

namespace filigree::language {
namespace {

/// Batches of drawn ids; always the same for the same number.
class DrawnBatches : public BatchSource {
 public:
  Batch batch(std::int64_t number) const override {
    Random random = Random(7).fork(static_cast<std::uint64_t>(number));
    Batch batch{at::empty({rows(), tokens() + 1}, at::kLong), {}};
    auto* to = batch.ids_BT1.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < batch.ids_BT1.numel(); ++i) to[i] = static_cast<std::int64_t>(random.below(50));
    if (mask) batch.counted_BT = at::arange(tokens()).ge(tokens() / 2).expand({rows(), tokens()});
    return batch;
  }
  std::int64_t rows() const override { return 3; }
  std::int64_t tokens() const override { return 12; }
  bool mask = false;
};

Model fresh(const std::string& family) {
  Model model(config_from_json(test::small_config(family), "small"));
  initialise(model, {}, 3);
  return model;
}

std::vector<at::Tensor> gradients(Model& model, const TrainingOptions& options, Json* metrics = nullptr) {
  const DrawnBatches data;
  LanguageTask task(model, data, nullptr, options);
  for (const train::Trained& t : task.trained()) {
    t.tensor->requires_grad_(true);
    t.tensor->mutable_grad() = at::zeros_like(*t.tensor);
  }
  task.accumulate(0, 0, 1);
  const Json line = task.step_metrics();
  if (metrics != nullptr) *metrics = line;
  std::vector<at::Tensor> all;
  for (const train::Trained& t : task.trained()) all.push_back(t.tensor->grad().clone());
  return all;
}

TEST(Training, EveryParameterIsTrainedOnceByItsPublishedNames) {
  for (const char* family : {"pangu", "deepseek", "qwen"}) {
    Model model = fresh(family);
    std::set<std::string> names;
    std::int64_t count = 0, expected = 0;
    for (const train::Trained& t : trained_parameters(model)) {
      count += t.tensor->numel();
      for (const std::string& name : t.names) EXPECT_TRUE(names.insert(name).second) << name;
      EXPECT_EQ(t.decay, t.names[0].find("norm") == std::string::npos) << t.names[0];
    }
    for (const nn::Parameter& p : model.parameters()) {
      if (!p.trained) continue;
      EXPECT_TRUE(names.contains(p.name)) << p.name;
      expected += p.value().numel();
    }
    EXPECT_EQ(count, expected);
  }
}

/// Gradients of a residual stream are added up in another order where a part is recomputed.
constexpr double kOrder = 1e-5;

TEST(Training, RecomputationChangesNothing) {
  for (const char* family : {"pangu", "qwen"}) {
    Model model = fresh(family);
    Json plain_line;
    const std::vector<at::Tensor> plain = gradients(model, {}, &plain_line);
    const std::vector<std::vector<std::string>> choices = {
        {"layer"}, {"attention"}, {"feed_forward"}, {"head"}, {"attention", "feed_forward", "head"}, {"layer", "head"}};
    for (const std::vector<std::string>& choice : choices) {
      Json line;
      const std::vector<at::Tensor> again = gradients(model, {.recompute = choice}, &line);
      EXPECT_EQ(line, plain_line) << choice[0];  // the forward pass is the same, bit for bit
      ASSERT_EQ(again.size(), plain.size());
      for (std::size_t i = 0; i < plain.size(); ++i) {
        const double error = (again[i] - plain[i]).abs().max().item<double>();
        EXPECT_LE(error, kOrder * plain[i].abs().max().item<double>())
            << family << ", " << choice[0] << ", " << trained_parameters(model)[i].names[0];
      }
    }
  }
}

TEST(Training, TheLossIsTheSumOfItsParts) {
  Model model = fresh("pangu");
  Json line;
  gradients(model, {.mtp_weight = 0.3, .balance_weight = 0.5}, &line);
  const auto value = [&](const char* key) { return line[key].get<double>(); };
  EXPECT_NEAR(value("loss"), value("language_loss") + 0.3 * value("mtp_loss") + 0.5 * value("balance_loss"), 1e-5);
  // Three layers have experts: two main ones and the prediction module's. Each loss is about 1 where all is balanced.
  EXPECT_EQ(line["expert_load_variation"].size(), 3U);
  EXPECT_GE(value("balance_loss"), 2.9);
  EXPECT_EQ(line["expert_use"].size(), 4U);
}

TEST(Training, MaskedTokensDoNotCount) {
  Model model = fresh("qwen");
  DrawnBatches data;
  data.mask = true;
  LanguageTask task(model, data, nullptr, {.balance_weight = 0});
  nn::record_gradients(model.parameters());
  task.accumulate(0, 0, 1);
  const double loss = task.step_metrics()["loss"].get<double>();
  const c10::NoGradGuard no_grad;
  const Batch batch = data.batch(0);
  const at::Tensor logits = model.forward(batch.ids_BT1.narrow(1, 0, 12)).logits_BTV.narrow(1, 6, 6);
  EXPECT_NEAR(loss, cross_entropy(logits, batch.ids_BT1.narrow(1, 7, 6)).item<double>(), 1e-5);
}

TEST(Training, CapacityDropsAndSaysHowMuch) {
  Model model = fresh("pangu");
  Json line;
  gradients(model, {.capacity_factor = 0.5}, &line);
  EXPECT_GT(line["dropped"].get<double>(), 0.3);
  EXPECT_LT(line["dropped"].get<double>(), 1);
}

TEST(Training, BiasesMoveAgainstTheLoad) {
  Model model = fresh("deepseek");
  const DrawnBatches data;
  LanguageTask task(model, data, nullptr, {.balance_weight = 0, .bias_rate = 0.01});
  nn::record_gradients(model.parameters());
  task.accumulate(0, 0, 1);
  const Json line = task.step_metrics();
  EXPECT_FALSE(line.contains("balance_loss"));
  task.after_step(0);
  for (Block& block : model.blocks()) {
    if (!block.experts) continue;
    const at::Tensor bias = block.experts->router.correction_E;
    EXPECT_EQ(bias.abs().max().item<float>(), 0.01F);
  }
}

TEST(Training, NamesTheFirstPartThatIsNotFinite) {
  Model model = fresh("pangu");
  const DrawnBatches data;
  LanguageTask task(model, data, nullptr, {});
  EXPECT_EQ(task.first_not_finite(0, 2), "");
  {
    const c10::NoGradGuard no_grad;
    model.blocks()[1].after_feed_forward.weight_D.fill_(std::numeric_limits<float>::infinity());
  }
  EXPECT_EQ(task.first_not_finite(0, 2), "the result of layer 1, feed_forward");
}

TEST(Training, RefusesWhatCannotBe) {
  Model model = fresh("pangu");
  const DrawnBatches data;
  EXPECT_ERROR(LanguageTask(model, data, nullptr, {.bias_rate = 0.1}),
               "bias_rate: the routers of small have no bias to balance with; use balance_weight");
  EXPECT_ERROR(parse_parts({"atention"}),
               "recompute: unknown part 'atention'; did you mean 'attention'? (parts: layer, attention, feed_forward, "
               "head)");
}

TEST(Initialise, HasTheDeviationsOfTheReport) {
  Json json = test::small_config("pangu");
  json["hidden_size"] = 64;
  json["intermediate_size"] = 512;
  json["vocab_size"] = 512;
  Model model(config_from_json(json, "wide"));
  initialise(model, {}, 1);
  const double tiny = std::sqrt(1.0 / (2 * 64 * 3));
  for (const nn::Parameter& p : model.parameters()) {
    const at::Tensor value = p.value();
    if (p.name.ends_with("mlp.up_proj.weight")) {
      EXPECT_NEAR(value.std().item<double>(), tiny, 0.03 * tiny) << p.name;
    }
    if (p.name.ends_with("embed_tokens.weight")) {
      EXPECT_NEAR(value.std().item<double>(), 1, 0.03);
    }
    if (p.name == "model.layers.0.post_attention_layernorm.weight") {
      EXPECT_NEAR(value[0].item<double>(), 0.283 / std::sqrt(3.0), 1e-6);
    }
    if (p.name == "model.layers.3.post_mlp_layernorm.weight") {
      EXPECT_NEAR(value[0].item<double>(), 0.432 / std::sqrt(3.0), 1e-6);
    }
    if (p.name == "model.norm.weight") {
      EXPECT_EQ(value[0].item<double>(), 1);
    }
  }
  Model again(config_from_json(json, "wide"));
  initialise(again, {}, 1);
  const nn::Parameters a = model.parameters(), b = again.parameters();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i].value(), b[i].value())) << a[i].name;
}

}  // namespace
}  // namespace filigree::language
