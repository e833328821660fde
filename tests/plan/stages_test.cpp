#include "plan/stages.h"

#include <numeric>

#include <gtest/gtest.h>

#include "costs.h"
#include "spec/count.h"

namespace filigree::plan {
namespace {

using test::Costs;

/// Parameters of all devices of one replica of the dense part; experts over all of their ranks.
double parameters(const Costs& costs) {
  const double ranks = static_cast<double>(spec::expert_ranks(costs.layout) * costs.layout.etp);
  double sum = 0;
  for (const StageCost& stage : costs.stages()) sum += stage.sum.dense_parameters + ranks * stage.sum.expert_parameters;
  return sum;
}

TEST(Stages, HoldEveryParameterOnce) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"llama3-8b", "tp=1"},
      {"llama3-8b", "pp=4,vpp=2"},
      {"deepseekv3", "ep=8,dp=8"},
      {"deepseekv3", "pp=16,ep=8,dp=8"},
      {"deepseekv3", "ep=256,dp=256,pp=8,vpp=2,schedule=dualpipe-v,gbs=4096"},
      {"pangu-ultra-moe", "ep=4,dp=4"},
      {"pangu-ultra-moe", "pp=16,vpp=2,ep=32,dp=32,noop_layers=2"},
      {"qwen3-30b-a3b", "ep=8,dp=8,pp=4"},
      {"mixtral-8x7b", "ep=4,dp=4"},
      {"kimi-k2", "ep=8,dp=8"}};
  for (const auto& [name, text] : cases) {
    const Costs costs(text, test::model(name));
    const spec::Count count = spec::count(costs.model);
    EXPECT_DOUBLE_EQ(parameters(costs), static_cast<double>(count.total + count.mtp)) << name << ' ' << text;
  }
}

TEST(Stages, TiedEmbeddingStandsTwiceInAPipeline) {
  const spec::Model m = test::gpt(2048, 16, 24);
  const double total = static_cast<double>(spec::count(m).total);
  EXPECT_DOUBLE_EQ(parameters(Costs("tp=1", m)), total);
  EXPECT_DOUBLE_EQ(parameters(Costs("pp=4", m)), total + 2048.0 * 51200);
}

TEST(Stages, SumOfChunks) {
  const Costs costs("pp=8,vpp=2", test::model("llama3-8b"));
  for (const StageCost& stage : costs.stages()) {
    ASSERT_EQ(stage.chunks.size(), 2u);
    EXPECT_DOUBLE_EQ(stage.sum.activation_bytes, stage.chunks[0].activation_bytes + stage.chunks[1].activation_bytes);
    EXPECT_NEAR(test::seconds(stage.sum), test::seconds(stage.chunks[0]) + test::seconds(stage.chunks[1]), 1e-12);
  }
}

TEST(Stages, PlacesOfParts) {
  const spec::Model m = test::model("llama3-8b");
  const spec::Layout ring = test::layout_of("pp=4,vpp=2", m);
  EXPECT_EQ(place_of(ring, 5).stage, 1);
  EXPECT_EQ(place_of(ring, 5).chunk, 1);
  // Down and back: the last part stands beside the first.
  const spec::Layout fold = test::layout_of("pp=4,vpp=2,schedule=dualpipe-v,gbs=8", m);
  EXPECT_EQ(place_of(fold, 7).stage, 0);
  EXPECT_EQ(place_of(fold, 4).stage, 3);
  EXPECT_EQ(place_of(fold, 4).chunk, 1);
}

TEST(Stages, UnevenStagesAsGiven) {
  const Costs costs("pp=4,stages=9+8+8+7", test::model("llama3-8b"));
  const LayerCost layer = costs.layer();
  const std::vector<StageCost> stages = costs.stages();
  EXPECT_NEAR(stages[1].sum.attention.forward, 8 * layer.attention.forward, 1e-12);
  EXPECT_DOUBLE_EQ(stages[0].sum.activation_bytes,
                   9 * layer.activation_bytes + embedding_cost(costs.context).activation_bytes);
  EXPECT_DOUBLE_EQ(stages[3].sum.activation_bytes,
                   7 * layer.activation_bytes + head_cost(costs.context).activation_bytes);
}

TEST(Stages, EmptyLayersCostNothing) {
  const Costs costs("pp=4,noop_layers=4", test::model("llama3-8b"));
  const std::vector<StageCost> stages = costs.stages();
  const Costs fewer("pp=4,stages=9+9+9+5", test::model("llama3-8b"));
  for (std::size_t s = 0; s < 4; ++s)
    EXPECT_DOUBLE_EQ(test::seconds(stages[s].sum), test::seconds(fewer.stages()[s].sum));
}

TEST(Stages, OverlapTakesExchangeOffAPass) {
  LayerCost cost;
  cost.attention = {1, 2, 3};
  cost.mlp = {4, 5, 6};
  cost.exchange_forward = cost.exchange_backward = 2;
  cost.shared_forward = 0.5;
  cost.shared_backward = 1.5;
  cost.expert_weight = 1;
  spec::Layout layout;
  EXPECT_DOUBLE_EQ(forward_pass(cost, layout).alone, 1 + 4 + 2 * 2);
  EXPECT_DOUBLE_EQ(backward_pass(cost, layout).alone, 2 + 3 + 5 + 6 + 2 * 2);
  layout.overlap = {spec::Overlap::shared};
  EXPECT_DOUBLE_EQ(forward_pass(cost, layout).alone, 9 - 0.5);
  EXPECT_DOUBLE_EQ(backward_pass(cost, layout).alone, 20 - 1.5);
  layout.overlap = {spec::Overlap::experts};
  EXPECT_DOUBLE_EQ(forward_pass(cost, layout).alone, 9 - 0.5);
  EXPECT_DOUBLE_EQ(backward_pass(cost, layout).alone, 20 - 1.5 - 1);
}

TEST(Stages, BoundaryBytesOfOneTensorRank) {
  const spec::Model m = test::model("llama3-8b");
  EXPECT_DOUBLE_EQ(boundary_bytes(test::layout_of("tp=8,pp=2,mbs=2,seq=4096", m), 4096), 2.0 * 2 * 4096 * 4096 / 8);
  EXPECT_DOUBLE_EQ(boundary_bytes(test::layout_of("tp=2,cp=2,pp=2,mbs=1,seq=4096", m), 4096), 2.0 * 4096 * 4096 / 4);
}

}  // namespace
}  // namespace filigree::plan
