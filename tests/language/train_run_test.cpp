#include "language/train_run.h"

#include <filesystem>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "language/token_file.h"
#include "support/expect_error.h"
#include "tensor/device.h"
#include "text/train.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;

/// Some 20 kB in which there is something to learn.
std::string some_text() {
  std::string text;
  Random random(5);
  const std::vector<std::string> words = {"the ",  "fox ", "and ", "hen ", "sees ",
                                          "runs ", "a ",   "red ", "far ", "off "};
  for (int i = 0; i < 4000; ++i) {
    text += words[static_cast<std::size_t>(random.below(words.size()))];
    if (i % 12 == 11) text += ".\n";
  }
  return text;
}

class Run : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    write_file(root_ / "texts" / "a.txt", some_text());
    tensor::use_threads(1);
    config_.model = "pangu-tiny";
    config_.data = {(root_ / "texts").string()};
    config_.shape = {{"hidden_size", "32"},           {"num_hidden_layers", "2"},     {"intermediate_size", "48"},
                     {"moe_intermediate_size", "16"}, {"attention_q_lora_dim", "16"}, {"attention_kv_lora_dim", "16"},
                     {"num_attention_heads", "2"},    {"num_key_value_heads", "2"}};
    config_.sequence = 32;
    config_.batch = 4;
    config_.sample_tokens = 10;
    config_.training.evaluation_batches = 2;
    config_.loop = {
        .steps = 12, .schedule = {.peak = 0.01}, .evaluate_every = 6, .sample_every = 6, .checkpoint_every = 4};
  }
  void TearDown() override {
    reset_cancel();
    fs::remove_all(root_);
  }

  static std::vector<std::string> losses(const fs::path& run) {
    std::vector<std::string> all;
    for (const Json& line : train::RunFolder::open(run).metrics()) {
      for (const char* key : {"loss", "gradient_norm", "eval_loss", "sample", "expert_use"}) {
        if (line.contains(key)) all.push_back(line[key].dump());
      }
    }
    return all;
  }

  fs::path root_ = fs::path(testing::TempDir()) / "filigree_train_run";
  TrainConfig config_;
};

TEST_F(Run, LearnsAndLeavesAModelThatLoads) {
  config_.loop.steps = 40;
  prepare_run(config_, root_ / "run");
  const train::LoopResult result = train_run(root_ / "run");
  EXPECT_EQ(result.step, 40);
  EXPECT_LT(result.last_loss, 2.6);  // it began at 3.3, the logarithm of the number of characters and more
  const fs::path model = root_ / "run" / "checkpoints" / "step-00000040" / "model";
  EXPECT_EQ(load_model(model.string()).config().model.vocabulary, text::load_tokenizer(model).vocabulary_size());
  EXPECT_TRUE(fs::exists(root_ / "run" / "live.html"));
}

/// Bit for bit, as it has to be on the CPU.
TEST_F(Run, GoesOnAsIfItHadNotStopped) {
  prepare_run(config_, root_ / "whole");
  train_run(root_ / "whole");
  prepare_run(config_, root_ / "parts");
  struct Stop : ProgressSink {
    void update(std::int64_t done, std::int64_t, std::string_view label) override {
      if (label == "steps" && done == 5) request_cancel();
    }
  } stop;
  EXPECT_TRUE(train_run(root_ / "parts", &stop).cancelled);
  reset_cancel();
  // As a kill would: what came after the last checkpoint but one is lost.
  const train::RunFolder run = train::RunFolder::open(root_ / "parts");
  EXPECT_EQ(run.latest(), 5);
  fs::remove_all(run.checkpoint(5));
  EXPECT_EQ(train_run(root_ / "parts").step, 12);
  EXPECT_EQ(losses(root_ / "parts"), losses(root_ / "whole"));
}

TEST_F(Run, HalfPrecisionWithMastersGoesOnToo) {
  config_.dtype = "bfloat16";
  config_.loop.micro_batches = 2;
  prepare_run(config_, root_ / "whole");
  train_run(root_ / "whole");
  prepare_run(config_, root_ / "parts");
  train_run(root_ / "parts");
  const train::RunFolder run = train::RunFolder::open(root_ / "parts");
  for (const std::int64_t step : {8, 12}) fs::remove_all(run.checkpoint(step));
  train_run(root_ / "parts");
  EXPECT_EQ(losses(root_ / "parts"), losses(root_ / "whole"));
}

TEST_F(Run, GoesOnFromAModelWithALongerContext) {
  prepare_run(config_, root_ / "short");
  train_run(root_ / "short");
  const std::string model = (root_ / "short" / "checkpoints" / "step-00000012" / "model").string();
  TrainConfig longer = config_;
  longer.model = model;
  longer.tokenizer = model;
  longer.shape.clear();
  longer.rotary_base = 123456;
  longer.sequence = 2000;
  longer.batch = 1;
  longer.loop.steps = 1;
  prepare_run(longer, root_ / "long");
  train_run(root_ / "long");
  const Model trained = load_model((root_ / "long" / "checkpoints" / "step-00000001" / "model").string());
  EXPECT_EQ(trained.config().rotary_base, 123456);
  EXPECT_EQ(trained.config().model.max_positions, 2000);
  longer.shape = {{"hidden_size", "64"}};
  EXPECT_ERROR(prepare_run(longer, root_ / "other"),
               "shape: the sizes of a model that is there cannot be changed; begin with a recipe");
}

TEST_F(Run, RefusesWrongSettingsBeforeItWrites) {
  const auto refuses = [&](const TrainConfig& config, const std::string& message) {
    EXPECT_ERROR(prepare_run(config, root_ / "new"), message);
    EXPECT_FALSE(fs::exists(root_ / "new"));
  };
  TrainConfig config = config_;
  config.data = {(root_ / "nowhere").string()};
  refuses(config, (root_ / "nowhere").string() + ": there is no such file or folder");
  fs::create_directories(root_ / "empty");
  config.data = {(root_ / "empty").string()};
  refuses(config, (root_ / "empty").string() + ": holds no text: no file ends in .txt, .md, .jsonl or nothing");
  config = config_;
  config.shape = {{"hidden_sizes", "64"}};
  refuses(config, "shape: " + find_recipe("models", "pangu-tiny").string() +
                      " has no field 'hidden_sizes'; did you mean 'hidden_size'?");
  config = config_;
  config.training.recompute = {"everything"};
  refuses(config, "recompute: unknown part 'everything' (parts: layer, attention, feed_forward, head)");
}

TEST_F(Run, RefusesTooLittleText) {
  config_.sequence = 100'000;
  config_.shape["max_position_embeddings"] = "200000";
  prepare_run(config_, root_ / "run");
  EXPECT_THROW(train_run(root_ / "run"), Error);
}

TEST_F(Run, TokensGoThroughTheirFile) {
  write_file(root_ / "texts" / "b.jsonl", "{\"text\": \"a fox\"}\n\n{\"text\": \"the hen\", \"n\": 1}\n");
  const std::vector<fs::path> files = text_files({root_ / "texts"});
  ASSERT_EQ(files.size(), 2U);
  text::save_tokenizer(text::train_characters({files[0]}), root_ / "tokenizer");
  const text::Tokenizer tokenizer = text::load_tokenizer(root_ / "tokenizer");
  write_tokens(files, tokenizer, root_ / "data");
  const TokenFile tokens = TokenFile::open(root_ / "data");
  EXPECT_EQ(tokens.documents(), 3);
  std::vector<text::TokenId> ids(tokens.data(), tokens.data() + tokens.size());
  EXPECT_EQ(tokenizer.decode(ids, {.skip_special = true}), some_text() + "a foxthe hen");
  // A file that was cut off is refused.
  fs::resize_file(root_ / "data" / "tokens.bin", 8);
  EXPECT_THROW(TokenFile::open(root_ / "data"), Error);
}

TEST_F(Run, EveryWindowComesOnceInEachPass) {
  const std::vector<fs::path> files = text_files({root_ / "texts"});
  text::save_tokenizer(text::train_characters(files), root_ / "tokenizer");
  write_tokens(files, text::load_tokenizer(root_ / "tokenizer"), root_ / "data");
  const TokenFile tokens = TokenFile::open(root_ / "data");
  const PackedBatches batches(tokens, {10, 1000}, 3, 32, 1), other(tokens, {10, 1000}, 3, 32, 2);
  ASSERT_EQ(batches.windows(), 30);
  std::set<std::int64_t> first, second;
  std::vector<std::int64_t> a, b;
  for (std::int64_t i = 0; i < 30; ++i) {
    a.push_back(batches.window(i));
    b.push_back(other.window(i));
    first.insert(batches.window(i));
    second.insert(batches.window(i + 30));
  }
  EXPECT_EQ(first.size(), 30U);
  EXPECT_EQ(second.size(), 30U);
  EXPECT_NE(a, b);
  EXPECT_EQ(batches.window(0), a[0]) << "also after another pass was looked at";
  const Batch batch = batches.batch(0);
  EXPECT_EQ(batch.ids_BT1[1][5].item<std::int64_t>(), tokens[10 + a[1] * 32 + 5]);
}

TEST_F(Run, RefusesBrokenTexts) {
  const auto refuses = [&](const std::string& name, const std::string& content, const std::string& message) {
    const fs::path file = root_ / name;
    write_file(file, content);
    text::save_tokenizer(text::train_characters({root_ / "texts" / "a.txt"}), root_ / "tokenizer");
    EXPECT_ERROR(write_tokens({file}, text::load_tokenizer(root_ / "tokenizer"), root_ / "data"),
                 file.string() + message);
    EXPECT_FALSE(fs::exists(root_ / "data" / "tokens.bin"));
  };
  refuses("x.jsonl", "{\"text\": 1}\n", ", line 1: expected an object with the field \"text\"");
  refuses("y.txt", "abc\xff", ": byte 3 (0xff) is not UTF-8; convert the text to UTF-8 first");
}

}  // namespace
}  // namespace filigree::language
