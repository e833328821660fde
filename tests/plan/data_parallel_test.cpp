#include "plan/data_parallel.h"

#include <gtest/gtest.h>

#include "costs.h"

namespace filigree::plan {
namespace {

using test::Costs;

constexpr double kDenseParameters = 400e6, kExpertParameters = 800e6;

LayerCost stage() {
  LayerCost cost;
  cost.dense_parameters = kDenseParameters;
  cost.expert_parameters = kExpertParameters;
  return cost;
}

/// One chunk of the given seconds.
Pipeline pipeline(double forward, double backward, std::int64_t micro_batches = 4) {
  Pipeline p;
  p.micro_batches = micro_batches;
  p.costs.resize(1);
  p.costs[0].forward.alone = forward;
  p.costs[0].backward.alone = backward;
  return p;
}

StepEnd end_of(const std::string& text, double forward = 0.1, double backward = 0.2) {
  const Costs costs(text, test::model("deepseekv3"));
  return step_end({costs.layout, costs.rates, costs.network, costs.cluster}, stage(), pipeline(forward, backward));
}

double transfer(const std::string& text, Collective kind, double bytes_each) {
  const Costs costs(text, test::model("deepseekv3"));
  return collective_seconds(costs.network, kind, kDenseParameters * bytes_each, dense_sharding(costs.layout)) +
         collective_seconds(costs.network, kind, kExpertParameters * bytes_each, expert_sharding(costs.layout));
}

const std::string kLayout = "tp=2,cp=2,dp=16,ep=8,seq=4096";

TEST(DataParallel, Groups) {
  const Costs costs(kLayout, test::model("deepseekv3"));
  EXPECT_EQ(dense_sharding(costs.layout).size, 32);
  EXPECT_EQ(dense_sharding(costs.layout).stride, 2);
  EXPECT_EQ(expert_sharding(costs.layout).size, 8);
  EXPECT_EQ(expert_sharding(costs.layout).stride, 8);
}

TEST(DataParallel, ZeroStagesReduceAndGather) {
  const StepEnd none = end_of(kLayout + ",zero=0");
  EXPECT_DOUBLE_EQ(none.gradients, transfer(kLayout, Collective::all_reduce, 4));
  EXPECT_EQ(none.parameters, 0);
  for (const std::string zero : {",zero=1", ",zero=2"}) {
    const StepEnd end = end_of(kLayout + zero);
    EXPECT_DOUBLE_EQ(end.gradients, transfer(kLayout, Collective::reduce_scatter, 4)) << zero;
    EXPECT_DOUBLE_EQ(end.parameters, transfer(kLayout, Collective::all_gather, 2)) << zero;
  }
  const StepEnd all = end_of(kLayout + ",zero=3");
  EXPECT_DOUBLE_EQ(all.gradients, transfer(kLayout, Collective::reduce_scatter, 4));
  EXPECT_DOUBLE_EQ(all.parameters, 2 * 4 * transfer(kLayout, Collective::all_gather, 2));  // four micro-batches
}

TEST(DataParallel, OptimizerWorksOnItsShare) {
  const Costs costs(kLayout, test::model("deepseekv3"));
  const double all = kDenseParameters + kExpertParameters, owned = kDenseParameters / 32 + kExpertParameters / 8;
  const auto seconds = [&](double mine) {
    return elementwise_seconds(costs.rates, 4 * all + mine * (2 * 4 + 2 * 12 + 2), 8);
  };
  EXPECT_DOUBLE_EQ(end_of(kLayout + ",zero=0").optimizer, seconds(all));
  EXPECT_DOUBLE_EQ(end_of(kLayout + ",zero=1").optimizer, seconds(owned));
  EXPECT_DOUBLE_EQ(end_of(kLayout + ",offload_optimizer=true").optimizer,
                   seconds(owned) + 2 * 12 * owned / (costs.cluster.host_gb_s * 1e9));
}

TEST(DataParallel, OverlapHidesAllButTheLastBucket) {
  const double reduce = transfer(kLayout, Collective::reduce_scatter, 4);
  const double buckets = (kDenseParameters + kExpertParameters) / 40e6;
  const double last = reduce / buckets;
  EXPECT_DOUBLE_EQ(end_of(kLayout + ",overlap=gradients", 10, 10).gradients, last);
  EXPECT_DOUBLE_EQ(end_of(kLayout + ",overlap=gradients", 0, 0).gradients, reduce);
  const double gather = transfer(kLayout, Collective::all_gather, 2);
  EXPECT_DOUBLE_EQ(end_of(kLayout + ",overlap=parameters", 10, 10).parameters, gather / buckets);
  EXPECT_DOUBLE_EQ(end_of(kLayout + ",zero=3,overlap=parameters", 10, 10).parameters, gather / buckets);
  const double half = (reduce - last) / 2;
  EXPECT_NEAR(end_of(kLayout + ",overlap=gradients", 0, half).gradients, last + half, 1e-12);
}

TEST(DataParallel, OneReplicaMovesNothing) {
  const Costs costs("tp=1", test::model("llama3-8b"));
  const LayerCost dense = [] {
    LayerCost cost;
    cost.dense_parameters = kDenseParameters;
    return cost;
  }();
  const StepEnd end = step_end({costs.layout, costs.rates, costs.network, costs.cluster}, dense, pipeline(0.1, 0.2));
  EXPECT_EQ(end.gradients, 0);
  EXPECT_EQ(end.parameters, 0);
  EXPECT_GT(end.optimizer, 0);
}

/// Memory of one stage by ZeRO stage: parameters of 2 bytes, gradients of 4, optimizer state of 12.
TEST(DataParallel, ZeroSplitsMemory) {
  const spec::Model m = test::model("deepseekv3");
  const Estimator estimator(m, test::cluster("h100"));
  const std::string text = "tp=2,dp=16,pp=16,ep=8,gbs=256,zero=";
  const std::vector<StageCost> stages = Costs(text + "0", m).stages();
  for (int zero = 0; zero <= 3; ++zero) {
    const Estimate e = estimator.estimate(test::layout_of(text + std::to_string(zero), m), Detail::closed_form);
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const double d = stages[s].sum.dense_parameters, x = stages[s].sum.expert_parameters;
      const double shared = d / 16 + x / 4;  // dense over dp, experts over tp·dp / ep
      EXPECT_DOUBLE_EQ(e.memory[s].optimizer, 12 * (zero >= 1 ? shared : d + x)) << zero;
      EXPECT_DOUBLE_EQ(e.memory[s].gradients, 4 * (zero >= 2 ? shared : d + x)) << zero;
      EXPECT_DOUBLE_EQ(e.memory[s].weights, 2 * (zero >= 3 ? shared : d + x)) << zero;
    }
  }
  const Estimate offloaded =
      estimator.estimate(test::layout_of(text + "1,offload_optimizer=true", m), Detail::closed_form);
  EXPECT_EQ(offloaded.memory[0].optimizer, 0);
}

}  // namespace
}  // namespace filigree::plan
