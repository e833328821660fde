#include "language/post_training.h"

#include <filesystem>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "language/grpo_task.h"
#include "language/post_run.h"
#include "language/run_folder.h"
#include "moe/balance.h"
#include "small_models.h"
#include "support/expect_error.h"
#include "text/train.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// A folder with a small model and a tokenizer of characters.
class PostTraining : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    const std::string letters = write("letters.txt", "0123456789abcdefghijklmnop+=: \n");
    text::save_tokenizer(text::train_characters({letters}, {"</s>"}), folder_ / "model");
    Model model = small();
    save_model(model, (folder_ / "model").string());
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Weights that are not far from what training makes of them.
  static Model small() {
    Model model = test::small_model("pangu");
    const c10::NoGradGuard no_grad;
    for (const nn::Parameter& parameter : model.parameters()) {
      if (parameter.value().dim() > 1) parameter.value().mul_(0.5);
    }
    return model;
  }

  std::string write(const std::string& name, const std::string& content) const {
    write_file(folder_ / name, content);
    return (folder_ / name).string();
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  ChatFormat format() const { return {text::load_tokenizer(folder_ / "model"), "none"}; }

  std::string chats() const {
    return write("chats.jsonl", R"({"prompt": "ab", "response": "c"}
{"prompt": "d", "response": "efg"}
{"prompt": "ghi", "response": "0"}
)");
  }
  std::string sums() const {
    std::string lines;
    for (int a = 0; a < 3; ++a) {
      for (int b = 0; b < 3; ++b) lines += fmt::format("{{\"prompt\": \"{}+{}=\"}}\n", a, b);
    }
    return write("sums.jsonl", lines);
  }

  SftConfig sft_config() const {
    SftConfig config;
    config.common = {.model = path("model"), .data = chats(), .evaluation_data = chats(), .chat_template = "none"};
    config.sequence = 12;
    config.batch = 1;
    config.loop.steps = 8;
    config.loop.checkpoint_every = 4;
    config.loop.evaluate_every = 4;
    return config;
  }
  GrpoConfig grpo_config() const {
    GrpoConfig config;
    config.common = {.model = path("model"), .data = sums(), .evaluation_data = {}, .chat_template = "none"};
    config.reward = "regex:^[0-9]";
    config.prompts = 2;
    config.answer_tokens = 3;
    config.updates = 3;
    config.grpo.group = 4;
    config.grpo.kl_weight = 0.05;
    config.loop.steps = 8;
    config.loop.checkpoint_every = 4;
    config.loop.schedule.peak = 1e-3;
    return config;
  }

  fs::path folder_ = fs::path(testing::TempDir()) / "filigree_post_training";
};

/// Numbers of a run's metrics but for times.
std::vector<std::string> losses(const fs::path& run) {
  std::vector<std::string> lines;
  for (Json line : train::RunFolder::open(run).metrics()) {
    for (const char* key : {"seconds", "tokens_per_second", "mfu"}) line.erase(key);
    lines.push_back(line.dump());
  }
  return lines;
}

/// Takes away what came after the first checkpoint, as if the run had been killed.
void forget_last_checkpoint(const fs::path& run) {
  const train::RunFolder folder = train::RunFolder::open(run);
  ASSERT_GE(folder.checkpoints().size(), 2U);
  fs::remove_all(folder.checkpoint(folder.checkpoints().back()));
}

TEST_F(PostTraining, PackedLossIsThatOfTheConversationsAlone) {
  Model model = small();
  const ChatFormat none = format();
  const std::vector<Dialogue> dialogues = read_dialogues(chats());
  const ChatData packed(none, dialogues, 14, 50);
  ASSERT_EQ(packed.num_rows(), 1);
  SftTask task(model, {packed, &packed, 1, 0}, {.mtp_weight = 0.3, .balance_weight = 0});
  for (const train::Trained& one : task.trained()) one.tensor->requires_grad_(true);
  task.accumulate(0, 0, 1);
  const Json line = task.step_metrics();
  const at::Tensor& weight = *task.trained().front().tensor;
  const at::Tensor gradient = weight.grad().clone();
  weight.grad().zero_();

  at::Tensor sum = at::zeros({}), second = at::zeros({});
  std::int64_t count = 0, second_count = 0;
  for (const Dialogue& dialogue : dialogues) {
    const text::ChatIds chat = none.encode(dialogue.messages);
    const std::vector<std::int64_t> ids(chat.ids.begin(), chat.ids.end());
    const at::Tensor ids_BT = at::tensor(ids, at::kLong).unsqueeze(0);
    const Output out = model.forward(ids_BT);
    const std::int64_t tokens = ids_BT.size(1);
    const at::Tensor ahead = model.predict(ids_BT.narrow(1, 1, tokens - 1), out.hidden_BTD.narrow(1, 0, tokens - 1));
    for (std::int64_t t = 1; t < tokens; ++t) {
      if (!chat.assistant[static_cast<std::size_t>(t)]) continue;
      const std::int64_t id = ids[static_cast<std::size_t>(t)];
      sum = sum - at::log_softmax(out.logits_BTV.select(1, t - 1), -1).select(1, id).sum();
      ++count;
      if (t < 2) continue;
      second = second - at::log_softmax(ahead.select(1, t - 2), -1).select(1, id).sum();
      ++second_count;
    }
  }
  const at::Tensor total = sum / static_cast<double>(count) + 0.3 * second / static_cast<double>(second_count);
  constexpr double kNear = 1e-5;  // float32 in another order
  EXPECT_NEAR(line["loss"].get<double>(), total.item<double>(), kNear);
  EXPECT_NEAR(line["language_loss"].get<double>(), (sum / static_cast<double>(count)).item<double>(), kNear);
  EXPECT_NEAR(task.evaluate()["eval_loss"].get<double>(), line["language_loss"].get<double>(), kNear);
  total.backward();
  EXPECT_LE((weight.grad() - gradient).abs().max().item<double>(), kNear);
}

TEST_F(PostTraining, EachLearnedTokenCountsTheSameInMicroBatches) {
  Model model = small();
  const ChatData data(format(), read_dialogues(chats()), 6, 50);
  ASSERT_EQ(data.num_rows(), 3);
  const auto gradient = [&](std::int64_t rows, std::int64_t micros) {
    SftTask task(model, {data, nullptr, rows, 0}, {.mtp_weight = 0, .balance_weight = 0});
    const std::vector<train::Trained> all = task.trained();
    for (const train::Trained& one : all) {
      one.tensor->requires_grad_(true);
      if (one.tensor->grad().defined()) one.tensor->mutable_grad().zero_();
    }
    for (std::int64_t micro = 0; micro < micros; ++micro) task.accumulate(0, micro, micros);
    const double loss = task.step_metrics()["language_loss"].get<double>();
    return std::pair(loss, all.front().tensor->grad().clone());
  };
  const auto [whole, at_once] = gradient(3, 1);
  const auto [parts, in_parts] = gradient(1, 3);
  EXPECT_NEAR(whole, parts, 1e-5);  // float32 in another order
  EXPECT_LE((at_once - in_parts).abs().max().item<double>(), 1e-5);
}

TEST_F(PostTraining, NamesWhatIsNotFinite) {
  Model model = small();
  const ChatData data(format(), read_dialogues(chats()), 12, 50);
  SftTask task(model, {data, nullptr, 1, 0}, {});
  EXPECT_EQ(task.first_not_finite(0, 2), "");
  {
    const c10::NoGradGuard no_grad;
    model.blocks()[1].before_attention.weight_D.fill_(INFINITY);
  }
  EXPECT_THAT(task.first_not_finite(0, 2), HasSubstr("the result of layer 1"));
}

TEST_F(PostTraining, PaddingIsNoLoad) {
  Model model = small();
  const ChatData data(format(), read_dialogues(chats()), 40, 50);
  SftTask task(model, {data, nullptr, 1, 0}, {.mtp_weight = 0});
  for (const train::Trained& one : task.trained()) one.tensor->requires_grad_(true);
  task.accumulate(0, 0, 1);
  const Json line = task.step_metrics();
  const ChatBatch batch = data.batch({0}, at::kCPU);
  std::vector<moe::Routing> routings;
  Pass pass = make_pass(model, batch);
  pass.routings = &routings;
  model.hidden(batch.ids_BT, pass);
  ASSERT_LT(data.num_tokens(), 40);
  const at::Tensor real = routings[0].expert_TK.narrow(0, 0, data.num_tokens());
  EXPECT_NEAR(line["expert_load_variation"][0].get<double>(), moe::load_variation(moe::expert_load(real, 4)), 1e-9);
}

TEST_F(PostTraining, SftLearnsAndGoesOnBitForBit) {
  const SftConfig config = sft_config();
  const fs::path run = folder_ / "run";
  EXPECT_THAT(prepare_sft(config, run), HasSubstr("3 conversations in 2 rows of 12 tokens"));
  const train::LoopResult result = run_sft(run);
  EXPECT_EQ(result.step, 8);
  const std::vector<std::string> whole = losses(run);
  forget_last_checkpoint(run);
  run_sft(run);
  EXPECT_EQ(losses(run), whole);
  EXPECT_EQ(model_folder(run), train::RunFolder::open(run).checkpoint(8) / "model");
  text::load_tokenizer(model_folder(run));

  SftConfig longer = config;
  longer.loop.steps = 60;
  longer.loop.schedule.peak = 1e-2;
  longer.batch = 2;
  prepare_sft(longer, folder_ / "longer");
  run_sft(folder_ / "longer");
  const std::vector<Json> lines = train::RunFolder::open(folder_ / "longer").metrics();
  double evaluation = 9;
  std::string sample;
  for (const Json& line : lines) {
    if (line.contains("eval_loss")) evaluation = line["eval_loss"].get<double>();
    if (line.contains("sample")) sample = line["sample"].get<std::string>();
  }
  EXPECT_LT(evaluation, 0.2);
  EXPECT_EQ(sample, "ab → c");
}

TEST_F(PostTraining, GrpoGoesOnBitForBitWithinARound) {
  const GrpoConfig config = grpo_config();
  const fs::path run = folder_ / "run";
  EXPECT_EQ(prepare_grpo(config, run), "9 prompts; 4 answers to each of 2 a step");
  EXPECT_EQ(run_grpo(run).step, 8);
  const std::vector<std::string> whole = losses(run);
  // Step 4 is the second of three on the same answers.
  forget_last_checkpoint(run);
  run_grpo(run);
  EXPECT_EQ(losses(run), whole);
  const Json first = train::RunFolder::open(run).metrics().front();
  for (const char* key :
       {"reward", "reward_spread", "informative", "answer_tokens", "cut", "entropy", "clipped", "kl"}) {
    EXPECT_TRUE(first.contains(key)) << key;
  }
  EXPECT_NEAR(first["kl"].get<double>(), 0, 1e-6);
}

TEST_F(PostTraining, GrpoLearns) {
  GrpoConfig config = grpo_config();
  config.common.evaluation_data = sums();
  config.updates = 1;
  config.grpo.kl_weight = 0;
  config.grpo.group = 8;
  config.loop.steps = 60;
  config.loop.schedule.peak = 1e-2;
  config.loop.micro_batches = 2;
  prepare_grpo(config, folder_ / "run");
  run_grpo(folder_ / "run");
  std::vector<double> reward;
  double evaluation = 0;
  for (const Json& line : train::RunFolder::open(folder_ / "run").metrics()) {
    if (line.contains("reward")) reward.push_back(line["reward"].get<double>());
    if (line.contains("eval_reward")) evaluation = line["eval_reward"].get<double>();
  }
  EXPECT_LT(reward[0], 0.6);
  EXPECT_GT(reward.back(), 0.9);
  EXPECT_GT(evaluation, 0.9);
}

/// Different for different answers.
class AnyReward : public Reward {
 public:
  std::vector<double> score(const std::vector<RewardSample>& samples) override {
    std::vector<double> out;
    for (const RewardSample& sample : samples) {
      prompts.push_back(sample.prompt);
      double sum = 0;
      for (const char c : sample.response) sum = 3 * sum + c;
      out.push_back(sum);
    }
    return out;
  }
  std::vector<std::string> prompts;
};

TEST_F(PostTraining, GrpoStepIsThatOfTheFormula) {
  Model model = small();
  const ChatFormat none = format();
  const std::vector<Dialogue> prompts = read_prompts(sums());
  AnyReward reward;
  GrpoTaskOptions options;
  options.grpo = {.group = 4};
  options.post = {.balance_weight = 0};
  options.prompts = 2;
  options.answer_tokens = 3;
  const auto gradient = [&](std::int64_t micros) {
    GrpoTask task({.model = model, .format = none, .prompts = prompts, .reward = reward}, options);
    const std::vector<train::Trained> all = task.trained();
    for (const train::Trained& one : all) {
      EXPECT_FALSE(one.names.front().starts_with("model.layers.3.")) << "of multi-token prediction";
      one.tensor->requires_grad_(true);
      if (one.tensor->grad().defined()) one.tensor->mutable_grad().zero_();
    }
    for (std::int64_t micro = 0; micro < micros; ++micro) task.accumulate(0, micro, micros);
    const Json line = task.step_metrics();
    // Before any update all ratios are 1 and the advantages of a group sum to 0.
    EXPECT_NEAR(line["loss"].get<double>(), 0, 1e-6);
    EXPECT_GT(line["entropy"].get<double>(), 0);
    return all.front().tensor->grad().clone();
  };
  const at::Tensor whole = gradient(1);
  EXPECT_EQ(reward.prompts.size(), 8U);
  EXPECT_EQ(reward.prompts[0], reward.prompts[3]);
  EXPECT_GT(whole.abs().max().item<double>(), 0);
  EXPECT_LE((gradient(4) - whole).abs().max().item<double>(), 1e-6);
}

TEST_F(PostTraining, ErrorsComeBeforeTheRun) {
  const fs::path run = folder_ / "run";
  SftConfig sft = sft_config();
  sft.sequence = 65;
  EXPECT_ERROR(prepare_sft(sft, run), "sequence: 65 tokens are more than the model's 64 positions");
  sft = sft_config();
  sft.common.evaluation_data = path("none.jsonl");
  EXPECT_THROW(prepare_sft(sft, run), Error);
  sft = sft_config();
  sft.common.model = path("nowhere");
  EXPECT_THROW(prepare_sft(sft, run), Error);
  sft = sft_config();
  sft.post.recompute = {"everything"};
  EXPECT_THROW(prepare_sft(sft, run), Error);
  GrpoConfig grpo = grpo_config();
  grpo.answer_tokens = 61;
  EXPECT_ERROR(prepare_grpo(grpo, run),
               "prompt 1 has 4 tokens; with an answer of 61 that is more than the model's 64 positions");
  grpo = grpo_config();
  grpo.reward = "good";
  EXPECT_THROW(prepare_grpo(grpo, run), Error);
  grpo = grpo_config();
  grpo.common.data = chats();
  EXPECT_THROW(prepare_grpo(grpo, run), Error);
  EXPECT_FALSE(fs::exists(run));
  prepare_sft(sft_config(), run);
  EXPECT_THROW(prepare_sft(sft_config(), run), Error);
  EXPECT_THROW(prepare_grpo(grpo_config(), run), Error);
}

TEST_F(PostTraining, CancelledWorkIsSaved) {
  GrpoConfig config = grpo_config();
  config.loop.steps = 100;
  prepare_grpo(config, folder_ / "run");
  class Sink : public ProgressSink {
    void update(std::int64_t done, std::int64_t, std::string_view) override {
      if (done == 2) request_cancel();
    }
  } sink;
  const train::LoopResult result = run_grpo(folder_ / "run", &sink);
  reset_cancel();
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(result.step, 2);
  EXPECT_EQ(train::RunFolder::open(folder_ / "run").latest(), 2);
}

}  // namespace
}  // namespace filigree::language
