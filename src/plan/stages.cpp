#include "plan/stages.h"

#include <algorithm>

#include "spec/count.h"
#include "spec/resolve.h"

namespace filigree::plan {

using spec::Overlap;

LayerRuns layer_runs(const spec::Model& model) {
  LayerRuns runs;
  const std::vector<spec::LayerKind> layers = spec::layer_kinds(model);
  for (const spec::LayerKind& kind : layers) {
    if (std::find(runs.kinds.begin(), runs.kinds.end(), kind) == runs.kinds.end()) runs.kinds.push_back(kind);
  }
  for (const spec::LayerKind& kind : runs.kinds) {
    std::vector<std::int64_t> before{0};
    for (const spec::LayerKind& layer : layers) before.push_back(before.back() + (layer == kind ? 1 : 0));
    runs.before.push_back(std::move(before));
  }
  return runs;
}

Place place_of(const spec::Layout& layout, std::int64_t part) {
  if (layout.schedule == spec::Schedule::dualpipe_v && part >= layout.pp) return {2 * layout.pp - 1 - part, 1};
  return {part % layout.pp, part / layout.pp};
}

UnitCosts unit_costs(const LayerContext& context, const LayerRuns& runs) {
  UnitCosts units;
  units.layers.reserve(runs.kinds.size());
  for (const spec::LayerKind& kind : runs.kinds) units.layers.push_back(layer_cost(context, kind));
  if (context.model.mtp_layers > 0) units.mtp = mtp_cost(context, spec::layer_kinds(context.model).back());
  units.embedding = embedding_cost(context);
  units.head = head_cost(context);
  return units;
}

std::vector<StageCost> stage_costs(const LayerContext& context, const LayerRuns& runs, const UnitCosts& units) {
  const spec::Layout& layout = context.layout;
  const std::vector<std::int64_t> sizes = spec::chunk_layers(layout, context.model);
  std::vector<StageCost> stages(static_cast<std::size_t>(layout.pp));
  for (StageCost& stage : stages) stage.chunks.resize(static_cast<std::size_t>(layout.vpp));
  const std::int64_t layers = context.model.layers, parts = layout.pp * layout.vpp;
  std::int64_t begin = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t end = begin + sizes[static_cast<std::size_t>(part)];
    LayerCost cost;
    for (std::size_t kind = 0; kind < units.layers.size(); ++kind) {
      const auto& before = runs.before[kind];
      const std::int64_t count = before[static_cast<std::size_t>(std::min(end, layers))] -
                                 before[static_cast<std::size_t>(std::min(begin, layers))];
      if (count > 0) cost += scaled(units.layers[kind], static_cast<double>(count));
    }
    // After the layers come empty ones, then multi-token prediction.
    const std::int64_t first_mtp = layers + layout.noop_layers;
    const std::int64_t mtp = std::max<std::int64_t>(0, end - std::max(begin, first_mtp));
    if (mtp > 0) cost += scaled(units.mtp, static_cast<double>(mtp));
    if (part == 0) cost += units.embedding;
    if (part == parts - 1) cost += units.head;
    const Place place = place_of(layout, part);
    StageCost& stage = stages[static_cast<std::size_t>(place.stage)];
    stage.sum += cost;
    stage.chunks[static_cast<std::size_t>(place.chunk)] = cost;
    begin = end;
  }
  return stages;
}

Pass forward_pass(const LayerCost& cost, const spec::Layout& layout) {
  Pass pass;
  pass.attention = cost.attention.forward;
  pass.mlp = cost.mlp.forward;
  pass.dispatch = pass.combine = cost.exchange_forward;
  double exchange = 2 * cost.exchange_forward;
  // Dispatch hides behind the shared expert (Ascend/MindSpeed: docs/features/moe-alltoall-overlap-comm).
  if (layout.overlaps(Overlap::shared) || layout.overlaps(Overlap::experts)) {
    exchange -= std::min(cost.exchange_forward, cost.shared_forward);
  }
  pass.alone = pass.attention + pass.mlp + exchange;
  return pass;
}

Pass backward_pass(const LayerCost& cost, const spec::Layout& layout) {
  Pass pass;
  pass.attention = cost.attention.input + cost.attention.weight;
  pass.mlp = cost.mlp.input + cost.mlp.weight;
  pass.dispatch = pass.combine = cost.exchange_backward;
  double exchange = 2 * cost.exchange_backward;
  // Combine hides behind the shared expert's backward, dispatch behind the routed experts' weight gradients.
  if (layout.overlaps(Overlap::shared) || layout.overlaps(Overlap::experts)) {
    exchange -= std::min(cost.exchange_backward, cost.shared_backward);
  }
  if (layout.overlaps(Overlap::experts)) exchange -= std::min(cost.exchange_backward, cost.expert_weight);
  pass.alone = pass.attention + pass.mlp + exchange;
  return pass;
}

double boundary_bytes(const spec::Layout& layout, double hidden) {
  // Without sequence parallelism tensor ranks send a part each and gather it on the other side (arXiv 2104.04473 §4.1).
  const double tokens = device_tokens(layout) / static_cast<double>(layout.tp);
  return tokens * hidden * spec::dtype_bytes(layout.activation_dtype);
}

}  // namespace filigree::plan
