#pragma once

#include <cstdint>
#include <vector>

#include "plan/layer.h"
#include "spec/dit.h"
#include "spec/model.h"

/// How a model falls on pipeline stages, and what each stage costs.
namespace filigree::plan {

/// The distinct layers of a model and how often each occurs up to a position, so that the cost of any run of layers is
/// a few multiplications.
struct LayerRuns {
  std::vector<spec::LayerKind> kinds;             ///< distinct
  std::vector<std::vector<std::int64_t>> before;  ///< [kind][i]: layers of that kind among the first i
};
LayerRuns layer_runs(const spec::Model& model);

/// One stage: the sum of its chunks, and the chunks apart.
struct StageCost {
  LayerCost sum;
  std::vector<LayerCost> chunks;
};

/// Stage of each model part (0 … pp·vpp − 1 in model order) and its chunk there.
struct Place {
  std::int64_t stage = 0;
  std::int64_t chunk = 0;
};
Place place_of(const spec::Layout& layout, std::int64_t part);

/// What stages are put together from. Of a layout's pipeline it depends on `pp == 1` alone.
struct UnitCosts {
  std::vector<LayerCost> layers;  ///< by kind, as in LayerRuns
  LayerCost mtp;                  ///< one multi-token-prediction module
  LayerCost embedding, head;
};
UnitCosts unit_costs(const LayerContext& context, const LayerRuns& runs);

/// Costs of every stage for a complete layout.
std::vector<StageCost> stage_costs(const LayerContext& context, const LayerRuns& runs, const UnitCosts& units);

/// Forward or backward pass of a chunk with what can hide inside one micro-batch already hidden.
Pass forward_pass(const LayerCost& cost, const spec::Layout& layout);
Pass backward_pass(const LayerCost& cost, const spec::Layout& layout);

/// Bytes that travel between stages for one micro-batch.
double boundary_bytes(const spec::Layout& layout, double hidden);

}  // namespace filigree::plan
