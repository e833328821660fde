#include "plan/ablate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "plan/load_text.h"
#include "support/expect_error.h"
#include "support/paths.h"

namespace filigree::plan {
namespace {

using testing::HasSubstr;

std::string recipe(const std::string& path) { return test::source_dir() + "/recipes/" + path + ".json"; }

/// A small run on shipped hardware.
Json small_run() {
  Json json;
  json["name"] = "small";
  json["model"] = recipe("models/deepseekv3");
  json["cluster"] = recipe("clusters/h100");
  json["devices"] = 512;
  json["load"] = "dirichlet:4";
  json["layout"] = {{"tp", 4}, {"pp", 8}, {"ep", 16}, {"gbs", 1024}, {"recompute", {"layer"}}, {"fused", false}};
  json["steps"] = Json::parse(R"([
    {"name": "fine recomputation", "set": {"recompute": ["norms", "activation"]}},
    {"name": "fused operators", "set": {"fused": true}},
    {"name": "placement", "set": {"expert_placement": true}},
    {"name": "a balanced router", "load": "balanced"}])");
  json["variations"] = Json::parse(R"([{"name": "longer", "set": {"seq": 8192}}])");
  json["assumptions"] = {"all of it"};
  json["published"] = {{"baseline_mfu", 0.1}, {"optimised_mfu", 0.2}, {"source", "nobody"}};
  return json;
}

AblationRun load(const Json& json) {
  const auto path = std::filesystem::path(testing::TempDir()) / "ablate_test.json";
  write_file(path, to_text(json));
  return load_ablation(path);
}

TEST(Ablate, SwitchesStayOn) {
  const AblationRun run = load(small_run());
  EXPECT_EQ(run.layout.at("recompute"), "layer");
  EXPECT_EQ(run.steps[0].set.at("recompute"), "norms+activation");
  EXPECT_EQ(run.steps[1].set.at("fused"), "true");
  const Ablation ablation = ablate(run);
  ASSERT_EQ(ablation.steps.size(), 5);
  EXPECT_FALSE(ablation.steps[0].estimate.layout.fused);
  for (std::size_t i = 2; i < 5; ++i) {
    EXPECT_TRUE(ablation.steps[i].estimate.layout.fused);
    EXPECT_TRUE(ablation.steps[i].estimate.layout.recomputes(spec::Part::norms));
    EXPECT_FALSE(ablation.steps[i].estimate.layout.recomputes(spec::Part::layer));
  }
  // Each of these switches only takes work away.
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_LT(ablation.steps[i].estimate.step_s, ablation.steps[i - 1].estimate.step_s) << ablation.steps[i].name;
  }
  EXPECT_EQ(ablation.steps[4].estimate.imbalance, 1);
  EXPECT_GT(ablation.steps[0].estimate.imbalance, ablation.steps[3].estimate.imbalance);
  ASSERT_EQ(ablation.variations.size(), 1);
  EXPECT_EQ(ablation.variations[0].baseline.layout.seq, 8192);
  EXPECT_EQ(ablation.variations[0].optimised.layout.seq, 8192);
  EXPECT_TRUE(ablation.variations[0].optimised.layout.fused);
}

TEST(Ablate, TextJsonAndPictureAgree) {
  const Ablation ablation = ablate(load(small_run()));
  const Json json = ablation_json(ablation);
  ASSERT_EQ(json["steps"].size(), 5);
  EXPECT_EQ(json["steps"][0]["gain"], 0);
  EXPECT_NEAR(json["steps"][1]["gain"].get<double>(),
              json["steps"][1]["tokens_per_s"].get<double>() / json["steps"][0]["tokens_per_s"].get<double>() - 1,
              1e-12);
  EXPECT_EQ(json["published"]["source"], "nobody");
  const std::string text = ablation_text(ablation);
  EXPECT_THAT(text, testing::AllOf(HasSubstr("+ fused operators"), HasSubstr("published: 10.0 % before, 20.0 % after"),
                                   HasSubstr("all of it"), HasSubstr("longer"), HasSubstr("MFU = ")));
  const Waterfall plot = ablation_plot(ablation);
  double end = plot.start;
  for (const auto& step : plot.steps) end += step.change;
  EXPECT_NEAR(end, 100 * ablation.steps.back().estimate.mfu, 1e-9);
}

TEST(Ablate, ReportsProgress) {
  struct Sink : ProgressSink {
    std::int64_t last = 0, total = 0;
    void update(std::int64_t done, std::int64_t of, std::string_view) override { last = done, total = of; }
  } sink;
  ablate(load(small_run()), &sink);
  EXPECT_EQ(sink.last, 7);
  EXPECT_EQ(sink.total, 7);
}

/// What ablate says of a run.
std::string complaint(const Json& json) {
  try {
    ablate(load(json));
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Ablate, RefusesWrongRuns) {
  Json json = small_run();
  json["stepps"] = 1;
  EXPECT_THAT(complaint(json), HasSubstr("unknown key 'stepps' at the top level; did you mean 'steps'?"));
  json = small_run();
  json["steps"] = Json::array();
  EXPECT_THAT(complaint(json), HasSubstr("steps is empty"));
  json = small_run();
  json["steps"][0]["set"] = {{"fusedd", true}};
  EXPECT_THAT(complaint(json),
              HasSubstr("small, step 'fine recomputation': unknown key 'fusedd'; did you mean 'fused'?"));
  json = small_run();
  json["steps"][1]["set"] = {{"ep", 48}};
  EXPECT_THAT(complaint(json), HasSubstr("small, step 'fused operators': layout: 256 experts do not divide"));
}

TEST(LoadText, ReadsWhatItWrites) {
  for (const char* text : {"balanced", "uniform", "zipf:0.5", "dirichlet:5", "trace:counts.csv"}) {
    EXPECT_EQ(load_text(parse_load(text)), text);
  }
  EXPECT_EQ(parse_load("zipf:0.5").parameter, 0.5);
  EXPECT_ERROR(
      parse_load("zip:1"),
      "load 'zip:1' is not known; did you mean 'zipf'? (balanced, uniform, zipf:0.5, dirichlet:5, trace:FILE)");
  EXPECT_ERROR(parse_load("trace"), "load 'trace' needs a file of counts: trace:FILE");
  EXPECT_ERROR(parse_load("dirichlet:0"),
               "load 'dirichlet:0' needs a concentration greater than 0 after the colon, such as dirichlet:5");
  EXPECT_ERROR(parse_load("zipf:steep"),
               "load 'zipf:steep' needs an exponent of 0 or more after the colon, such as zipf:0.5");
  EXPECT_ERROR(parse_load("uniform:1"), "load 'uniform:1' takes nothing after the colon");
}

}  // namespace
}  // namespace filigree::plan
