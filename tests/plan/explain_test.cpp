#include "plan/explain.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "plan/report.h"
#include "spec/check.h"
#include "spec/hf_config.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"
#include "support/paths.h"

namespace filigree::plan {
namespace {

using testing::HasSubstr;

Estimator h100(const std::string& model, const spec::Load& load = {}) {
  const auto recipe = [](const char* kind, const std::string& name) {
    return test::source_dir() + "/recipes/" + kind + "/" + name + ".json";
  };
  return {spec::load_language_model(recipe("models", model)), load_config<spec::Cluster>(recipe("clusters", "h100")),
          load};
}

Estimate estimate(const Estimator& estimator, const std::string& text) {
  const spec::Layout layout = spec::complete(spec::parse_layout(text));
  spec::check(layout, estimator.model());
  return estimator.estimate(layout, Detail::timeline);
}

/// Layouts that reach every kind of part: pipelines of all schedules, overlap, recomputation, swapping, contexts.
std::vector<std::string> layouts() {
  const std::string base = "devices=1024,gbs=4096,";
  return {base + "ep=64,pp=16",
          base + "ep=64,pp=16,overlap=gradients+parameters+pipeline,recompute=norms+activation",
          base + "ep=32,pp=8,vpp=4,tp=2,overlap=experts+gradients",
          base + "ep=32,pp=8,vpp=2,schedule=dualpipe-v,overlap=experts",
          base + "ep=64,pp=16,schedule=zero-bubble,graphs=true",
          base + "ep=8,pp=8,tp=4,tp_extends_ep=true,dispatcher=hierarchical,recompute=layer",
          base + "ep=32,pp=8,cp=4,swap=permute,zero=3,seq=8192,fused=false"};
}

TEST(StepParts, AddUpToTheStep) {
  const Estimator estimator = h100("deepseekv3");
  for (const std::string& text : layouts()) {
    const Estimate e = estimate(estimator, text);
    double sum = 0;
    for (const StepPart& part : step_parts(e)) {
      EXPECT_GE(part.seconds, -1e-9 * e.step_s) << text << ": " << part.name;
      sum += part.seconds;
    }
    EXPECT_NEAR(sum, e.step_s, 1e-9 * e.step_s) << text;
  }
}

TEST(Explain, TermsAddUpToTheDifference) {
  const Estimator estimator = h100("deepseekv3");
  const std::vector<std::string> texts = layouts();
  for (std::size_t i = 1; i < texts.size(); ++i) {
    const Explanation x = explain(estimate(estimator, texts[0]), estimate(estimator, texts[i]));
    double a = 0, b = 0, difference = 0, last = INFINITY;
    for (const ExplainedTerm& term : x.terms) {
      a += term.a, b += term.b, difference += term.difference();
      EXPECT_LE(std::abs(term.difference()), last);
      last = std::abs(term.difference());
    }
    const double tolerance = 1e-9 * x.a.step_s;  // rounding of a few sums
    EXPECT_NEAR(a, x.a.step_s, tolerance);
    EXPECT_NEAR(b, x.scale * x.b.step_s, 1e-9 * b);
    EXPECT_NEAR(difference, x.difference, 1e-9 * b);
    if (i < 6) {
      EXPECT_EQ(x.scale, 1) << texts[i];
      EXPECT_NEAR(difference, x.b.step_s - x.a.step_s, 1e-9 * b);
    }
  }
}

TEST(Explain, ScalesToTheSameWork) {
  const Estimator estimator = h100("deepseekv3");
  // Twice the tokens on half the devices are four times the work of a device.
  const Explanation x = explain(estimate(estimator, "devices=1024,ep=64,pp=16,gbs=4096"),
                                estimate(estimator, "devices=512,ep=32,pp=16,gbs=8192"));
  EXPECT_DOUBLE_EQ(x.scale, 0.25);
  EXPECT_NEAR(x.difference / x.a.step_s, x.a.tokens_per_s_per_device / x.b.tokens_per_s_per_device - 1, 1e-9);
  EXPECT_THAT(explain_text(x), HasSubstr("scaled by 0.25 to A's work"));
}

TEST(Explain, SaysWhichIsFasterAndWhy) {
  const Estimator estimator = h100("llama3-70b");
  const Estimate quick = estimate(estimator, "devices=64,tp=4,pp=4,gbs=512,recompute=norms");
  const Estimate slow = estimate(estimator, "devices=64,tp=4,pp=4,gbs=512,recompute=layer");
  EXPECT_THAT(explain_summary(explain(quick, slow)), testing::AllOf(HasSubstr("A is "), HasSubstr("recomputation (")));
  EXPECT_THAT(explain_summary(explain(slow, quick)), testing::AllOf(HasSubstr("B is "), HasSubstr("recomputation (")));
  EXPECT_THAT(explain_summary(explain(slow, slow)), HasSubstr("equally fast"));
  const Json json = explain_json(explain(quick, slow));
  EXPECT_EQ(json["terms"][0]["name"], "recomputation");
  EXPECT_GT(json["difference_ms"].get<double>(), 0);
  const Waterfall plot = explain_plot(explain(quick, slow));
  double end = plot.start;
  for (const auto& step : plot.steps) end += step.change;
  EXPECT_NEAR(end, 1e3 * slow.step_s, 1e-6);
}

TEST(DescribeLimit, NamesWhatLimits) {
  const Estimator v3 = h100("deepseekv3"), llama = h100("llama3-8b");
  const auto sentence = [](const Estimator& estimator, const std::string& text) {
    return describe_limit(estimate(estimator, text), estimator.cluster());
  };
  EXPECT_THAT(sentence(v3, "devices=64,ep=8,pp=1,gbs=64"), HasSubstr("Memory limits it: stage 0 needs "));
  EXPECT_THAT(sentence(llama, "devices=8,gbs=256"), HasSubstr("Arithmetic limits it: "));
  EXPECT_THAT(sentence(llama, "devices=64,pp=32,gbs=4"), HasSubstr("waiting for other stages of the pipeline"));
  EXPECT_THAT(sentence(llama, "devices=64,tp=8,pp=8,gbs=8"), testing::EndsWith("."));
}

TEST(EstimateJson, HasWhatScriptsRead) {
  const Estimator estimator = h100("deepseekv3");
  const Estimate e = estimate(estimator, layouts()[2]);
  const Json json = estimate_json(e, estimator.cluster());
  for (const char* key :
       {"step_ms", "tokens_per_s_per_device", "mfu", "mfu_definition", "bubble_fraction", "exposed_comm_fraction",
        "peak_memory_gib", "memory_gib", "fits", "limit", "layout", "modules_ms"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["peak_memory_gib"].size(), 8);
  EXPECT_NEAR(json["peak_memory_gib"][0].get<double>(), json["memory_gib"][0]["total"].get<double>(), 1e-12);
  // The layout is complete: read back, it is the same run.
  EXPECT_EQ(to_json(from_json<spec::Layout>(json["layout"], "json")), to_json(e.layout));
  const spec::Accelerator& device = estimator.cluster().accelerator;
  EXPECT_NEAR(json["mfu"].get<double>(),
              e.model_flops_per_token * e.tokens_per_s_per_device / (1e12 * device.peak_tflops.at("bf16")), 1e-9);
}

}  // namespace
}  // namespace filigree::plan
