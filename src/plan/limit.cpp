#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "plan/report.h"

/// describe_limit of plan/estimate.h.
namespace filigree::plan {
namespace {

using spec::Layout;
using spec::Overlap;

/// Parts of a step that have one cause, and what would shrink them.
struct Cause {
  std::string name;
  double seconds = 0;
  std::string advice = {};
};

std::string overflow_sentence(const Estimate& e) {
  std::size_t stage = 0;
  for (std::size_t s = 1; s < e.memory.size(); ++s) {
    if (e.memory[s].total() > e.memory[stage].total()) stage = s;
  }
  const StageMemory& m = e.memory[stage];
  struct Kind {
    std::string_view name;
    double bytes;
    std::string_view advice;
  };
  const std::array<Kind, 5> kinds{
      Kind{"weights", m.weights, "raise tp, pp or ep, or shard them with zero=3"},
      Kind{"gradients", m.gradients, "raise tp, pp or ep, or shard them with zero=2"},
      Kind{"optimizer state", m.optimizer, "shard it with zero=1 or set offload_optimizer=true"},
      Kind{"activations", m.activations, "recompute or swap more parts, or lower mbs"},
      Kind{"workspace", m.workspace, "lower mbs or raise tp or cp"}};
  const Kind& largest =
      *std::max_element(kinds.begin(), kinds.end(), [](const Kind& a, const Kind& b) { return a.bytes < b.bytes; });
  return fmt::format("Memory limits it: stage {} needs {:.1f} GiB of {:.1f} GiB, {:.1f} GiB of it {}; {}.", stage,
                     gib(m.total()), gib(e.memory_capacity), gib(largest.bytes), largest.name, largest.advice);
}

std::string exchange_advice(const Layout& layout) {
  if (!layout.overlaps(Overlap::experts)) return "overlap=experts hides it behind another micro-batch";
  if (layout.dispatcher == spec::Dispatcher::all_to_all) return "dispatcher=hierarchical or deduplicated sends less";
  return "a smaller ep sends less between nodes";
}

/// Everything in a step that is not arithmetic of the model.
std::vector<Cause> losses(const Estimate& e, const std::vector<StepPart>& parts) {
  const Layout& l = e.layout;
  const auto module = [&](Module which) { return parts[static_cast<std::size_t>(which)].seconds; };
  const auto after = [&](std::size_t index) { return parts[kModules + index].seconds; };
  const double unbalanced = module(Module::experts) * (1 - 1 / std::max(1.0, e.imbalance));
  return {
      {"waiting for other stages of the pipeline", after(1), "more micro-batches (gbs) or chunks (vpp) shrink it"},
      {"expert communication", module(Module::expert_comm), exchange_advice(l)},
      {"tensor-parallel communication", module(Module::tensor_comm),
       l.overlaps(Overlap::tensor) ? "a smaller tp sends less"
                                   : "overlap=tensor hides part of it, a smaller tp sends less"},
      {"context-parallel communication", module(Module::context_comm),
       l.overlaps(Overlap::context) ? "a smaller cp sends less" : "overlap=context hides part of it"},
      {"recomputation", module(Module::recompute), "fewer recomputed parts, where memory allows"},
      {"swapping", module(Module::swap), "fewer swapped parts"},
      {"kernel launches", module(Module::launch), "a larger mbs or graphs=true gives the host less to do"},
      {"memory-bound small operators", module(Module::elementwise) + module(Module::permute) + module(Module::router),
       l.fused ? "sp and a larger tp spread them over more devices" : "fused=true moves fewer bytes"},
      {"the fullest expert rank", unbalanced, "a better balanced router or expert_placement=true shrinks it"},
      {"sends between stages", after(0), "overlap=pipeline hides them"},
      {"gradient reduction", after(2),
       l.overlaps(Overlap::gradients) ? "a larger gbs reduces less often" : "overlap=gradients hides part of it"},
      {"gathering parameters", after(3),
       l.overlaps(Overlap::parameters) ? "a larger gbs gathers less often" : "overlap=parameters hides part of it"},
      {"the optimizer", after(4), "a larger gbs runs it less often"},
  };
}

}  // namespace

std::string describe_limit(const Estimate& e, const spec::Cluster& cluster) {
  if (!e.fits) return overflow_sentence(e);
  const std::vector<StepPart> parts = step_parts(e);
  double arithmetic = 0;
  for (const Module module : {Module::projections, Module::attention, Module::mamba, Module::dense, Module::experts,
                              Module::shared, Module::head}) {
    arithmetic += parts[static_cast<std::size_t>(module)].seconds;
  }
  const std::vector<Cause> causes = losses(e, parts);
  const Cause& worst = *std::max_element(causes.begin(), causes.end(),
                                         [](const Cause& a, const Cause& b) { return a.seconds < b.seconds; });
  const double share = worst.seconds / e.step_s, work = arithmetic / e.step_s;
  if (share > work) {
    return fmt::format("Not arithmetic ({}) limits it but {} ({} of the step): {}.", percent(work), worst.name,
                       percent(share), worst.advice);
  }
  const std::string first = fmt::format(
      "Arithmetic limits it: matrix products and attention take {} of the step, at {} "
      "of the peak of the {}",
      percent(work), percent(e.mfu / work), cluster.accelerator.name);
  if (share < 0.01) return first + ".";
  return fmt::format("{}; the largest loss beside them is {} ({}): {}.", first, worst.name, percent(share),
                     worst.advice);
}

}  // namespace filigree::plan
