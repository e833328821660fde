#include "plan/report.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"
#include "plan/layer.h"
#include "spec/layout_text.h"

namespace filigree::plan {
namespace {

std::string gib_text(double bytes) { return fmt::format("{:.1f}", gib(bytes)); }

/// Eight eighths of a cell a column, so that shares can be compared by eye.
std::string share_bar(double share) {
  static constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * 20 * 8));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + std::string(kEighths[eighths % 8]);
}

Json memory_json(const StageMemory& m) {
  Json json;
  json["weights"] = gib(m.weights);
  json["gradients"] = gib(m.gradients);
  json["optimizer"] = gib(m.optimizer);
  json["activations"] = gib(m.activations);
  json["workspace"] = gib(m.workspace);
  json["context"] = gib(m.context);
  json["total"] = gib(m.total());
  return json;
}

}  // namespace

double gib(double bytes) { return bytes / kGib; }

std::string time_text(double seconds) {
  if (std::abs(seconds) >= 10) return fmt::format("{:.2f} s", seconds);
  const double ms = 1e3 * seconds;
  if (std::abs(ms) >= 1000) return text::with_thousands(std::llround(ms)) + " ms";
  return fmt::format("{:.{}f} ms", ms, std::abs(ms) >= 100 ? 0 : std::abs(ms) >= 10 ? 1 : 2);
}

std::string ms_text(double seconds) {
  const double ms = 1e3 * seconds;
  return std::abs(ms) >= 1000 ? text::with_thousands(std::llround(ms)) : fmt::format("{:.1f}", ms);
}

std::string percent(double fraction) { return fmt::format("{:.1f} %", 100 * fraction); }

std::string rate_text(double value) {
  const auto three_digits = [](double x) { return fmt::format("{:.{}f}", x, x >= 100 ? 0 : x >= 10 ? 1 : 2); };
  if (value >= 1e9) return three_digits(value / 1e9) + " G";
  if (value >= 1e5) return three_digits(value / 1e6) + " M";
  if (value >= 1e3) return text::with_thousands(std::llround(value));
  return three_digits(value);
}

std::string mfu_definition(const spec::Layout& layout, const spec::Cluster& cluster) {
  const spec::Accelerator& device = cluster.accelerator;
  const std::string dtype(spec::dtype_name(layout.dtype));
  const auto peak = device.peak_tflops.find(dtype);
  return fmt::format(
      "MFU = model FLOPs per token × tokens/s per device / dense {} peak ({} TFLOP/s on {}); model FLOPs = 3 × "
      "forward, "
      "counting matrix products and the attention scores that are needed (half where it is causal), without "
      "recomputation",
      dtype, peak == device.peak_tflops.end() ? 0.0 : peak->second, device.name);
}

std::vector<StepPart> step_parts(const Estimate& estimate) {
  std::vector<StepPart> parts;
  double modules = 0;
  for (std::size_t i = 0; i < kModules; ++i) {
    parts.push_back({module_name(static_cast<Module>(i)), estimate.modules[i]});
    modules += estimate.modules[i];
  }
  const StageResult& stage = estimate.timeline.stages[estimate.slowest_stage];
  // Modules are counted as in steady state; while the pipeline fills and drains nothing hides the exchange.
  const double unhidden = stage.busy - modules;
  const bool exchanges = estimate.modules[static_cast<std::size_t>(Module::expert_comm)] > 0 ||
                         estimate.layout.overlaps(spec::Overlap::experts);
  parts[static_cast<std::size_t>(exchanges ? Module::expert_comm : Module::launch)].seconds += unhidden;
  parts.push_back({"sends between stages", stage.sending});
  parts.push_back({"waiting for other stages", estimate.pipeline_s - stage.busy - stage.sending});
  parts.push_back({"gradient reduction", estimate.gradients_s});
  parts.push_back({"parameter gathering", estimate.parameters_s});
  parts.push_back({"optimizer", estimate.optimizer_s});
  parts.push_back({"step overhead", estimate.overhead_s});
  return parts;
}

Table part_table(const Estimate& estimate) {
  std::vector<StepPart> parts = step_parts(estimate);
  std::stable_sort(parts.begin(), parts.end(),
                   [](const StepPart& a, const StepPart& b) { return a.seconds > b.seconds; });
  Table table({"part of the step", "ms", "share", ""});
  table.align(3, Align::left);
  for (const StepPart& part : parts) {
    const double share = part.seconds / estimate.step_s;
    if (share < 5e-5) continue;
    table.row({std::string(part.name), ms_text(part.seconds), percent(share), share_bar(share)});
  }
  table.rule().row({"step", ms_text(estimate.step_s), percent(1), ""});
  return table;
}

Table memory_table(const Estimate& estimate) {
  Table table({"stage", "weights", "gradients", "optimizer", "activations", "workspace", "runtime", "total",
               fmt::format("of {} GiB", gib_text(estimate.memory_capacity))});
  for (std::size_t stage = 0; stage < estimate.memory.size(); ++stage) {
    const StageMemory& m = estimate.memory[stage];
    table.row({fmt::format("{}", stage), gib_text(m.weights), gib_text(m.gradients), gib_text(m.optimizer),
               gib_text(m.activations), gib_text(m.workspace), gib_text(m.context), gib_text(m.total()),
               percent(m.total() / estimate.memory_capacity)});
  }
  return table;
}

Json estimate_json(const Estimate& estimate, const spec::Cluster& cluster) {
  Json json;
  json["step_ms"] = 1e3 * estimate.step_s;
  json["tokens_per_s"] = estimate.tokens_per_s;
  json["tokens_per_s_per_device"] = estimate.tokens_per_s_per_device;
  json["mfu"] = estimate.mfu;
  json["mfu_definition"] = mfu_definition(estimate.layout, cluster);
  json["model_flops_per_token"] = estimate.model_flops_per_token;
  json["bubble_fraction"] = estimate.bubble_fraction;
  json["exposed_comm_fraction"] = estimate.exposed_comm_fraction;
  json["load_imbalance"] = estimate.imbalance;
  json["micro_batches"] = estimate.micro_batches;
  json["slowest_stage"] = estimate.slowest_stage;
  json["fits"] = estimate.fits;
  json["limit"] = describe_limit(estimate, cluster);
  json["memory_capacity_gib"] = gib(estimate.memory_capacity);
  json["peak_memory_gib"] = Json::array();
  json["memory_gib"] = Json::array();
  for (const StageMemory& memory : estimate.memory) {
    json["peak_memory_gib"].push_back(gib(memory.total()));
    json["memory_gib"].push_back(memory_json(memory));
  }
  json["parts_ms"] = Json::object();
  for (const StepPart& part : step_parts(estimate)) json["parts_ms"][std::string(part.name)] = 1e3 * part.seconds;
  json["modules_ms"] = Json::object();
  for (std::size_t i = 0; i < kModules; ++i) {
    json["modules_ms"][std::string(module_name(static_cast<Module>(i)))] = 1e3 * estimate.modules[i];
  }
  json["layout"] = to_json(estimate.layout);
  json["layout_text"] = spec::short_text(estimate.layout);
  return json;
}

std::string estimate_text(const Estimate& e, const spec::Cluster& cluster) {
  const double tokens = static_cast<double>(e.layout.gbs * e.layout.seq);
  std::size_t peak_stage = 0;
  for (std::size_t s = 1; s < e.memory.size(); ++s) {
    if (e.memory[s].total() > e.memory[peak_stage].total()) peak_stage = s;
  }
  std::string out;
  const auto line = [&out](std::string_view name, const std::string& value) {
    out += fmt::format("{:<24}{}\n", name, value);
  };
  line("layout", spec::short_text(e.layout));
  line("step", fmt::format("{} for {} tokens ({} sequences of {}) in {} micro-batches", time_text(e.step_s),
                           rate_text(tokens), text::with_thousands(e.layout.gbs), text::with_thousands(e.layout.seq),
                           text::with_thousands(e.micro_batches)));
  line("rate", fmt::format("{} tokens/s, {} tokens/s a device", rate_text(e.tokens_per_s),
                           rate_text(e.tokens_per_s_per_device)));
  line("MFU", percent(e.mfu));
  line("pipeline bubble", fmt::format("{} of the step, over all stages", percent(e.bubble_fraction)));
  line("exposed communication", fmt::format("{} of the step, on the slowest stage", percent(e.exposed_comm_fraction)));
  if (e.imbalance > 1) line("load imbalance", fmt::format("the fullest device has {:.2f} times the mean", e.imbalance));
  line("memory", fmt::format("{} of {} GiB on stage {}{}", gib_text(e.peak_memory), gib_text(e.memory_capacity),
                             peak_stage, e.fits ? "" : ": IT DOES NOT FIT"));
  out += fmt::format("\n{}\n", describe_limit(e, cluster));
  out += fmt::format("\nTime, on the slowest stage ({})\n{}", e.slowest_stage, part_table(e).text());
  out += fmt::format("\nMemory, GiB\n{}", memory_table(e).text());
  out += fmt::format("\n{}.\n", mfu_definition(e.layout, cluster));
  return out;
}

BarChart memory_chart(const Estimate& e, const std::string& title) {
  BarChart chart;
  chart.title = title;
  chart.subtitle = fmt::format("a device has {} GiB; {}", gib_text(e.memory_capacity),
                               e.fits ? "every stage fits" : "it does not fit");
  chart.x_label = "memory of a device, GiB";
  chart.kinds = {{"weights"}, {"gradients"}, {"optimizer"}, {"activations"}, {"workspace"}, {"runtime", "#9AA4AE"}};
  for (std::size_t stage = 0; stage < e.memory.size(); ++stage) {
    const StageMemory& m = e.memory[stage];
    chart.rows.push_back({.label = fmt::format("stage {}", stage),
                          .parts = {gib(m.weights), gib(m.gradients), gib(m.optimizer), gib(m.activations),
                                    gib(m.workspace), gib(m.context)},
                          .text = gib_text(m.total())});
  }
  chart.x_range = {.low = 0, .high = gib(std::max(e.memory_capacity, e.peak_memory))};
  return chart;
}

TimelineView timeline_view(const Estimate& e, const std::string& title) {
  TimelineView view;
  view.title = title;
  view.subtitle = fmt::format("step {}, MFU {}, bubble {}: {}", time_text(e.step_s), percent(e.mfu),
                              percent(e.bubble_fraction), spec::short_text(e.layout));
  for (const StageMemory& memory : e.memory) view.held_bytes.push_back(memory.total() - memory.activations);
  view.capacity_bytes = e.memory_capacity;
  return view;
}

}  // namespace filigree::plan
