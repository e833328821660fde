#include "train/loop.h"

#include <csignal>
#include <filesystem>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/cancel.h"
#include "base/file.h"
#include "support/expect_error.h"
#include "tensor/safetensors.h"

namespace filigree::train {
namespace {

namespace fs = std::filesystem;

/// Fits a line to noisy points that depend on step and micro-batch alone.
class LineTask : public Task {
 public:
  explicit LineTask(const fs::path& run = {}) {
    if (run.empty() || !fs::exists(run)) return;
    const tensor::SafeTensors file = tensor::SafeTensors::open(run / "model" / "line.safetensors");
    slope_ = file.get("slope").clone();
  }

  std::vector<Trained> trained() override { return {{&slope_, {"slope"}}}; }

  void accumulate(std::int64_t step, std::int64_t micro, std::int64_t micros) override {
    if (cancel_at == step && micro == 0) request_cancel();
    const at::Tensor x = at::arange(1, 9, at::kFloat) * 0.1 * static_cast<double>(1 + (step * 3 + micro) % 5);
    at::Tensor y = 2 * x + at::randn({8}) * 0.1;  // the generator's state is part of a checkpoint
    if (step == break_at) y = y / 0.0;
    const at::Tensor loss = (slope_ * x - y).square().mean();
    (loss / static_cast<double>(micros)).backward();
    sum_ += loss.item<double>() / static_cast<double>(micros);
  }
  Json step_metrics() override { return {{"loss", std::exchange(sum_, 0)}}; }
  Json evaluate() override { return {{"eval_loss", (slope_ - 2).abs().max().item<double>()}}; }
  std::string sample() override { return "a sample"; }
  void save_model(const fs::path& folder) override {
    tensor::save(folder / "line.safetensors", {{"slope", slope_.detach()}, {"ballast", at::zeros({ballast})}});
  }
  Json state() const override { return {{"seen", 7}}; }
  void restore(const Json& state) override { restored = state; }
  double tokens_per_step(std::int64_t micros) const override { return 8.0 * static_cast<double>(micros); }
  double flops_per_token() const override { return 6; }
  double peak_flops() const override { return 1e9; }

  std::int64_t break_at = -1, cancel_at = -1, ballast = 1;
  Json restored;

 private:
  at::Tensor slope_ = at::zeros({1});
  double sum_ = 0;
};

class LoopTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    at::manual_seed(5);
  }
  void TearDown() override {
    reset_cancel();
    fs::remove_all(root_);
  }

  static std::vector<double> losses(const RunFolder& run) {
    std::vector<double> all;
    for (const Json& line : run.metrics()) {
      if (line.contains("loss")) all.push_back(line["loss"].get<double>());
    }
    return all;
  }

  fs::path root_ = fs::path(testing::TempDir()) / "filigree_loop";
  LoopOptions options_{
      .steps = 20, .micro_batches = 2, .schedule = {.peak = 0.1}, .evaluate_every = 5, .checkpoint_every = 5};
};

TEST_F(LoopTest, LearnsAndWritesEverything) {
  const RunFolder run = RunFolder::create(root_, {{"a", 1}});
  LineTask task;
  options_.steps = 60;
  options_.sample_every = 30;
  const LoopResult result = run_loop(task, run, options_);
  EXPECT_EQ(result.step, 60);
  EXPECT_LT(result.last_loss, 0.05);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{50, 55, 60}));
  const std::vector<Json> lines = run.metrics();
  EXPECT_EQ(lines.size(), 60U + 12U + 2U);
  for (const char* key : {"step", "loss", "gradient_norm", "learning_rate", "seconds", "tokens_per_second", "mfu"}) {
    EXPECT_TRUE(lines.front().contains(key)) << key;
  }
  const std::string page = read_file(root_ / "live.html");
  EXPECT_NE(page.find("Norm of the gradients"), std::string::npos);
  EXPECT_NE(page.find("a sample"), std::string::npos);
  EXPECT_EQ(page.find("http-equiv"), std::string::npos) << "a run that has ended is not loaded again and again";
}

TEST_F(LoopTest, ARunThatStoppedGoesOnAsIfItHadNot) {
  const RunFolder whole = RunFolder::create(root_ / "whole", {});
  LineTask one;
  run_loop(one, whole, options_);
  at::manual_seed(5);
  const RunFolder parts = RunFolder::create(root_ / "parts", {});
  LineTask two;
  two.break_at = 13;  // ends with an error: the last checkpoint is that of step 10
  EXPECT_THROW(run_loop(two, parts, options_), Error);
  EXPECT_EQ(losses(parts).size(), 13U);
  at::manual_seed(99);
  LineTask three(parts.checkpoint(*parts.latest()));
  run_loop(three, parts, options_);
  EXPECT_EQ(three.restored, Json({{"seen", 7}}));
  EXPECT_EQ(losses(parts), losses(whole));
}

TEST_F(LoopTest, CancellingSaves) {
  const RunFolder run = RunFolder::create(root_, {});
  LineTask task;
  task.cancel_at = 7;
  const LoopResult result = run_loop(task, run, options_);
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(result.step, 8);
  EXPECT_EQ(run.latest(), 8);
}

TEST_F(LoopTest, StopsWhereTheLossIsNotFinite) {
  const RunFolder run = RunFolder::create(root_, {});
  LineTask task;
  task.break_at = 6;
  EXPECT_ERROR(run_loop(task, run, options_),
               "step 7: the loss is infinite; the first tensor that is not finite is the gradient of slope; " +
                   run.checkpoint(5).string() + " is kept; try a lower learning rate or a longer warm-up");
  EXPECT_EQ(run.latest(), 5);
}

TEST_F(LoopTest, AFullDiskKeepsTheLastCheckpoint) {
  const RunFolder run = RunFolder::create(root_, {});
  LineTask task;
  options_.steps = 5;
  run_loop(task, run, options_);
  // A limit on the size of files stands for a disk that is full.
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{.rlim_cur = 1 << 20, .rlim_max = old.rlim_max};
  LineTask more(run.checkpoint(5));
  more.ballast = 1 << 20;
  options_.steps = 10;
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_ERROR(
      run_loop(more, run, options_),
      "the checkpoint of step 10 cannot be written: " + run.checkpoint(10).string() +
          ".part/model/line.safetensors: cannot be written (File too large); the checkpoint of step 5 is kept");
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  EXPECT_EQ(run.checkpoints(), (std::vector<std::int64_t>{5}));
}

}  // namespace
}  // namespace filigree::train
