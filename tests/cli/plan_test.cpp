#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"
#include "support/paths.h"

namespace filigree::test {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

Words estimate(const std::string& model, const std::string& layout, const Words& more = {}) {
  Words words{"plan", "estimate", "--model", model, "--cluster", "h100", "--layout", layout};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

const std::string v3_layout = "tp=2,pp=8,vpp=4,ep=64,gbs=2048,recompute=norms+activation,overlap=gradients+experts";

bool is_png(const std::string& path) { return read_file(path).starts_with("\x89PNG"); }

TEST(PlanEstimate, ForPeople) {
  const Ran ran = run(estimate("deepseekv3", v3_layout, {"--devices", "1024"}));
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "");
  for (const char* part : {"deepseekv3 on 1,024 × H100", "step", "tokens/s a device", "MFU", "pipeline bubble",
                           "exposed communication", "expert communication", "Memory, GiB", "activations", "MFU = "}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
}

TEST(PlanEstimate, ForScripts) {
  const Json json = run_json(estimate("deepseekv3", v3_layout, {"--devices", "1024", "--json"}));
  ASSERT_TRUE(json.is_object());
  EXPECT_GT(json["step_ms"].get<double>(), 0);
  EXPECT_GT(json["mfu"].get<double>(), 0);
  EXPECT_LT(json["mfu"].get<double>(), 1);
  EXPECT_NEAR(json["tokens_per_s_per_device"].get<double>(),
              2048.0 * 4096 / 1024 / (1e-3 * json["step_ms"].get<double>()), 1e-6);
  for (const char* share : {"bubble_fraction", "exposed_comm_fraction"}) {
    EXPECT_GE(json[share].get<double>(), 0) << share;
    EXPECT_LT(json[share].get<double>(), 1) << share;
  }
  EXPECT_EQ(json["peak_memory_gib"].size(), 8);
  EXPECT_EQ(json["layout"]["devices"], 1024);
  EXPECT_EQ(json["layout"]["dp"], 64);
  double parts = 0;
  for (const auto& [name, ms] : json["parts_ms"].items()) parts += ms.get<double>();
  EXPECT_NEAR(parts, json["step_ms"].get<double>(), 1e-6);
}

TEST(PlanEstimate, SaysWhatDoesNotFit) {
  const Ran ran = run(estimate("llama3-405b", "gbs=8", {"--devices", "8"}));
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, testing::AllOf(HasSubstr("IT DOES NOT FIT"), HasSubstr("Memory limits it: stage 0 needs ")));
  const Json json = run_json(estimate("llama3-405b", "gbs=8", {"--devices", "8", "--json"}));
  EXPECT_EQ(json["fits"], false);
  EXPECT_THAT(json["limit"].get<std::string>(), HasSubstr("Memory limits it"));
}

TEST(PlanEstimate, WritesTraceAndPicture) {
  const Folder folder;
  const Ran ran = run(estimate(
      "llama3-8b", "pp=4,gbs=8",
      {"--trace", folder.path("t.json"), "--plot", folder.path("t.png"), "--output", folder.path("result.json")}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, testing::AllOf(HasSubstr("t.json"), HasSubstr("t.png"), HasSubstr("result.json")));
  const Json trace = load_json(folder.path("t.json"));
  const Json& events = trace.is_array() ? trace : trace["traceEvents"];
  std::size_t slices = 0;
  for (const Json& event : events) slices += event["ph"] == "X" && event["cat"] != "send" ? 1 : 0;
  EXPECT_EQ(slices, 4 * 8 * 2);  // stages × micro-batches × passes
  EXPECT_TRUE(is_png(folder.path("t.png")));
  EXPECT_TRUE(load_json(folder.path("result.json")).contains("step_ms"));
}

TEST(PlanEstimate, LoadsSlowItDown) {
  const auto step = [](const std::string& load) {
    return run_json(estimate("deepseekv3", "pp=8,ep=8,gbs=512", {"--devices", "64", "--json", "--load", load}));
  };
  const Json balanced = step("balanced"), uneven = step("dirichlet:2");
  EXPECT_EQ(balanced["load_imbalance"], 1);
  EXPECT_GT(uneven["load_imbalance"].get<double>(), 1.05);
  EXPECT_GT(uneven["step_ms"].get<double>(), balanced["step_ms"].get<double>());
  EXPECT_EQ(step("dirichlet:2"), uneven);  // the same seed
}

TEST(PlanEstimate, ReadsATrace) {
  const Folder folder;
  std::string rows = "step,layer,expert,tokens\n";
  // Expert 0 gets as much as it can, the others share the rest: 8 experts of 256 for each of 4,096 tokens.
  for (int layer = 3; layer < 61; ++layer) {
    for (int expert = 0; expert < 256; ++expert) {
      const int tokens = expert == 0 ? 2048 + 8 : expert < 8 ? 120 : 120;
      rows += "0," + std::to_string(layer) + "," + std::to_string(expert) + "," + std::to_string(tokens) + "\n";
    }
  }
  const std::string file = folder.write("trace.csv", rows);
  const Json json =
      run_json(estimate("deepseekv3", "pp=8,ep=8,gbs=512", {"--devices", "64", "--json", "--load", "trace:" + file}));
  EXPECT_GT(json["load_imbalance"].get<double>(), 1.2);
}

TEST(PlanEstimate, DiffusionTransformer) {
  const Json json = run_json(estimate("hidream-i1", "ep=4,gbs=64", {"--devices", "8", "--json"}));
  EXPECT_GT(json["mfu"].get<double>(), 0);
  const Ran uneven = run(estimate("hidream-i1", "ep=4,gbs=64", {"--devices", "8", "--load", "zipf:1"}));
  EXPECT_EQ(uneven.code, 1);
  EXPECT_THAT(uneven.err, HasSubstr("is taken as balanced"));
}

TEST(PlanEstimate, ReadsAPublishedConfigAndALayoutFile) {
  const Folder folder;
  const std::string model = folder.write("v3/config.json", read_file(source_dir() + "/recipes/models/deepseekv3.json"));
  const std::string layout =
      folder.write("layout.json", R"({"tp": 2, "pp": 8, "ep": 16, "gbs": 1024, "devices": 256})");
  const Json by_file = run_json(estimate(model, layout, {"--json"}));
  const Json by_name = run_json(estimate("DeepSeek V3", "tp=2,pp=8,ep=16,gbs=1024,devices=256", {"--json"}));
  EXPECT_EQ(by_file["step_ms"], by_name["step_ms"]);
}

TEST(PlanExplain, TermsAddUp) {
  const Words words{"plan",      "explain",    "tp=8,pp=4,gbs=512", "tp=4,pp=8,gbs=512",
                    "--model",   "llama3-70b", "--cluster",         "h100",
                    "--devices", "64"};
  const Ran text = run(words);
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, testing::AllOf(HasSubstr(" times as fast as "), HasSubstr("tensor-parallel communication")));
  Words for_scripts = words;
  const Folder folder;
  for_scripts.insert(for_scripts.end(), {"--json", "--plot", folder.path("x.png")});
  const Json json = run_json(for_scripts);
  double sum = 0;
  for (const Json& term : json["terms"]) sum += term["difference_ms"].get<double>();
  EXPECT_NEAR(sum, json["b"]["step_ms"].get<double>() - json["a"]["step_ms"].get<double>(), 1e-6);
  EXPECT_TRUE(is_png(folder.path("x.png")));
}

TEST(PlanAblate, ShippedRun) {
  const Json json = run_json({"plan", "ablate", "--json"});
  ASSERT_EQ(json["steps"].size(), 7);
  EXPECT_EQ(json["devices"], 6144);
  EXPECT_GT(json["steps"].back()["mfu"].get<double>(), json["steps"].front()["mfu"].get<double>());
  EXPECT_FALSE(json["assumptions"].empty());
  EXPECT_FALSE(json["variations"].empty());
  EXPECT_THAT(json["mfu_definition"].get<std::string>(), HasSubstr("MFU = "));
}

TEST(PlanAblate, OverruledRun) {
  const Folder folder;
  const Ran ran = run({"plan", "ablate", "--cluster", "h100", "--devices", "3072", "--load", "balanced", "--layout",
                       "gbs=3072,seq=4096", "--plot", folder.path("gains.png")});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::AllOf(HasSubstr("3,072 × H100"), HasSubstr("+ swapping"), HasSubstr("published:")));
  EXPECT_TRUE(is_png(folder.path("gains.png")));
  const Ran wrong = run({"plan", "ablate", "--layout", "tpp=8"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("did you mean 'tp'?"));
  EXPECT_EQ(run({"plan", "ablate", "--load", "ziff:1"}).code, 2);
  const Ran missing = run({"plan", "ablate", "pangu-ablatoin"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("did you mean 'pangu-ablation'?"));
}

TEST(PlanValidate, ShippedSets) {
  const Json json = run_json({"plan", "validate", "--json"});
  ASSERT_EQ(json["sets"].size(), 4);
  for (const Json& set : json["sets"]) {
    EXPECT_EQ(set["rows"].get<std::size_t>(), set["results"].size());
    EXPECT_GT(set["computed"].get<int>(), 0);
    double sum = 0, worst = 0;
    int computed = 0;
    for (const Json& row : set["results"]) {
      if (row.contains("reason")) continue;
      const double error = row["computed_ms"].get<double>() / row["measured_ms"].get<double>() - 1;
      EXPECT_NEAR(row["error"].get<double>(), error, 1e-9);
      sum += std::abs(error), worst = std::max(worst, std::abs(error)), ++computed;
    }
    EXPECT_EQ(computed, set["computed"]);
    EXPECT_NEAR(set["mean_absolute_error"].get<double>(), sum / computed, 1e-9);
    EXPECT_NEAR(set["worst_absolute_error"].get<double>(), worst, 1e-9);
    EXPECT_EQ(set["memory_mean_absolute_error"].is_number(), set["name"] == "b200_single_node");
  }
  EXPECT_EQ(json["headlines"].size(), 2);
}

TEST(PlanValidate, OtherRows) {
  const Folder folder;
  folder.write("b200_single_node.csv",
               "case,model,parallel,layers,microbatches,seq_len,micro_batch,step_ms,peak_alloc_gib\n"
               "mine,llama3-70b,tp2pp1,12,4,4096,1,725.5,60.68\n"
               "odd,llama3-70b,tp1pp8,3,4,4096,1,500,60\n");
  const Json json = run_json({"plan", "validate", "--data", folder.path(""), "--json"});
  ASSERT_EQ(json["sets"].size(), 1);
  EXPECT_EQ(json["sets"][0]["name"], "b200_single_node");
  EXPECT_EQ(json["sets"][0]["rows"], 2);
  EXPECT_EQ(json["sets"][0]["computed"], 1);
  EXPECT_TRUE(json["headlines"].empty());
  const Ran ran = run({"plan", "validate", "--data", folder.path(""), "--rows", "--plot", folder.path("v.png")});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::AllOf(HasSubstr("mine"), HasSubstr("725.5"), HasSubstr("Not computed"),
                                      HasSubstr("b200_single_node line 3 (odd): ")));
  EXPECT_TRUE(is_png(folder.path("v.png")));
}

}  // namespace
}  // namespace filigree::test
