#include "plan/data_parallel.h"

#include <algorithm>

#include "spec/resolve.h"

namespace filigree::plan {

using spec::Overlap;

RankGroup dense_sharding(const spec::Layout& layout) { return {layout.cp * layout.dp, layout.tp}; }

RankGroup expert_sharding(const spec::Layout& layout) {
  return {spec::expert_data_parallel(layout), spec::expert_ranks(layout) * layout.etp};
}

namespace {

/// Parameters in one bucket of an overlapped reduction (NVIDIA/Megatron-LM: core/distributed/distributed_data_parallel.py).
constexpr double kBucketParameters = 40e6;

/// Exposed part of a transfer of `seconds` in buckets behind `window` seconds of computation.
double exposed_part(double seconds, double parameters, double window) {
  const double buckets = std::max(1.0, parameters / kBucketParameters);
  const double last = seconds / buckets;
  return last + std::max(0.0, seconds - last - window);
}

}  // namespace

StepEnd step_end(const StepContext& c, const LayerCost& stage, const Pipeline& pipeline) {
  StepEnd end;
  const spec::Layout& layout = c.layout;
  const RankGroup dense = dense_sharding(layout), expert = expert_sharding(layout);
  const double d = stage.dense_parameters, x = stage.expert_parameters;
  const double grad = spec::dtype_bytes(layout.gradient_dtype), weight = spec::dtype_bytes(layout.parameter_dtype);
  const Collective reduce = layout.zero >= 1 ? Collective::reduce_scatter : Collective::all_reduce;
  end.gradients =
      collective_seconds(c.network, reduce, d * grad, dense) + collective_seconds(c.network, reduce, x * grad, expert);
  const double gather = collective_seconds(c.network, Collective::all_gather, d * weight, dense) +
                        collective_seconds(c.network, Collective::all_gather, x * weight, expert);
  if (layout.zero >= 1) end.parameters = gather;
  double forward = 0, backward = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(pipeline.chunks); ++i) {
    forward += pipeline.costs[i].forward.alone;
    backward += pipeline.costs[i].backward.alone;
  }
  if (layout.overlaps(Overlap::gradients)) end.gradients = exposed_part(end.gradients, d + x, backward);
  if (layout.overlaps(Overlap::parameters)) end.parameters = exposed_part(end.parameters, d + x, forward);
  if (layout.zero >= 3) {
    // Gathered before every forward and backward pass of every micro-batch.
    const double passes = static_cast<double>(pipeline.micro_batches);
    const bool hidden = layout.overlaps(Overlap::parameters);
    const double each = hidden ? std::max(0.0, gather - forward) + std::max(0.0, gather - backward) : 2 * gather;
    end.parameters = passes * each + (hidden ? exposed_part(gather, d + x, forward) : 0);
  }
  const double owned =
      layout.zero >= 1 ? d / static_cast<double>(dense.size) + x / static_cast<double>(expert.size) : d + x;
  // Gradients are cleared (all) and measured (owned); master and moments are read and written, parameters written.
  const double bytes = (d + x) * grad + owned * (2 * grad + 2 * layout.optimizer_bytes + weight);
  end.optimizer = elementwise_seconds(c.rates, bytes, 8);
  if (layout.offload_optimizer) end.optimizer += owned * 2 * layout.optimizer_bytes / (c.cluster.host_gb_s * 1e9);
  return end;
}

}  // namespace filigree::plan
