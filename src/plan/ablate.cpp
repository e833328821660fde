#include "plan/ablate.h"

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/overrides.h"
#include "base/text.h"
#include "plan/load_text.h"
#include "plan/report.h"
#include "spec/check.h"
#include "spec/hf_config.h"
#include "spec/layout_text.h"
#include "spec/resolve.h"

namespace filigree::plan {
namespace {

/// A value of a layout key as the command line writes it.
std::string key_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::vector<std::string> parts;
    for (const Json& item : value) parts.push_back(key_text(item));
    return text::join(parts, "+");
  }
  return value.dump();
}

/// Turns numbers, booleans and lists below `key` into the texts that LayoutKeys holds.
void to_texts(Json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_object()) return;
  for (auto& [name, value] : object[key].items()) {
    if (!value.is_object() && !value.is_null()) value = key_text(value);
  }
}

/// One chain of runs: where it starts, what is known of it.
struct Chain {
  const AblationRun& run;
  const spec::Model& model;
  const spec::Cluster& cluster;
  Progress& progress;
};

Estimate run_step(const Chain& chain, const spec::Layout& open, const std::string& load, const std::string& step) {
  try {
    const spec::Layout layout = spec::complete(open, chain.run.devices);
    spec::check(layout, chain.model);
    const Estimator estimator(chain.model, chain.cluster, parse_load(load));
    Estimate estimate = estimator.estimate(layout, Detail::timeline);
    chain.progress.advance();
    return estimate;
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    fail("{}, step '{}': {}", chain.run.name, step, error.what());
  }
}

/// The baseline with `change`, and then every switch; all estimates in order, or only the two ends.
std::vector<AblationStep> run_chain(const Chain& chain, const AblationVariation& change, bool only_ends) {
  spec::Layout layout;
  const std::string where = chain.run.name;
  apply_overrides(layout, chain.run.layout, where + ", layout");
  apply_overrides(layout, change.set, where + ", variation '" + change.name + "'");
  std::string load = change.load.empty() ? chain.run.load : change.load;
  std::vector<AblationStep> steps;
  steps.push_back({"baseline", load, run_step(chain, layout, load, "baseline")});
  for (const AblationSwitch& on : chain.run.steps) {
    if (cancelled()) break;
    apply_overrides(layout, on.set, fmt::format("{}, step '{}'", where, on.name));
    if (!on.load.empty()) load = on.load;
    if (only_ends && &on != &chain.run.steps.back()) continue;
    steps.push_back({on.name, load, run_step(chain, layout, load, on.name)});
  }
  return steps;
}

std::string gib_text(double bytes) { return fmt::format("{:.1f}", gib(bytes)); }

}  // namespace

AblationRun load_ablation(const std::filesystem::path& path) {
  Json json = load_json(path);
  to_texts(json, "layout");
  for (const char* list : {"steps", "variations"}) {
    if (!json.is_object() || !json.contains(list) || !json[list].is_array()) continue;
    for (Json& entry : json[list]) to_texts(entry, "set");
  }
  auto run = from_json<AblationRun>(json, path.string());
  if (run.steps.empty()) fail("{}: steps is empty; name at least one switch", path.string());
  return run;
}

Ablation ablate(const AblationRun& run, ProgressSink* sink) {
  Ablation out;
  out.run = run;
  out.model = spec::load_language_model(run.model);
  out.cluster = load_config<spec::Cluster>(find_recipe("clusters", run.cluster));
  Progress progress(sink, static_cast<std::int64_t>(run.steps.size() + 1 + 2 * run.variations.size()), "ablation");
  const Chain chain{out.run, out.model, out.cluster, progress};
  out.steps = run_chain(chain, {}, false);
  for (const AblationVariation& variation : run.variations) {
    if (cancelled()) break;
    std::vector<AblationStep> ends = run_chain(chain, variation, true);
    out.variations.push_back({variation.name, std::move(ends.front().estimate), std::move(ends.back().estimate)});
  }
  return out;
}

Table ablation_table(const Ablation& ablation) {
  Table table({"switched on", "MFU", "gain", "tokens/s", "a device", "step", "load", "memory, GiB", ""});
  table.align(8, Align::left);
  const Estimate* before = nullptr;
  for (const AblationStep& step : ablation.steps) {
    const Estimate& e = step.estimate;
    const double gain = before == nullptr ? 0 : e.tokens_per_s_per_device / before->tokens_per_s_per_device - 1;
    table.row({before == nullptr ? step.name : "+ " + step.name, percent(e.mfu),
               before == nullptr ? "" : fmt::format("{:+.1f} %", 100 * gain), rate_text(e.tokens_per_s),
               rate_text(e.tokens_per_s_per_device), time_text(e.step_s), fmt::format("{:.2f}", e.imbalance),
               gib_text(e.peak_memory), e.fits ? "" : "does not fit"});
    before = &e;
  }
  return table;
}

Table variation_table(const Ablation& ablation) {
  Table table({"varied", "baseline MFU", "optimised MFU", "ratio", "optimised memory, GiB"});
  const auto row = [&](const std::string& name, const Estimate& first, const Estimate& last) {
    table.row({name, percent(first.mfu), percent(last.mfu), fmt::format("{:.2f}", last.mfu / first.mfu),
               gib_text(last.peak_memory) + (last.fits ? "" : " (does not fit)")});
  };
  row("as above", ablation.steps.front().estimate, ablation.steps.back().estimate);
  for (const VariationResult& v : ablation.variations) row(v.name, v.baseline, v.optimised);
  return table;
}

std::string ablation_text(const Ablation& ablation) {
  const Estimate& first = ablation.steps.front().estimate;
  std::string out = fmt::format("{}: {} on {} × {}\nbaseline  {}\n\n{}", ablation.run.name, ablation.model.name,
                                text::with_thousands(first.layout.devices), ablation.cluster.accelerator.name,
                                spec::short_text(first.layout), ablation_table(ablation).text());
  out += "\ngain: tokens/s over the line before; load: the fullest expert rank over the mean\n";
  if (ablation.run.published) {
    const PublishedRun& published = *ablation.run.published;
    out += fmt::format("published: {} before, {} after ({})\n", percent(published.baseline_mfu),
                       percent(published.optimised_mfu), published.source);
  }
  if (!ablation.variations.empty()) {
    out += "\nHow much the answer moves with what no source states\n" + variation_table(ablation).text();
  }
  if (!ablation.run.assumptions.empty()) out += "\nAssumed\n";
  for (const std::string& assumption : ablation.run.assumptions) out += "  " + assumption + "\n";
  return out + fmt::format("\n{}.\n", mfu_definition(first.layout, ablation.cluster));
}

Json ablation_json(const Ablation& ablation) {
  const auto numbers = [](const Estimate& e) {
    Json json;
    json["mfu"] = e.mfu;
    json["tokens_per_s"] = e.tokens_per_s;
    json["tokens_per_s_per_device"] = e.tokens_per_s_per_device;
    json["step_ms"] = 1e3 * e.step_s;
    json["bubble_fraction"] = e.bubble_fraction;
    json["exposed_comm_fraction"] = e.exposed_comm_fraction;
    json["load_imbalance"] = e.imbalance;
    json["peak_memory_gib"] = gib(e.peak_memory);
    json["fits"] = e.fits;
    return json;
  };
  Json json;
  json["name"] = ablation.run.name;
  json["model"] = ablation.model.name;
  json["cluster"] = ablation.cluster.name;
  json["devices"] = ablation.steps.front().estimate.layout.devices;
  json["mfu_definition"] = mfu_definition(ablation.steps.front().estimate.layout, ablation.cluster);
  json["steps"] = Json::array();
  for (const AblationStep& step : ablation.steps) {
    Json entry;
    entry["name"] = step.name;
    entry.update(numbers(step.estimate));
    const Estimate& before = json["steps"].empty() ? step.estimate : ablation.steps[json["steps"].size() - 1].estimate;
    entry["gain"] = step.estimate.tokens_per_s_per_device / before.tokens_per_s_per_device - 1;
    entry["load"] = step.load;
    entry["layout"] = spec::short_text(step.estimate.layout);
    json["steps"].push_back(std::move(entry));
  }
  json["variations"] = Json::array();
  for (const VariationResult& variation : ablation.variations) {
    Json entry;
    entry["name"] = variation.name;
    entry["baseline"] = numbers(variation.baseline);
    entry["optimised"] = numbers(variation.optimised);
    json["variations"].push_back(std::move(entry));
  }
  json["assumptions"] = ablation.run.assumptions;
  if (ablation.run.published) json["published"] = to_json(*ablation.run.published);
  return json;
}

Waterfall ablation_plot(const Ablation& ablation) {
  Waterfall plot;
  plot.title = fmt::format("{}: what each optimisation gains", ablation.run.name);
  if (ablation.run.published) {
    plot.subtitle = fmt::format("published: {} before, {} after", percent(ablation.run.published->baseline_mfu),
                                percent(ablation.run.published->optimised_mfu));
  }
  plot.x_label = "MFU, %";
  plot.start_label = "baseline";
  plot.end_label = "all switched on";
  plot.less_is_better = false;
  plot.start = 100 * ablation.steps.front().estimate.mfu;
  for (std::size_t i = 1; i < ablation.steps.size(); ++i) {
    const double change = ablation.steps[i].estimate.mfu - ablation.steps[i - 1].estimate.mfu;
    plot.steps.push_back({ablation.steps[i].name, 100 * change});
  }
  return plot;
}

}  // namespace filigree::plan
