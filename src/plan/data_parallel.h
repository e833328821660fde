#pragma once

#include "plan/collective.h"
#include "plan/layer.h"
#include "plan/timeline.h"
#include "spec/cluster.h"
#include "spec/layout.h"

/// What happens once a step: gradients are reduced, the optimizer runs, parameters are gathered.
namespace filigree::plan {

/// Ranks over which one kind of parameter is replicated, and so its gradients reduced and its optimizer state split.
RankGroup dense_sharding(const spec::Layout& layout);
RankGroup expert_sharding(const spec::Layout& layout);

/// Seconds that stay exposed on one stage.
struct StepEnd {
  double gradients = 0;
  double parameters = 0;
  double optimizer = 0;
  double total() const { return gradients + parameters + optimizer; }
};

struct StepContext {
  const spec::Layout& layout;
  const Rates& rates;
  const Network& network;
  const spec::Cluster& cluster;
};

/// `stage`: the sum of its chunks. With Overlap::gradients the reduction runs behind the last micro-batch's backward
/// pass in buckets, and what is left of it, at least the last bucket, is exposed; Overlap::parameters likewise behind
/// the first forward pass. ZeRO-3 gathers parameters for every micro-batch and pass.
StepEnd step_end(const StepContext& context, const LayerCost& stage, const Pipeline& pipeline);

}  // namespace filigree::plan
