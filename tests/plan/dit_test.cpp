#include "plan/dit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/json.h"
#include "spec/count.h"
#include "spec/hf_config.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"
#include "support/expect_error.h"
#include "support/paths.h"

namespace filigree::plan {
namespace {

constexpr double kHiDreamParameters = 17'105'733'184;  // facts of the published checkpoint: 34.2 GB in 16 bits

spec::Dit hidream() {
  const std::string path = test::source_dir() + "/recipes/models/hidream-i1.json";
  return spec::dit_from_json(load_json(path), path);
}

/// Eight H100 with round efficiencies near those of its operators, so that bounds hold whatever the shipped file is tuned to.
spec::Cluster h100() {
  auto cluster = load_config<spec::Cluster>(test::source_dir() + "/recipes/clusters/h100.json");
  spec::Accelerator& a = cluster.accelerator;
  a.kernel_us = 3;
  a.memory_efficiency = 0.85;
  for (auto* curves : {&a.matrix, &a.grouped}) {
    for (auto& entry : *curves) entry.second = {.max = 0.7, .k_fill = 100};
  }
  a.attention = {.forward = 0.66, .backward = 0.57};
  return cluster;
}

spec::Layout layout_of(const std::string& text) {
  spec::Layout layout = spec::complete(spec::parse_layout(text));
  check_dit(layout, hidream());
  return layout;
}

Estimate estimate(const std::string& text, Detail detail = Detail::timeline) {
  return estimate_dit(hidream(), h100(), layout_of(text), detail);
}

/// Costs of stages with all that they refer to.
std::vector<StageCost> stages(const std::string& text) {
  const spec::Dit dit = hidream();
  const spec::Cluster cluster = h100();
  const spec::Layout layout = layout_of(text);
  const spec::Model model = dit_as_model(dit);
  const Rates rates = resolve_rates(cluster.accelerator, layout);
  const Network network = resolve_network(cluster);
  const LayerContext context{model, layout, rates, network, 1, 1, cluster.host_gb_s * 1e9};
  return dit_stage_costs({context, dit});
}

LayerCost block(const std::string& text, bool dual) {
  const spec::Dit dit = hidream();
  const spec::Cluster cluster = h100();
  const spec::Layout layout = layout_of(text);
  const spec::Model model = dit_as_model(dit);
  const Rates rates = resolve_rates(cluster.accelerator, layout);
  const Network network = resolve_network(cluster);
  const LayerContext context{model, layout, rates, network, 1, 1, cluster.host_gb_s * 1e9};
  return dit_block_cost({context, dit}, dual);
}

double parameters(const std::vector<StageCost>& all) {
  return std::accumulate(all.begin(), all.end(), 0.0, [](double sum, const StageCost& stage) {
    return sum + stage.sum.dense_parameters + stage.sum.expert_parameters;
  });
}

TEST(Dit, StagesHoldEveryParameterOnce) {
  EXPECT_EQ(parameters(stages("tp=1")), kHiDreamParameters);
  EXPECT_EQ(parameters(stages("pp=4")), kHiDreamParameters);
  EXPECT_EQ(parameters(stages("pp=4,vpp=3,mbs=1")), kHiDreamParameters);
  EXPECT_EQ(static_cast<double>(spec::count(hidream()).total), kHiDreamParameters);
}

TEST(Dit, BlocksHoldWhatTheCheckpointDoes) {
  constexpr double kCaption = 10'485'760;  // the block's caption projection
  const LayerCost dual = block("tp=1", true), single = block("tp=1", false);
  EXPECT_EQ(dual.dense_parameters + dual.expert_parameters, 424'089'600 + kCaption);
  EXPECT_EQ(single.dense_parameters + single.expert_parameters, 305'438'720 + kCaption);
  EXPECT_EQ(dual.expert_parameters, 4.0 * 3 * 2560 * 6912);
}

TEST(Dit, ExpertsSpreadOverRanks) {
  const LayerCost whole = block("tp=1,dp=4", false), spread = block("tp=1,dp=4,ep=4", false);
  EXPECT_DOUBLE_EQ(spread.expert_parameters, whole.expert_parameters / 4);
  EXPECT_DOUBLE_EQ(spread.dense_parameters, whole.dense_parameters);
  EXPECT_EQ(whole.exchange_forward, 0);
  EXPECT_GT(spread.exchange_forward, 0);
}

TEST(Dit, TensorRanksShareTheBlock) {
  const LayerCost one = block("tp=1", true), four = block("tp=4", true);
  // All but the router and two output biases is split; experts are not, since each rank routes its own tokens.
  EXPECT_NEAR(four.dense_parameters, one.dense_parameters / 4, 0.01 * one.dense_parameters / 4);
  EXPECT_DOUBLE_EQ(four.expert_parameters, one.expert_parameters);
  EXPECT_LT(four.activation_bytes, 0.35 * one.activation_bytes);
  EXPECT_GT(four.forward[static_cast<std::size_t>(Module::tensor_comm)], 0);
}

TEST(Dit, NoFasterThanItsOperationsAllow) {
  const spec::Dit dit = hidream();
  const double peak = 1e12 * h100().accelerator.peak_tflops.at("bf16");
  for (const char* text : {"tp=1,mbs=1,zero=0", "tp=1,mbs=4,zero=0", "tp=2,mbs=2,zero=0"}) {
    const Estimate e = estimate(text);
    const double samples = static_cast<double>(e.layout.gbs);
    const double least =
        samples * spec::model_flops_per_sample(dit, 4096) / (peak * static_cast<double>(e.layout.devices));
    EXPECT_GT(e.step_s, least) << text;
    EXPECT_LT(e.step_s, 4 * least) << text;
    EXPECT_NEAR(e.mfu, least / e.step_s, 1e-9) << text;
  }
}

TEST(Dit, ForwardTakesAboutWhatTheFloorSays) {
  // 77.8 TFLOP a forward pass at 1024 × 1024 (spec::forward_flops): at 600 to 700 TFLOP/s 0.11 to 0.13 s.
  const std::vector<StageCost> all = stages("tp=1,mbs=1");
  double forward = 0;
  for (const StageCost& stage : all) forward += stage.sum.attention.forward + stage.sum.mlp.forward;
  EXPECT_GT(forward, 0.10);
  EXPECT_LT(forward, 0.20);
}

TEST(Dit, MemoryOfOneDevice) {
  const Estimate e = estimate("tp=1,mbs=1,zero=0");
  EXPECT_FALSE(e.fits);
  ASSERT_EQ(e.memory.size(), 1u);
  EXPECT_DOUBLE_EQ(e.memory[0].weights, 2 * kHiDreamParameters);
  EXPECT_DOUBLE_EQ(e.memory[0].gradients, 4 * kHiDreamParameters);
  EXPECT_DOUBLE_EQ(e.memory[0].optimizer, 12 * kHiDreamParameters);
  const Estimate sharded = estimate("tp=1,dp=64,mbs=1,zero=3,recompute=layer");
  EXPECT_NEAR(sharded.memory[0].weights, 2 * kHiDreamParameters / 64, 1e3);
  EXPECT_TRUE(sharded.fits);
}

TEST(Dit, RecomputingABlockKeepsItsInputOnly) {
  const LayerCost kept = block("mbs=2", false), again = block("mbs=2,recompute=layer", false);
  EXPECT_DOUBLE_EQ(again.activation_bytes, 2 * 2 * (4096 + 384) * 2560);
  EXPECT_GT(kept.activation_bytes, 10 * again.activation_bytes);
  EXPECT_GT(again.backward[static_cast<std::size_t>(Module::recompute)], 0);
  EXPECT_GE(again.workspace_bytes, kept.activation_bytes - again.activation_bytes);
}

TEST(Dit, MoreImageTokensTakeMoreTime) {
  double before = 0;
  for (const char* text : {"seq=1024", "seq=4096", "seq=8192"}) {
    const Estimate e = estimate(text);
    EXPECT_GT(e.step_s, before) << text;
    before = e.step_s;
  }
}

TEST(Dit, PipelinesCarryTheLastingTexts) {
  const Estimate e = estimate("pp=4,mbs=1,gbs=32", Detail::events);
  EXPECT_EQ(e.memory.size(), 4u);
  EXPECT_GT(e.bubble_fraction, 0.05);
  EXPECT_FALSE(e.timeline.events.empty());
  const Estimate closed = estimate("pp=4,mbs=1,gbs=32", Detail::closed_form);
  EXPECT_NEAR(closed.step_s / e.step_s, 1, 0.1);
}

TEST(Dit, ContextAndScoresInSeparateOperators) {
  EXPECT_LT(estimate("cp=2,gbs=1").pipeline_s, estimate("cp=1,gbs=1").pipeline_s);
  EXPECT_LT(estimate("cp=2,gbs=1,context=all-to-all").pipeline_s, estimate("cp=1,gbs=1").pipeline_s);
  const Estimate fused = estimate("tp=1"), separate = estimate("tp=1,flash_attention=false");
  EXPECT_GT(separate.pipeline_s, fused.pipeline_s);
  EXPECT_GT(separate.memory[0].activations, fused.memory[0].activations);
}

TEST(Dit, RefusesLayoutsThatCannotExist) {
  EXPECT_ERROR(layout_of("tp=8"), "layout: 20 attention heads do not divide over tp=8; use tp=5 or 10");
  EXPECT_ERROR(layout_of("ep=3,dp=3"),
               "layout: 4 experts do not divide over 3 ranks (ep = 3); use 2 or 4 expert ranks");
  EXPECT_ERROR(layout_of("pp=64"),
               "layout: pp·vpp = 64·1 = 64 chunks need as many layers, but the diffusion transformer has 48 (48 + 0 "
               "multi-token prediction + 0 empty); lower pp or vpp");
}

}  // namespace
}  // namespace filigree::plan
