#include <algorithm>
#include <chrono>
#include <map>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/csv.h"
#include "base/error.h"
#include "base/gzip.h"
#include "base/text.h"
#include "dynamics/bench.h"
#include "dynamics/dysts_bench.h"
#include "dynamics/metrics.h"

namespace filigree::dynamics {
namespace {

namespace fs = std::filesystem;

DystsSeries read_series(const fs::path& path) {
  const Json json = parse_json(read_unpacked(path), path.string());
  DystsSeries series;
  if (!json.is_object()) fail("{}: must be an object of series by system", path.string());
  for (const auto& [system, values] : json.items()) {
    std::vector<double>& numbers = series[system];
    if (!values.is_array()) fail("{}: {} must be a list of numbers", path.string(), system);
    for (const Json& value : values) {
      if (!value.is_number()) fail("{}: {} must be a list of numbers, not {}", path.string(), system, value.dump());
      numbers.push_back(value.get<double>());
    }
  }
  return series;
}

/// Published scores: by model, and by system.
using Scores = std::map<std::string, double>;
using Published = std::map<std::string, Scores>;

/// The least; 200, which sMAPE cannot exceed, of none.
double best_of(const Scores& scores) {
  double best = 200;
  for (const auto& [model, value] : scores) best = std::min(best, value);
  return best;
}

Published read_published(const fs::path& path) {
  const Csv csv = read_csv(path);
  Published published;
  for (std::size_t i = 0; i < csv.num_rows(); ++i) {
    for (const std::string& model : csv.header) {
      if (model != "system") published[csv.text(i, "system")][model] = csv.number(i, model);
    }
  }
  return published;
}

/// Medians of every published model over the systems that it and we have scores of, best first.
std::vector<std::pair<double, std::string>> published_medians(const DystsScore& score, const Published& published) {
  std::map<std::string, std::vector<double>> values;
  for (const DystsRow& row : score.rows) {
    const auto found = published.find(row.system);
    if (found == published.end()) continue;
    for (const auto& [model, value] : found->second) values[model].push_back(value);
    values["the best of them for each system, in hindsight"].push_back(best_of(found->second));
  }
  std::vector<std::pair<double, std::string>> medians;
  for (const auto& [model, list] : values) medians.emplace_back(median(list), model);
  std::sort(medians.begin(), medians.end());
  return medians;
}

Table system_table(const DystsScore& score, const Published& published) {
  Table table({"system", "sMAPE", "expected", "N-BEATS", "best of 16", "chosen first", "seconds"});
  table.align(5, Align::left);
  for (const DystsRow& row : score.rows) {
    std::string beats = "-", best = "-";
    if (const auto found = published.find(row.system); found != published.end()) {
      if (found->second.contains("NBEATSModel")) beats = fmt::format("{:.1f}", found->second.at("NBEATSModel"));
      best = fmt::format("{:.1f}", best_of(found->second));
    }
    table.row({row.system, fmt::format("{:.2f}", row.smape), fmt::format("{:.2f}", row.expected), beats, best,
               row.method, fmt::format("{:.2f}", row.seconds)});
  }
  return table;
}

/// Seconds that the contexts without a truth take.
double time_others(const DystsSeries& context, const DystsSeries& truth, const AutoOptions& options,
                   ProgressSink* sink) {
  Progress progress(sink, static_cast<std::int64_t>(context.size() - truth.size()), "series without a truth");
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& [system, series] : context) {
    if (truth.contains(system) || cancelled()) continue;
    auto_forecast(series, options);
    progress.advance();
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

BenchPart bench_dysts(const BenchSettings& settings) {
  BenchPart part{"dysts", "Forecasts of chaotic series (dysts, univariate)"};
  DystsSeries context = read_series(settings.data / "dysts_test_context.json.gz");
  const fs::path whole = settings.data / "dysts_test_truth.json.gz";
  DystsSeries truth = read_series(fs::exists(whole) ? whole : settings.data / "dysts_test_truth_dev.json.gz");
  const Published published = read_published(settings.data / "dysts_published_smape.csv");
  if (settings.quick) {
    while (truth.size() > 5) truth.erase(std::prev(truth.end()));
    std::erase_if(context, [&](const auto& entry) { return !truth.contains(entry.first); });
  }
  AutoOptions options;
  options.threads = settings.threads;
  const DystsScore score = dysts_bench(context, truth, options, settings.progress);
  const double all_seconds = score.seconds + time_others(context, truth, options, settings.progress);
  part.tables.push_back(
      {"sMAPE of the next 199 samples after 1,000; `expected` is what the forecast said of itself, from "
       "parts of its 1,000 that it held out.",
       system_table(score, published)});
  Table medians({"model", "median sMAPE"});
  medians.row({"filigree dynamics forecast, method auto", fmt::format("{:.1f}", score.median)});
  for (const auto& [value, model] : published_medians(score, published)) {
    medians.row({model, fmt::format("{:.1f}", value)});
  }
  part.tables.push_back({"Medians over these systems; published models are those of dysts 0.86.", medians});
  std::int64_t won = 0, compared = 0;
  for (const DystsRow& row : score.rows) {
    const auto found = published.find(row.system);
    if (found == published.end()) continue;
    ++compared;
    won += best_of(found->second) > row.smape;
    part.figures["systems"][row.system] = row.smape;
  }
  part.notes.push_back(fmt::format("Better than all 16 published models in {} of {} systems. Mean sMAPE {:.1f}.", won,
                                   compared, score.mean));
  part.notes.push_back(
      fmt::format("{} series took {:.1f} s on {} threads.", context.size(), all_seconds, settings.threads));
  part.figures["median"] = score.median;
  part.figures["mean"] = score.mean;
  part.figures["seconds"] = all_seconds;
  part.targets = {{"dysts, median sMAPE of `auto`", "≤ 20", fmt::format("{:.1f}", score.median), score.median <= 20},
                  {fmt::format("`auto` over {} series on {} threads", context.size(), settings.threads), "≤ 120 s",
                   fmt::format("{:.1f} s", all_seconds), all_seconds <= 120}};
  return part;
}

}  // namespace filigree::dynamics
