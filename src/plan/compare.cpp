#include "plan/compare.h"

#include <algorithm>

#include "base/error.h"
#include "base/lines.h"
#include "base/table.h"
#include "plan/report.h"
#include "spec/check.h"
#include "spec/hf_config.h"
#include "spec/resolve.h"

namespace filigree::plan {
namespace {

namespace fs = std::filesystem;

template <class T>
T setting(const Json& json, const char* key, T standard, const std::string& where) {
  if (!json.is_object() || !json.contains(key)) return standard;
  T value = standard;
  detail::read_value(json[key], value, any_value, where, key);
  return value;
}

/// The run's settings as a layout of one device.
spec::Layout layout_of(const Json& settings, const std::string& where) {
  spec::Layout layout;
  layout.mbs = setting<std::int64_t>(settings, "batch", 1, where);
  layout.gbs = layout.mbs * setting<std::int64_t>(settings, "micro_batches", 1, where);
  layout.seq = setting<std::int64_t>(settings, "sequence", 1, where);
  layout.capacity_factor = setting(settings, "capacity_factor", 0.0, where);
  const auto dtype = setting<std::string>(settings, "dtype", "float32", where);
  const bool wide = dtype == "float32" || dtype == "float64";
  const spec::Dtype type = wide ? spec::Dtype::fp32 : dtype == "float16" ? spec::Dtype::fp16 : spec::Dtype::bf16;
  layout.dtype = layout.activation_dtype = layout.parameter_dtype = layout.gradient_dtype = type;
  layout.optimizer_bytes = wide ? 8 : 16;  // two moments; with masters and sums of gradients in float32
  const bool cpu = setting<std::string>(settings, "device", "cpu", where) == "cpu";
  layout.fused = false;
  layout.flash_attention = !cpu;
  layout.cross_entropy_fused = false;
  for (const auto& part : setting<std::vector<std::string>>(settings, "recompute", {}, where)) {
    if (part == "layer") layout.recompute.push_back(spec::Part::layer);
    if (part == "attention") layout.recompute.push_back(spec::Part::attention);
    if (part == "feed_forward") layout.recompute.push_back(spec::Part::experts);
  }
  return layout;
}

/// Seconds of each step.
std::vector<double> step_seconds(const fs::path& file) {
  std::vector<double> seconds;
  for (const TextLine& line : read_lines(file)) {
    if (!line.ended) continue;  // cut
    const Json json = parse_json(line.text, line.where);
    if (json.is_object() && json.contains("seconds")) seconds.push_back(setting(json, "seconds", 0.0, line.where));
  }
  if (seconds.empty()) fail("{}: holds no measured step; the run has to do some first", file.string());
  return seconds;
}

}  // namespace

Comparison compare_run(const fs::path& run) {
  const fs::path settings_file = run / "resolved.json";
  if (!fs::exists(settings_file)) {
    fail("{}: holds no run; a run is a folder with resolved.json, as training makes it", run.string());
  }
  const Json settings = load_json(settings_file);
  Comparison out;
  out.run = run.string();
  out.cluster = load_config<spec::Cluster>(run / "device.json");
  const fs::path model_file = run / "model.json";
  const spec::Model model = spec::model_from_json(load_json(model_file), model_file.string());
  // A model folder is called "model"; the settings know what it is of.
  out.model = fs::path(setting<std::string>(settings, "model", model.name, settings_file.string())).stem().string();
  const spec::Layout layout = spec::complete(layout_of(settings, settings_file.string()), 1);
  out.estimate = Estimator(model, out.cluster).estimate(layout, Detail::timeline);
  std::vector<double> seconds = step_seconds(run / "metrics.jsonl");
  seconds.erase(seconds.begin(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 10));
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) {
    return seconds[static_cast<std::size_t>(share * static_cast<double>(seconds.size() - 1))];
  };
  out.steps = static_cast<std::int64_t>(seconds.size());
  out.measured_s = at(0.5);
  out.fastest_s = at(0.1);
  out.slowest_s = at(0.9);
  return out;
}

std::string comparison_text(const Comparison& c) {
  const double tokens = c.estimate.tokens_per_s * c.estimate.step_s;
  const double peak = c.cluster.accelerator.peak_tflops.begin()->second * 1e12;
  const auto mfu = [&](double seconds) { return tokens * c.estimate.model_flops_per_token / seconds / peak; };
  Table table({"", "predicted", "measured", "difference"});
  const auto sign = [](double fraction) { return fmt::format("{:+.1f} %", 100 * fraction); };
  table.row({"step", time_text(c.estimate.step_s), time_text(c.measured_s), sign(c.error())});
  table.row({"tokens/s", fmt::format("{:.0f}", c.estimate.tokens_per_s), fmt::format("{:.0f}", tokens / c.measured_s),
             sign(1 / (1 + c.error()) - 1)});
  table.row({"MFU", percent(mfu(c.estimate.step_s)), percent(mfu(c.measured_s)), ""});
  std::string out = fmt::format("{} on {}: {} steps, nine of ten between {} and {}\n\n", c.model, c.cluster.name,
                                c.steps, time_text(c.fastest_s), time_text(c.slowest_s));
  out += table.text() + "\nThe predicted step:\n" + part_table(c.estimate).text();
  out += fmt::format(
      "\nMFU is against the matrix products of this device, {:.3g} TFLOP/s, measured when the run began, as were\n"
      "its memory ({:.3g} GB/s) and the fixed cost of an operator ({:.2g} us).\n",
      peak / 1e12, c.cluster.accelerator.memory_gb_s, c.cluster.accelerator.kernel_us);
  return out;
}

Json comparison_json(const Comparison& c) {
  Json json;
  json["run"] = c.run;
  json["model"] = c.model;
  json["steps"] = c.steps;
  json["predicted_ms"] = 1e3 * c.estimate.step_s;
  json["measured_ms"] = 1e3 * c.measured_s;
  json["measured_ms_p10"] = 1e3 * c.fastest_s;
  json["measured_ms_p90"] = 1e3 * c.slowest_s;
  json["error"] = c.error();
  json["estimate"] = estimate_json(c.estimate, c.cluster);
  return json;
}

}  // namespace filigree::plan
