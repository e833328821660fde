#include "plan/estimate.h"

#include <algorithm>

#include "base/units.h"
#include "plan/data_parallel.h"
#include "spec/count.h"
#include "spec/resolve.h"

namespace filigree::plan {
namespace {

using spec::Overlap;
using spec::Schedule;

/// Per-stage passes as the timeline wants them.
Pipeline make_pipeline(const spec::Layout& layout, const std::vector<StageCost>& stages, double send) {
  Pipeline pipeline;
  pipeline.schedule = layout.schedule;
  pipeline.stages = layout.pp;
  pipeline.chunks = layout.vpp;
  pipeline.micro_batches = spec::micro_batches(layout);
  pipeline.send = layout.pp > 1 ? send : 0;
  pipeline.overlap_send = layout.overlaps(Overlap::pipeline);
  pipeline.pair = layout.overlaps(Overlap::experts);
  pipeline.costs.reserve(static_cast<std::size_t>(layout.pp * layout.vpp));
  for (const StageCost& stage : stages) {
    for (const LayerCost& cost : stage.chunks) {
      Chunk chunk;
      chunk.forward = forward_pass(cost, layout);
      chunk.backward = backward_pass(cost, layout);
      chunk.weight = cost.attention.weight + cost.mlp.weight;
      chunk.tail = pipeline.pair && pipeline.overlap_send ? cost.attention.weight : 0;
      chunk.activation_bytes = cost.activation_bytes;
      chunk.weight_bytes = 0.5 * cost.activation_bytes;  // inputs of the products, without what attention keeps
      pipeline.costs.push_back(chunk);
    }
  }
  return pipeline;
}

/// Blocking sends of one micro-batch on a stage.
double steady_sends(const Pipeline& p) {
  return p.stages > 1 && !p.overlap_send ? 2 * p.send * static_cast<double>(p.chunks) : 0;
}

/// Time of one micro-batch on a stage in steady state.
double steady_time(const Pipeline& p, std::int64_t stage) {
  double sum = 0;
  for (std::int64_t c = 0; c < p.chunks; ++c) {
    const Chunk& chunk = p.costs[static_cast<std::size_t>(stage * p.chunks + c)];
    sum += p.pair ? std::min(pair_time(chunk.forward, chunk.backward), chunk.forward.alone + chunk.backward.alone)
                  : chunk.forward.alone + chunk.backward.alone;
  }
  return sum + steady_sends(p);
}

/// What one stage adds to filling and draining the pipeline.
double fill_time(const Pipeline& p, std::int64_t stage) {
  double alone = 0, backward = 0, weight = 0, pair = 0;
  for (std::int64_t c = 0; c < p.chunks; ++c) {
    const Chunk& chunk = p.costs[static_cast<std::size_t>(stage * p.chunks + c)];
    alone += chunk.forward.alone + chunk.backward.alone;
    backward += chunk.backward.alone;
    weight += chunk.weight;
    pair += pair_time(chunk.forward, chunk.backward);
  }
  const double v = static_cast<double>(p.chunks);
  double fill = alone;
  if (p.schedule == Schedule::zero_bubble) fill = alone - weight;
  if (p.schedule == Schedule::dualpipe_v) fill = p.pair ? pair + backward - 3 * weight : alone - 2 * weight;
  return std::max(0.0, fill / v) + 2 * p.send;
}

/// Micro-batches whose activations a stage holds at most: 1F1B stages − s, interleaving more (arXiv 2205.05198 §4),
/// ZB-H1 as the first stage of 1F1B, DualPipe-V 2·stages + 1 chunks.
double micro_batches_alive(const Pipeline& p, std::int64_t stage) {
  const double m = static_cast<double>(p.micro_batches), v = static_cast<double>(p.chunks);
  const double stages = static_cast<double>(p.stages), depth = static_cast<double>(p.stages - stage);
  const double ahead = p.pair ? 1 : 0;
  switch (p.schedule) {
    case Schedule::one_f_one_b:
      return std::min(p.pair ? 2 * (depth - 1) + 2 : depth, m);
    case Schedule::interleaved:
      return std::min(2 * (depth - 1) + (v - 1) * stages + 1 + ahead, m * v) / v;
    case Schedule::zero_bubble:
      return std::min(stages, m);
    case Schedule::dualpipe_v:
      return std::min(2 * stages + 1, m * v) / v;
  }
  return m;
}

/// The pipeline without events: the slowest stage works through all micro-batches, and the first and the last
/// micro-batch pass the other stages. Exact for 1F1B with equal stages; arXiv 2104.04473 §2.2 for interleaving,
/// arXiv 2401.10241 for zero bubble, deepseek-ai/DualPipe: README.md for DualPipe-V.
Timeline closed_form(const Pipeline& p) {
  Timeline timeline;
  timeline.stages.resize(static_cast<std::size_t>(p.stages));
  double slowest = 0, fill = 0, busy = 0;
  const double m = static_cast<double>(p.micro_batches);
  for (std::int64_t s = 0; s < p.stages; ++s) {
    const double steady = steady_time(p, s);
    slowest = std::max(slowest, steady);
    const double work = (steady - steady_sends(p)) * m;
    timeline.stages[static_cast<std::size_t>(s)].busy = work;
    busy += work;
    fill += fill_time(p, s);
  }
  const double own = fill / static_cast<double>(p.stages);
  timeline.makespan = m * slowest + (fill - own);
  timeline.bubble = 1 - busy / (static_cast<double>(p.stages) * timeline.makespan);
  for (std::int64_t s = 0; s < p.stages; ++s) {
    double all = 0, first = 0;
    for (std::int64_t c = 0; c < p.chunks; ++c) {
      const double bytes = p.costs[static_cast<std::size_t>(s * p.chunks + c)].activation_bytes;
      all += bytes;
      if (c == 0) first = bytes;
    }
    StageResult& stage = timeline.stages[static_cast<std::size_t>(s)];
    stage.peak_activation_bytes = std::max(all * micro_batches_alive(p, s), first);
    stage.end = timeline.makespan;
  }
  return timeline;
}

ModuleSeconds stage_modules(const Pipeline& p, const StageCost& stage, std::int64_t index, double micro_batches) {
  ModuleSeconds sum{};
  for (std::size_t i = 0; i < kModules; ++i) sum[i] = (stage.sum.forward[i] + stage.sum.backward[i]) * micro_batches;
  // Whatever of a stage's steady time its computation does not explain is exchange that nothing hides, or launches.
  double device = 0;
  for (const double seconds : sum) device += seconds;
  const double steady = (steady_time(p, index) - steady_sends(p)) * micro_batches;
  const bool exchanges = stage.sum.exchange_forward > 0;
  const double rest = std::max(0.0, steady - device);
  sum[static_cast<std::size_t>(exchanges ? Module::expert_comm : Module::launch)] += rest;
  return sum;
}

StageMemory stage_memory(const StepInputs& in, const StageCost& stage, double activations) {
  const spec::Layout& layout = in.layout;
  StageMemory memory;
  const RankGroup dense = dense_sharding(layout), expert = expert_sharding(layout);
  const double d = stage.sum.dense_parameters, x = stage.sum.expert_parameters;
  const double ways_d = static_cast<double>(dense.size), ways_x = static_cast<double>(expert.size);
  const auto share = [&](int stage_of_zero, double bytes) {
    const bool split = layout.zero >= stage_of_zero;
    return bytes * (d / (split ? ways_d : 1.0) + x / (split ? ways_x : 1.0));
  };
  memory.weights = share(3, spec::dtype_bytes(layout.parameter_dtype));
  memory.gradients = share(2, spec::dtype_bytes(layout.gradient_dtype));
  memory.optimizer = layout.offload_optimizer ? 0 : share(1, layout.optimizer_bytes);
  memory.activations = activations;
  memory.workspace = stage.sum.workspace_bytes;
  memory.context = in.cluster.context_gib * kGib;
  return memory;
}

std::int64_t expert_layers(const spec::Model& model) { return model.layers - model.dense_prefix; }

}  // namespace

Estimate estimate_step(const StepInputs& in, Detail detail) {
  const spec::Layout& layout = in.layout;
  const std::vector<StageCost>& stages = in.stages;
  check_reach(in.cluster, layout.devices);
  Estimate out;
  out.layout = layout;
  out.micro_batches = spec::micro_batches(layout);
  const double send =
      layout.pp > 1 ? send_seconds(in.network, in.boundary_bytes, layout.tp * layout.cp * layout.dp) : 0;
  const Pipeline pipeline = make_pipeline(layout, stages, send);
  out.timeline = detail == Detail::closed_form ? closed_form(pipeline) : simulate(pipeline, detail == Detail::events);
  out.pipeline_s = out.timeline.makespan;

  for (std::size_t s = 0; s < stages.size(); ++s) {
    if (out.timeline.stages[s].busy > out.timeline.stages[out.slowest_stage].busy) out.slowest_stage = s;
    out.memory.push_back(stage_memory(in, stages[s], out.timeline.stages[s].peak_activation_bytes));
    out.peak_memory = std::max(out.peak_memory, out.memory.back().total());
    // The end of the step depends on a stage's parameters only; neighbours often have the same.
    const bool same = s > 0 && stages[s].sum.dense_parameters == stages[s - 1].sum.dense_parameters &&
                      stages[s].sum.expert_parameters == stages[s - 1].sum.expert_parameters;
    if (same) continue;
    const StepEnd end = step_end({layout, in.rates, in.network, in.cluster}, stages[s].sum, pipeline);
    if (end.total() > out.gradients_s + out.parameters_s + out.optimizer_s) {
      out.gradients_s = end.gradients;
      out.parameters_s = end.parameters;
      out.optimizer_s = end.optimizer;
    }
  }
  out.overhead_s = 1e-3 * in.cluster.step_overhead_ms;
  out.step_s = out.pipeline_s + out.gradients_s + out.parameters_s + out.optimizer_s + out.overhead_s;

  const double tokens = static_cast<double>(layout.gbs * layout.seq);
  out.tokens_per_s = tokens / out.step_s;
  out.tokens_per_s_per_device = out.tokens_per_s / static_cast<double>(layout.devices);
  out.model_flops_per_token = in.model_flops_per_token;
  out.mfu = out.model_flops_per_token * out.tokens_per_s_per_device / in.rates.matrix_peak;
  const double m = static_cast<double>(out.micro_batches);
  out.modules = stage_modules(pipeline, stages[out.slowest_stage], static_cast<std::int64_t>(out.slowest_stage), m);
  out.bubble_fraction = out.timeline.bubble * out.pipeline_s / out.step_s;
  double exposed = out.gradients_s + out.parameters_s;
  for (const Module module : {Module::tensor_comm, Module::context_comm, Module::expert_comm}) {
    exposed += out.modules[static_cast<std::size_t>(module)];
  }
  exposed += steady_sends(pipeline) * m;
  out.exposed_comm_fraction = std::min(1.0, exposed / out.step_s);
  out.memory_capacity = in.cluster.accelerator.memory_gib * kGib;
  out.fits = out.peak_memory <= out.memory_capacity;
  return out;
}

Estimator::Estimator(spec::Model model, spec::Cluster cluster, spec::Load load)
    : model_(std::move(model)),
      cluster_(std::move(cluster)),
      load_(std::move(load)),
      network_(resolve_network(cluster_)),
      runs_(layer_runs(model_)) {
  if (!model_.experts || load_.kind == spec::LoadKind::balanced) return;
  popularity_.emplace(load_, model_.experts->routed, model_.experts->top_k, expert_layers(model_));
}

Imbalance Estimator::imbalance_of(const spec::Layout& layout, EstimateReuse& reuse) const {
  if (!popularity_) return {};
  const RankGroup group = expert_group(layout);
  const double tokens = device_tokens(layout) / static_cast<double>(layout.tp) * static_cast<double>(group.size);
  const std::array<double, 4> key{static_cast<double>(group.size), tokens, layout.expert_placement ? 1.0 : 0.0,
                                  layout.capacity_factor};
  const auto known = reuse.imbalances.find(key);
  if (known != reuse.imbalances.end()) return known->second;
  const ExpertGroup experts{model_.experts->routed, model_.experts->top_k, group.size,
                            static_cast<std::int64_t>(tokens), expert_layers(model_)};
  return reuse.imbalances[key] = imbalance(*popularity_, experts, layout.expert_placement, layout.capacity_factor);
}

LayerContext Estimator::context_of(const spec::Layout& layout, const EstimateReuse& reuse) const {
  return {model_,
          layout,
          reuse.rates,
          network_,
          reuse.imbalance.mean_max,
          reuse.imbalance.memory_max,
          cluster_.host_gb_s * 1e9};
}

void Estimator::prepare(const spec::Layout& layout, EstimateReuse& reuse) const {
  spec::Layout& wanted = reuse.wanted;
  wanted = layout;
  wanted.pp = layout.pp == 1 ? 1 : 2;
  wanted.vpp = wanted.dp = wanted.devices = wanted.gbs = 1;
  wanted.schedule = Schedule::one_f_one_b;
  wanted.stages.clear();
  wanted.noop_layers = wanted.zero = 0;
  wanted.offload_optimizer = false;
  if (reuse.filled && reuse.key == wanted) return;
  reuse.filled = false;
  reuse.rates = resolve_rates(cluster_.accelerator, layout);
  reuse.imbalance = imbalance_of(layout, reuse);
  reuse.units = unit_costs(context_of(layout, reuse), runs_);
  reuse.model_flops_per_token = spec::model_flops_per_token(model_, static_cast<double>(layout.seq));
  std::swap(reuse.key, wanted);
  reuse.filled = true;
}

Estimate Estimator::estimate(const spec::Layout& layout, Detail detail, EstimateReuse& reuse) const {
  prepare(layout, reuse);
  const std::vector<StageCost> stages = stage_costs(context_of(layout, reuse), runs_, reuse.units);
  const double boundary = boundary_bytes(layout, static_cast<double>(model_.hidden));
  Estimate out =
      estimate_step({layout, cluster_, reuse.rates, network_, stages, boundary, reuse.model_flops_per_token}, detail);
  out.imbalance = reuse.imbalance.mean_max;
  return out;
}

Estimate Estimator::estimate(const spec::Layout& layout, Detail detail) const {
  EstimateReuse reuse;
  return estimate(layout, detail, reuse);
}

}  // namespace filigree::plan
