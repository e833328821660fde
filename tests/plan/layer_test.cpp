#include "plan/layer.h"

#include <cmath>

#include <gtest/gtest.h>

#include "costs.h"
#include "spec/count.h"

namespace filigree::plan {
namespace {

using spec::FeedForward;
using spec::Mixer;
using test::Costs;
using test::gpt;
using test::kDense;
using test::kExperts;
using test::module_seconds;
using test::seconds;

const std::string kGpt =
    "dtype=fp16,activation_dtype=fp16,parameter_dtype=fp16,gradient_dtype=fp16,dropout=true,flash_attention=false";

/// Bytes of one layer for the sequences of one micro-batch, arXiv 2205.05198 equation 1.
double korthikanti(double s, double b, double h, double a) { return s * b * h * (34 + 5 * a * s / h); }

TEST(Layer, ActivationsOfDenseGptMatchTheFormula) {
  // The formula leaves out statistics of norms and of the softmax; so do we without flash attention. It is exact.
  for (const auto& [hidden, heads, seq, mbs] :
       {std::array<std::int64_t, 4>{2048, 16, 1024, 4}, std::array<std::int64_t, 4>{12288, 96, 2048, 1},
        std::array<std::int64_t, 4>{3072, 32, 2048, 8}}) {
    const Costs costs(kGpt + ",seq=" + std::to_string(seq) + ",mbs=" + std::to_string(mbs), gpt(hidden, heads, 24));
    const double expected = korthikanti(static_cast<double>(seq), static_cast<double>(mbs), static_cast<double>(hidden),
                                        static_cast<double>(heads));
    EXPECT_NEAR(costs.layer().activation_bytes / expected, 1, 1e-12) << hidden;
  }
}

TEST(Layer, TensorAndSequenceParallelismSplitActivations) {
  // arXiv 2205.05198 table 2: tensor parallelism s·b·h(10 + 24/t + 5·a·s/(h·t)), with sequence parallelism all over t.
  // The first keeps norm outputs and masks whole: 4 + 4 + 2 of 34.
  const double s = 2048, b = 2, h = 4096, a = 32, t = 8;
  const std::string layout = kGpt + ",seq=2048,mbs=2,tp=8";
  const Costs whole(layout + ",sp=false", gpt(4096, 32, 24)), split(layout, gpt(4096, 32, 24));
  EXPECT_NEAR(whole.layer().activation_bytes / (s * b * h * (10 + 24 / t + 5 * a * s / (h * t))), 1, 1e-12);
  EXPECT_NEAR(split.layer().activation_bytes / (korthikanti(s, b, h, a) / t), 1, 1e-12);
}

TEST(Layer, RecomputedLayerKeepsItsInputAlone) {
  const Costs costs(kGpt + ",seq=2048,mbs=2,recompute=layer", gpt(4096, 32, 24));
  EXPECT_DOUBLE_EQ(costs.layer().activation_bytes, 2.0 * 2048 * 2 * 4096);
  const Costs split(kGpt + ",seq=2048,mbs=2,recompute=layer,tp=4", gpt(4096, 32, 24));
  EXPECT_DOUBLE_EQ(split.layer().activation_bytes, 2.0 * 2048 * 2 * 4096 / 4);
  for (const std::string name : {"deepseekv3", "qwen3-30b-a3b"}) {
    const Costs experts("ep=8,dp=8,recompute=layer", test::model(name));
    EXPECT_DOUBLE_EQ(experts.layer(kExperts).activation_bytes, 2.0 * 4096 * static_cast<double>(experts.model.hidden));
  }
}

TEST(Layer, RecomputedLayerRunsItsForwardAgainAndTheHeadDoesNot) {
  const Costs kept(kGpt, gpt(4096, 32, 24)), again(kGpt + ",recompute=layer", gpt(4096, 32, 24));
  const LayerCost a = kept.layer(), b = again.layer();
  EXPECT_NEAR(seconds(b) - seconds(a), a.attention.forward + a.mlp.forward, 1e-9);
  EXPECT_NEAR(module_seconds(b, Module::recompute), a.attention.forward + a.mlp.forward, 1e-9);
  EXPECT_DOUBLE_EQ(seconds(head_cost(again.context)), seconds(head_cost(kept.context)));
  EXPECT_DOUBLE_EQ(seconds(embedding_cost(again.context)), seconds(embedding_cost(kept.context)));
  EXPECT_DOUBLE_EQ(head_cost(again.context).activation_bytes, head_cost(kept.context).activation_bytes);
}

TEST(Layer, RecomputedAttentionKeepsEverythingButTheScores) {
  // arXiv 2205.05198 §5: selective recomputation leaves 34·s·b·h.
  const Costs costs(kGpt + ",seq=2048,mbs=2,recompute=attention", gpt(4096, 32, 24));
  EXPECT_DOUBLE_EQ(costs.layer().activation_bytes, 34.0 * 2048 * 2 * 4096);
}

TEST(Layer, SwapMovesBytesToTheHost) {
  const Costs kept("seq=4096,mbs=1", test::model("llama3-8b"));
  const Costs swapped("seq=4096,mbs=1,swap=attention+norms", test::model("llama3-8b"));
  const LayerCost a = kept.layer(), b = swapped.layer();
  EXPECT_GT(b.swapped_bytes, 0);
  EXPECT_EQ(a.swapped_bytes, 0);
  EXPECT_DOUBLE_EQ(a.activation_bytes, b.activation_bytes + b.swapped_bytes);
  EXPECT_GE(seconds(b), seconds(a));
  EXPECT_DOUBLE_EQ(b.workspace_bytes - a.workspace_bytes, b.swapped_bytes);
}

TEST(Layer, TensorEdgesMoveTheSameBytesWithAndWithoutSequenceParallelism) {
  // An all-reduce is a reduce-scatter and an all-gather: four of one kind a layer, or eight of the other, cost the
  // same where both reach the same share of the line rate and starting is free.
  spec::Cluster free = test::cluster("h100");
  for (spec::Tier& tier : free.tiers) {
    tier.latency_us = tier.launch_us = tier.half_mib = 0;
    tier.all_reduce = tier.all_gather = 0.8;
  }
  std::array<double, 2> comm{};
  for (const bool sp : {false, true}) {
    Costs costs(std::string("tp=8,sp=") + (sp ? "true" : "false"), test::model("llama3-8b"));
    costs.network = resolve_network(free);
    comm[sp ? 1 : 0] = module_seconds(costs.layer(), Module::tensor_comm);
  }
  EXPECT_GT(comm[0], 0);
  EXPECT_NEAR(comm[0] / comm[1], 1, 1e-12);
}

TEST(Layer, ExpertRowsFollowTheImbalance) {
  const spec::Model m = test::model("deepseekv3");
  Costs costs("ep=8,dp=8,seq=4096,mbs=1", m);
  const LayerCost even = costs.layer(kExperts);
  costs.context.imbalance = costs.context.memory_imbalance = 1.5;
  const LayerCost uneven = costs.layer(kExperts);
  EXPECT_GT(module_seconds(uneven, Module::experts), module_seconds(even, Module::experts));
  EXPECT_GT(uneven.exchange_forward, even.exchange_forward);
  // Of every routed row memory holds the gathered token and both widths of the feed-forward, 2·(h + 2w + w) bytes.
  const double rows = 4096.0 * static_cast<double>(m.experts->top_k);
  const double row = 2.0 * static_cast<double>(m.hidden + 3 * m.experts->width);
  EXPECT_NEAR((uneven.activation_bytes - even.activation_bytes) / (0.5 * rows * row), 1, 1e-12);
}

TEST(Layer, ExpertsSplitOverTheirRanks) {
  const spec::Model m = test::model("deepseekv3");
  const double all = static_cast<double>(spec::count_layer(m, kExperts).experts);
  for (const std::string text : {"ep=8,dp=8", "tp=8,ep=4,tp_extends_ep=true,dp=4", "ep=4,etp=2,tp=2,dp=4"}) {
    const Costs costs(text, m);
    const double ranks = static_cast<double>(spec::expert_ranks(costs.layout) * costs.layout.etp);
    EXPECT_DOUBLE_EQ(costs.layer(kExperts).expert_parameters, all / ranks) << text;
  }
}

TEST(Layer, NeverFasterThanThePeak) {
  for (const std::string name : {"llama3-8b", "deepseekv3", "qwen3-235b-a22b", "gpt-oss-120b", "pangu-ultra-moe"}) {
    const Costs costs("seq=4096,mbs=2", test::model(name));
    const double tokens = device_tokens(costs.layout);
    for (const spec::LayerKind& kind : layer_runs(costs.model).kinds) {
      const double flops = spec::layer_flops(costs.model, kind, 4096).total() * tokens;
      const LayerCost cost = costs.layer(kind);
      EXPECT_GT(cost.attention.forward + cost.mlp.forward, flops / costs.rates.matrix_peak) << name;
      EXPECT_GT(seconds(cost), 3 * flops / costs.rates.matrix_peak) << name;
    }
  }
}

TEST(Layer, ModulesAddUpToTheHalves) {
  for (const std::string text : {"tp=8", "tp=4,cp=2", "tp=8,recompute=norms+activation", "tp=8,swap=attention"}) {
    const Costs costs(text, test::model("llama3-8b"));
    const LayerCost cost = costs.layer(kDense);
    double forward = 0, backward = 0;
    for (std::size_t i = 0; i < kModules; ++i) forward += cost.forward[i], backward += cost.backward[i];
    EXPECT_NEAR(forward, cost.attention.forward + cost.mlp.forward, 1e-12) << text;
    EXPECT_NEAR(forward + backward, seconds(cost), 1e-12) << text;
  }
}

TEST(Layer, EveryModuleHasItsName) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kModules; ++i) names.insert(module_name(static_cast<Module>(i)));
  EXPECT_EQ(names.size(), kModules);
  EXPECT_FALSE(names.contains(""));
}

}  // namespace
}  // namespace filigree::plan
