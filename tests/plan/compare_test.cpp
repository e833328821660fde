#include "plan/compare.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"

namespace filigree::plan {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDevice = R"({"name": "this device, as measured",
  "accelerator": {"name": "CPU", "peak_tflops": {"fp32": 0.1}, "memory_gib": 16, "memory_gb_s": 20, "units": 2,
    "kernel_us": 2, "host_us": 0, "matrix": {"fp32": {"max": 0.9}}, "attention": {"forward": 0.5, "backward": 0.5}},
  "tiers": [{"name": "none", "gb_s": 10, "latency_us": 1, "devices": 0}], "host_gb_s": 20})";

class Compare : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(run_);
    write_file(run_ / "resolved.json",
               R"({"model": "x", "batch": 4, "sequence": 128, "micro_batches": 2, "recompute": ["layer"]})");
    write_file(run_ / "device.json", kDevice);
    write_file(run_ / "model.json", read_file(find_recipe("models", "pangu-tiny")));
    std::string lines;
    for (int i = 1; i <= 20; ++i) lines += fmt::format("{{\"step\":{},\"seconds\":{}}}\n", i, i == 1 ? 9.0 : 0.1 * i);
    write_file(run_ / "metrics.jsonl", lines + "{\"step\":21,\"sec");
  }
  void TearDown() override { fs::remove_all(run_); }

  fs::path run_ = fs::path(testing::TempDir()) / "filigree_compare";
};

TEST_F(Compare, PredictsFromTheRunsOwnFiles) {
  const Comparison c = compare_run(run_);
  EXPECT_EQ(c.steps, 18);
  EXPECT_NEAR(c.measured_s, 1.1, 1e-9);  // of 0.3, 0.4, … 2.0: the first two are left out
  EXPECT_EQ(c.estimate.micro_batches, 2);
  EXPECT_GT(c.estimate.step_s, 0);
  EXPECT_NEAR(c.error(), c.estimate.step_s / c.measured_s - 1, 1e-12);
  const Json json = comparison_json(c);
  EXPECT_EQ(json["steps"], 18);
  EXPECT_NE(comparison_text(c).find("difference"), std::string::npos);
}

TEST_F(Compare, RecomputationCosts) {
  const double with = compare_run(run_).estimate.step_s;
  write_file(run_ / "resolved.json", R"({"model": "x", "batch": 4, "sequence": 128, "micro_batches": 2})");
  EXPECT_LT(compare_run(run_).estimate.step_s, with);
}

TEST_F(Compare, SaysWhatIsMissing) {
  write_file(run_ / "metrics.jsonl", "{\"step\":1}\n");
  EXPECT_ERROR(compare_run(run_),
               (run_ / "metrics.jsonl").string() + ": holds no measured step; the run has to do some first");
  fs::remove(run_ / "resolved.json");
  EXPECT_ERROR(compare_run(run_),
               run_.string() + ": holds no run; a run is a folder with resolved.json, as training makes it");
}

}  // namespace
}  // namespace filigree::plan
