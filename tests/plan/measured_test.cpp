#include "plan/measured.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/paths.h"

namespace filigree::plan {
namespace {

namespace fs = std::filesystem;

const std::string kGptHead =
    "Parameters (billion),# GPUs,global batch,micro batch,hidden size,attention heads,# layers,sequence length,"
    "tensor parallelism,data parallelism,pipeline parallelism,iteration time (ms)\n";
const std::string kNodeHead = "case,model,parallel,layers,microbatches,seq_len,micro_batch,step_ms,peak_alloc_gib\n";
const std::string kClusterHead =
    "release,model,system,gpus,precision,global_batch,micro_batch,seq_len,fsdp,tp,pp,cp,vpp,ep,tokens_per_s_per_gpu,"
    "model_tflops_per_gpu\n";

/// A folder of measurements that goes away with the test.
class Measured : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("filigree-measured-" + std::to_string(getpid()) + "-" +
                                              testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string file(const std::string& set) const { return (folder_ / (set + ".csv")).string(); }
  void write(const std::string& set, const std::string& text) const { write_file(file(set), text); }
  std::vector<MeasuredSet> load() const { return load_measured(folder_); }

  fs::path folder_;
};

TEST_F(Measured, ReadsGptRows) {
  write("a100_multi_node", kGptHead + "3.6,64,512,8,3072,32,30,2048,2,32,1,3975.2\n");
  const auto sets = load();
  ASSERT_EQ(sets.size(), 1u);
  EXPECT_EQ(sets[0].name, "a100_multi_node");
  ASSERT_EQ(sets[0].rows.size(), 1u);
  const MeasuredRow& row = sets[0].rows[0];
  EXPECT_EQ(row.line, 2);
  EXPECT_EQ(row.reason, "");
  EXPECT_DOUBLE_EQ(row.step_s, 3.9752);
  EXPECT_FALSE(row.memory_gib.has_value());
  EXPECT_EQ(row.layout.tp, 2);
  EXPECT_EQ(row.layout.dp, 32);
  EXPECT_EQ(row.layout.gbs, 512);
  EXPECT_EQ(row.model.layers, 30);
  EXPECT_EQ(row.model.vocabulary % 256, 0);
  EXPECT_TRUE(row.layout.recomputes(spec::Part::layer));
}

TEST_F(Measured, ReadsNodeRows) {
  write("b200_single_node", kNodeHead + "a case,llama3-70b,tp1pp2,12,4,4096,1,843.0,66.55\n");
  const MeasuredRow row = load().at(0).rows.at(0);
  EXPECT_EQ(row.label, "a case");
  EXPECT_EQ(row.model.layers, 12);
  EXPECT_EQ(row.layout.pp, 2);
  EXPECT_EQ(row.layout.dp, 4);
  EXPECT_EQ(row.layout.gbs, 16);
  EXPECT_DOUBLE_EQ(*row.memory_gib, 66.55);
}

TEST_F(Measured, ReadsClusterRows) {
  write("h100_clusters", kClusterHead + "26.06,LLAMA3.1_405B,DGX-H100,1024,FP8,1536,1,8192,0,8,8,2,8,n/a,326,822\n");
  const MeasuredRow row = load().at(0).rows.at(0);
  EXPECT_EQ(row.reason, "");
  EXPECT_EQ(row.layout.dtype, spec::Dtype::fp8);
  EXPECT_EQ(row.layout.vpp, 8);
  EXPECT_EQ(row.layout.ep, 1);
  EXPECT_EQ(row.layout.dp, 8);
  EXPECT_NEAR(row.step_s, 1536.0 * 8192 / (326.0 * 1024), 1e-9);
}

TEST_F(Measured, ReadsAllThatAFolderHolds) {
  write("a100_single_node", kGptHead + "1,8,16,8,2048,16,24,1024,8,1,1,325.5\n");
  write("b200_single_node", kNodeHead + "c,deepseekv3,tp1ep8pp1,4,4,4096,1,800,60\n");
  write("other", "never read");
  const auto sets = load();
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_EQ(sets[0].name, "a100_single_node");
  EXPECT_EQ(sets[1].name, "b200_single_node");
}

TEST_F(Measured, KeepsRowsThatItCannotComputeWithTheReason) {
  write("b200_single_node", kNodeHead + "x,llama9-1t,tp1pp1,4,4,4096,1,800,60\n" +  // no such model
                                "y,llama3-70b,tp8pp1,500,4,4096,1,800,60\n" +       // has 80 layers
                                "z,llama3-70b,tp1pp8,4,8,4096,1,800,60\n" +         // 8 stages of 4 layers
                                "i,hidream-i1,tp1pp1,0,8,4096,1,800,60\n" +         // no language model
                                "w,llama3-70b,tp8pp1,12,4,4096,1,300,30\n");
  const MeasuredSet set = load().at(0);
  ASSERT_EQ(set.rows.size(), 5u);
  EXPECT_EQ(set.rows[0].reason, "no recipe describes the model 'llama9-1t'");
  EXPECT_NE(set.rows[1].reason, "");
  EXPECT_NE(set.rows[2].reason.find("need as many layers"), std::string::npos) << set.rows[2].reason;
  EXPECT_NE(set.rows[3].reason, "");
  EXPECT_EQ(set.rows[4].reason, "");
  const SetResult result = validate(set);
  EXPECT_EQ(result.skipped, 4u);
  ASSERT_EQ(result.rows.size(), 5u);
  EXPECT_EQ(result.rows[0].computed_s, 0);
  EXPECT_GT(result.rows[4].computed_s, 0);
  EXPECT_DOUBLE_EQ(result.mean_absolute_error, std::abs(result.rows[4].error));
}

TEST_F(Measured, SaysWhereAnErrorIs) {
  const std::string node = file("b200_single_node"), gpt = file("a100_multi_node"), all = file("h100_clusters");
  const std::vector<std::array<std::string, 3>> cases{
      {"a100_multi_node", kGptHead + "1,64,512,8,3000,32,30,2048,2,32,1,3975\n",
       gpt + ": line 2: hidden size 3000 is not a multiple of 32 attention heads"},
      {"a100_multi_node", kGptHead + "1,64,512,8,3072,0,30,2048,2,32,1,3975\n",
       gpt + ": line 2, column 'attention heads': must be between 1 and 16777216, got 0"},
      {"a100_multi_node", kGptHead + "1,64,512,8,3072,32,30,2048,0,32,1,3975\n",
       gpt + ": line 2, column 'tensor parallelism': must be between 1 and 16777216, got 0"},
      {"a100_multi_node", kGptHead + "1,64,512,8,3072,32,30,2048,2,32,1,0\n",
       gpt + ": line 2: the time must be greater than 0"},
      {"a100_multi_node", kGptHead + "\n1,64,512,8,3072,32,thirty,2048,2,32,1,9\n",
       gpt + ": line 3, column '# layers': expected a whole number, got 'thirty'"},
      {"b200_single_node", kNodeHead + "c,llama3-70b,tp1xx8,12,4,4096,1,843,66\n",
       node + ": line 2: 'tp1xx8' is not of the form tp1ep8pp1"},
      {"b200_single_node", kNodeHead + "c,llama3-70b,tp,12,4,4096,1,843,66\n",
       node + ": line 2: 'tp' is not of the form tp1ep8pp1"},
      {"b200_single_node", kNodeHead + "c,llama3-70b,tp3,12,4,4096,1,843,66\n",
       node + ": line 2: 8 devices do not divide into tp3"},
      {"b200_single_node", kNodeHead + "c,llama3-70b,tp1,12,4,4096,0,843,66\n",
       node + ": line 2, column 'micro_batch': must be between 1 and 16777216, got 0"},
      {"b200_single_node", kNodeHead + "c,llama3-70b,tp1,-1,4,4096,1,843,66\n",
       node + ": line 2, column 'layers': must be between 0 and 16777216, got -1"},
      {"h100_clusters", kClusterHead + "26,LLAMA3_70B,D,64,FP8,256,1,8192,0,4,8,1,5,n/a,0,731\n",
       all + ": line 2: tokens_per_s_per_gpu must be greater than 0, got 0"},
      {"h100_clusters", kClusterHead + "26,LLAMA3_70B,D,64,FP8,256,1,8192,0,4,8,1,1e300,n/a,9,731\n",
       all + ": line 2, column 'vpp': expected a whole number, got '1e300'"},
      {"h100_clusters", kClusterHead + "26,LLAMA3_70B,D,64,FP8,256,1,8192,0,4,0,1,5,n/a,9,731\n",
       all + ": line 2, column 'pp': must be between 1 and 16777216, got 0"},
      {"h100_clusters", kClusterHead + "26,LLAMA3_70B,D,64,FP8,256\n",
       all + ": line 2: column 'micro_batch' is missing; the row has 6 fields, expected 16"}};
  for (const auto& [set, text, message] : cases) {
    write(set, text);
    EXPECT_ERROR(load(), message);
    fs::remove(file(set));
  }
}

TEST_F(Measured, SaysWhatAFileOrFolderLacks) {
  EXPECT_ERROR(load(), folder_.string() +
                           ": holds none of a100_multi_node.csv, a100_single_node.csv, "
                           "b200_single_node.csv, h100_clusters.csv");
  EXPECT_ERROR(load_measured(folder_ / "none"), (folder_ / "none").string() + ": is not a folder");
  write("b200_single_node", "case,model,parallels,layers\nc,llama3-70b,tp1,4\n");
  EXPECT_ERROR(load(), file("b200_single_node") +
                           ": has no column 'parallel'; did you mean 'parallels'? (columns: case, model, parallels, "
                           "layers)");
}

/// Bounds that the planner promises for each set.
void expect_accuracy(const fs::path& folder) {
  struct Bound {
    std::size_t rows;
    double time;
    double memory;
  };
  const std::map<std::string, Bound> bounds{{"a100_multi_node", {73, 0.08, 0}},
                                            {"a100_single_node", {720, 0.07, 0}},
                                            {"b200_single_node", {20, 0.05, 0.02}},
                                            {"h100_clusters", {27, 0.12, 0}}};
  for (const MeasuredSet& set : load_measured(folder)) {
    const Bound& bound = bounds.at(set.name);
    const SetResult result = validate(set);
    EXPECT_GE(result.rows.size(), bound.rows) << set.name;
    EXPECT_EQ(result.skipped, 0u) << set.name;
    EXPECT_LE(result.mean_absolute_error, bound.time) << set.name;
    EXPECT_EQ(result.memory_mean_absolute_error.has_value(), bound.memory > 0) << set.name;
    EXPECT_LE(result.memory_mean_absolute_error.value_or(0), bound.memory) << set.name;
    EXPECT_EQ(result.worst_absolute_error, [&] {
      double worst = 0;
      for (const RowResult& row : result.rows) worst = std::max(worst, std::abs(row.error));
      return worst;
    }());
  }
}

TEST(MeasuredAccuracy, ShippedRowsWithinTheirBounds) {
  const fs::path folder = fs::path(test::source_dir()) / "recipes" / "measured";
  EXPECT_EQ(load_measured(folder).size(), measured_set_names().size());
  expect_accuracy(folder);
}

TEST(MeasuredReference, RowsWithinTheirBounds) {
  const fs::path folder = fs::path(test::reference_dir()) / "planner";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " does not exist; set FILIGREE_REFERENCE";
  expect_accuracy(folder);
}

}  // namespace
}  // namespace filigree::plan
