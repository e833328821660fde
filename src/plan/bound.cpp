#include "plan/bound.h"

#include "spec/count.h"

namespace filigree::plan {
namespace {

/// Without waits for the host and for swapped tensors: they shrink where other things take longer.
double computation(const LayerCost& cost) {
  double sum = 0;
  for (const HalfTime* half : {&cost.attention, &cost.mlp}) sum += half->forward + half->input + half->weight;
  for (const Module wait : {Module::launch, Module::swap}) {
    const auto i = static_cast<std::size_t>(wait);
    sum -= cost.forward[i] + cost.backward[i];
  }
  return sum;
}

}  // namespace

double compute_seconds(const LayerContext& context, const LayerRuns& runs) {
  const spec::Model& model = context.model;
  double sum = computation(embedding_cost(context)) + computation(head_cost(context));
  for (std::size_t kind = 0; kind < runs.kinds.size(); ++kind) {
    sum += static_cast<double>(runs.before[kind].back()) * computation(layer_cost(context, runs.kinds[kind]));
  }
  if (model.mtp_layers > 0) {
    sum += static_cast<double>(model.mtp_layers) * computation(mtp_cost(context, spec::layer_kinds(model).back()));
  }
  return sum;
}

double step_bound(const LayerContext& context, const LayerRuns& runs, double overhead_s) {
  const spec::Layout& l = context.layout;
  const double sequences = static_cast<double>(l.gbs) * static_cast<double>(l.tp * l.cp);
  return compute_seconds(context, runs) * sequences / static_cast<double>(l.devices * l.mbs) + overhead_s;
}

}  // namespace filigree::plan
