#include "dynamics/dysts_bench.h"

#include <chrono>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "dynamics/metrics.h"

namespace filigree::dynamics {

DystsScore dysts_bench(const DystsSeries& context, const DystsSeries& truth, AutoOptions options, ProgressSink* sink) {
  DystsScore score;
  std::vector<double> values;
  Progress progress(sink, static_cast<std::int64_t>(truth.size()), "series");
  for (const auto& [system, future] : truth) {
    if (cancelled() && !values.empty()) break;
    const auto past = context.find(system);
    if (past == context.end()) fail("system {} has a truth but no context", system);
    if (future.size() < 2) fail("the truth of system {} has {} samples; at least 2 are needed", system, future.size());
    options.horizon = static_cast<std::int64_t>(future.size());
    const auto start = std::chrono::steady_clock::now();
    const AutoForecast forecast = auto_forecast(past->second, options);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    const Eigen::Index scored = static_cast<Eigen::Index>(future.size()) - 1;
    const double value = smape(forecast.forecast.head(scored), Eigen::Map<const Vector>(future.data(), scored));
    const AutoCandidate& best = forecast.ranking.front();
    score.rows.push_back({system, value, best.method, best.settings, forecast.confidence.smape_median, took.count()});
    score.seconds += took.count();
    score.mean += value;
    values.push_back(value);
    progress.advance();
  }
  if (values.empty()) fail("there is no system to score");
  score.mean /= static_cast<double>(values.size());
  score.median = median(std::move(values));
  return score;
}

std::pair<DystsSeries, DystsSeries> dysts_hold_back(const DystsSeries& series, std::size_t horizon) {
  std::pair<DystsSeries, DystsSeries> result;
  for (const auto& [system, values] : series) {
    if (values.size() <= horizon) {
      fail("the series of system {} has {} samples; more than {} are needed", system, values.size(), horizon);
    }
    const auto cut = values.end() - static_cast<std::ptrdiff_t>(horizon);
    result.first[system].assign(values.begin(), cut);
    result.second[system].assign(cut, values.end());
  }
  return result;
}

}  // namespace filigree::dynamics
