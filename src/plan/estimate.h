#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/layer.h"
#include "plan/load.h"
#include "plan/popularity.h"
#include "plan/stages.h"
#include "plan/timeline.h"
#include "spec/cluster.h"
#include "spec/layout.h"
#include "spec/load.h"
#include "spec/model.h"

/// One training step of a model on a cluster in a layout: time, rate, memory and what limits it.
namespace filigree::plan {

/// Bytes on a device of one stage.
struct StageMemory {
  double weights = 0;
  double gradients = 0;
  double optimizer = 0;
  double activations = 0;  ///< at the stage's peak
  double workspace = 0;    ///< alive while one layer runs, and buffers of collectives
  double context = 0;      ///< runtime and libraries

  /// What the framework's allocator holds at most.
  double allocated() const { return weights + gradients + optimizer + activations + workspace; }
  double total() const { return allocated() + context; }
};

struct Estimate {
  spec::Layout layout;  ///< complete
  std::int64_t micro_batches = 0;
  double step_s = 0;
  double pipeline_s = 0;    ///< from the first forward to the last backward
  double gradients_s = 0;   ///< exposed gradient reduction
  double parameters_s = 0;  ///< exposed gathering of parameters
  double optimizer_s = 0;   ///< with clearing and measuring gradients
  double overhead_s = 0;
  double tokens_per_s = 0;
  double tokens_per_s_per_device = 0;
  double model_flops_per_token = 0;  ///< spec::model_flops_per_token
  double mfu = 0;                    ///< model FLOPs over the dense peak of the matrix dtype
  double bubble_fraction = 0;        ///< of stages × step, without work
  double exposed_comm_fraction = 0;  ///< of the step, on the slowest stage
  std::size_t slowest_stage = 0;
  ModuleSeconds modules{};          ///< of the slowest stage over the step; expert_comm as exposed
  std::vector<StageMemory> memory;  ///< by stage
  double peak_memory = 0;           ///< bytes, largest stage
  double memory_capacity = 0;
  bool fits = true;
  double imbalance = 1;
  std::string limit;  ///< one sentence; filled by describe_limit
  Timeline timeline;  ///< events only where asked for
};

enum class Detail {
  closed_form,  ///< formulas for the pipeline: microseconds
  timeline,     ///< the pipeline as events
  events        ///< the same, with every event kept
};

/// What an Estimator keeps from one layout to the next: costs that do not depend on the pipeline or the optimizer state.
/// One for each thread and Estimator; the estimates do not depend on it.
struct EstimateReuse {
  bool filled = false;
  spec::Layout key;     ///< that the rest holds for, without what it does not depend on
  spec::Layout wanted;  ///< of the layout at hand; kept for its memory
  Rates rates;
  UnitCosts units;
  Imbalance imbalance;
  double model_flops_per_token = 0;
  std::map<std::array<double, 4>, Imbalance> imbalances;  ///< by ranks, tokens, placement and capacity factor
};

/// Estimates many layouts of one model on one cluster. Safe to use from several threads.
class Estimator {
 public:
  Estimator(spec::Model model, spec::Cluster cluster, spec::Load load = {});

  /// `layout` must be complete and checked (spec/resolve.h, spec/check.h).
  Estimate estimate(const spec::Layout& layout, Detail detail) const;
  /// The same, faster for layouts one after another that have much in common.
  Estimate estimate(const spec::Layout& layout, Detail detail, EstimateReuse& reuse) const;

  const spec::Model& model() const { return model_; }
  const spec::Cluster& cluster() const { return cluster_; }
  const spec::Load& load() const { return load_; }

 private:
  LayerContext context_of(const spec::Layout& layout, const EstimateReuse& reuse) const;
  Imbalance imbalance_of(const spec::Layout& layout, EstimateReuse& reuse) const;
  void prepare(const spec::Layout& layout, EstimateReuse& reuse) const;

  spec::Model model_;
  spec::Cluster cluster_;
  spec::Load load_;
  Network network_;
  LayerRuns runs_;
  std::optional<Popularity> popularity_;  // of an uneven load; a trace is read once
};

/// What a step's estimate needs, whatever the model.
struct StepInputs {
  const spec::Layout& layout;  ///< complete
  const spec::Cluster& cluster;
  const Rates& rates;
  const Network& network;
  const std::vector<StageCost>& stages;
  double boundary_bytes = 0;         ///< that travel between stages for one micro-batch
  double model_flops_per_token = 0;  ///< of one of the layout's gbs·seq tokens
};

/// The step of any model whose stages have been costed: pipeline, end of the step, memory and rates.
Estimate estimate_step(const StepInputs& in, Detail detail);

/// What limits the step, in one sentence.
std::string describe_limit(const Estimate& estimate, const spec::Cluster& cluster);

}  // namespace filigree::plan
