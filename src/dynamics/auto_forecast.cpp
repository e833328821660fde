#include "dynamics/auto_forecast.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <functional>
#include <numbers>
#include <numeric>
#include <optional>
#include <thread>

#include "base/error.h"
#include "dynamics/auto_candidates.h"
#include "dynamics/metrics.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

constexpr Index longest_series = 20000;
constexpr Index most_folds = 7;

void check(std::span<const double> series, const AutoOptions& options) {
  if (options.horizon < 1) fail("the horizon must be at least 1 sample, not {}", options.horizon);
  if (options.combine < 1) fail("combine must be at least 1 candidate, not {}", options.combine);
  if (options.methods.empty()) fail("no method is named; known are {}", fmt::join(auto_methods(), ", "));
  for (const std::string& method : options.methods) {
    if (std::find(auto_methods().begin(), auto_methods().end(), method) == auto_methods().end()) {
      fail("method {} cannot be chosen from; known are {}", method, fmt::join(auto_methods(), ", "));
    }
  }
  if (series.empty()) fail("the series is empty; at least {} samples are needed", auto_least_samples);
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (!std::isfinite(series[i])) {
      fail("sample {} of the series is not a finite number; fill or remove such samples first", i + 1);
    }
  }
  if (static_cast<std::int64_t>(series.size()) < auto_least_samples) {
    fail("the series has {} samples; at least {} are needed", series.size(), auto_least_samples);
  }
  const auto [low, high] = std::minmax_element(series.begin(), series.end());
  if (*low == *high) fail("the series is constant ({}); there is nothing to learn from it", *low);
}

/// The parts that are held out.
struct Folds {
  Index length = 0;
  std::vector<Index> origins;  ///< first sample of each, latest first
};

Folds make_folds(Index samples, Index horizon) {
  Folds folds;
  folds.length = std::min(horizon, samples / 5);
  const Index earliest = samples / 5;
  const Index stride = std::max<Index>({1, folds.length / 2, (samples - folds.length - earliest) / (most_folds - 1)});
  for (Index origin = samples - folds.length; origin >= earliest; origin -= stride) {
    if (static_cast<Index>(folds.origins.size()) == most_folds) break;
    folds.origins.push_back(origin);
  }
  return folds;
}

double quantile(std::vector<double> values, double part) {
  FILIGREE_ASSERT(!values.empty());
  const auto position = static_cast<Index>(std::ceil(part * static_cast<double>(values.size()))) - 1;
  const auto place = values.begin() + std::clamp<Index>(position, 0, static_cast<Index>(values.size()) - 1);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

/// The geometric mean of two measures of the time scale in samples: two crossings of the median make a period, and a
/// sine's is 2π · deviation / deviation of its increments, which is shorter where there are spikes; 1.25 brings their
/// typical values together.
double estimate_period(const Matrix& column, double deviation) {
  const Index samples = column.rows();
  const double steps = spread(column.bottomRows(samples - 1) - column.topRows(samples - 1));
  const double length = static_cast<double>(samples);
  const double smooth = steps > 0 ? std::min(length, 1.25 * 2 * std::numbers::pi * deviation / steps) : length;
  const double middle = quantile({column.data(), column.data() + samples}, 0.5);
  Index crossings = 0;
  for (Index i = 1; i < samples; ++i) crossings += (column(i, 0) < middle) != (column(i - 1, 0) < middle);
  return std::sqrt(smooth * 2 * length / static_cast<double>(std::max<Index>(1, crossings)));
}

Dataset as_dataset(const Matrix& column) {
  Dataset data{{"x"}, {}, 1, {}};
  data.runs.push_back({column});
  return data;
}

/// What is before and after the part, as two runs: then no window touches it.
Dataset without_part(const Matrix& column, Index origin, Index length) {
  Dataset data{{"x"}, {}, 1, {}};
  data.runs.push_back({column.topRows(origin)});
  if (origin + length < column.rows()) data.runs.push_back({column.bottomRows(column.rows() - origin - length)});
  return data;
}

/// A candidate's forecasts of all parts.
struct Trial {
  AutoCandidate result;
  std::vector<Vector> forecasts;
};

std::optional<Trial> try_candidate(const Candidate& candidate, const Matrix& column, const Folds& folds, double limit) {
  Trial trial{{candidate.method, candidate.settings, 0, 0, 0, {}}, {}};
  std::vector<double> valid;
  double logarithms = 0;
  for (const Index origin : folds.origins) {
    Vector forecast;
    try {
      const ModelPtr model = candidate.fit(without_part(column, origin, folds.length));
      forecast = model->forecast(column.topRows(origin), folds.length).col(0);
    } catch (const Error&) {
      return std::nullopt;  // too little data for these settings: others take its place
    }
    if (!forecast.allFinite()) return std::nullopt;
    const auto truth = column.middleRows(origin, folds.length);
    const double score = smape(forecast, truth);
    trial.result.fold_smape.push_back(score);
    logarithms += std::log1p(score);
    valid.push_back(static_cast<double>(valid_samples(forecast, truth, limit)));
    trial.forecasts.push_back(std::move(forecast));
  }
  const double count = static_cast<double>(folds.origins.size());
  trial.result.score = std::expm1(logarithms / count);
  trial.result.smape = std::accumulate(trial.result.fold_smape.begin(), trial.result.fold_smape.end(), 0.0) / count;
  std::nth_element(valid.begin(), valid.begin() + static_cast<Index>(valid.size() / 2), valid.end());
  trial.result.valid = valid[valid.size() / 2];
  return trial;
}

/// work(i) for all i, shared out to threads. The first exception by number is thrown again.
void for_each(std::size_t count, std::int64_t threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::exception_ptr> failures(count);
  const auto loop = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    }
  };
  const std::size_t workers =
      threads > 0 ? static_cast<std::size_t>(threads) : std::max(1U, std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min(workers, count); ++i) helpers.emplace_back(loop);
    loop();
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

Vector median_of(const std::vector<const Vector*>& forecasts) {
  Vector result(forecasts.front()->size());
  std::vector<double> values(forecasts.size());
  for (Index i = 0; i < result.size(); ++i) {
    for (std::size_t j = 0; j < forecasts.size(); ++j) values[j] = (*forecasts[j])[i];
    result[i] = median(values);
  }
  return result;
}

/// The combination's forecasts of the held-out parts, and what they say of its errors.
void assess(const std::vector<Trial>& trials, const Matrix& column, const Folds& folds, const AutoOptions& options,
            AutoForecast& result) {
  constexpr Index pooled = 10;  // samples on either side whose errors are taken together: seven folds are few
  std::vector<Vector> errors;
  std::vector<double> scores, valid;
  AutoConfidence& confidence = result.confidence;
  confidence.spread = spread(column);
  for (std::size_t fold = 0; fold < folds.origins.size(); ++fold) {
    std::vector<const Vector*> members;
    for (std::int64_t i = 0; i < result.combined; ++i) {
      members.push_back(&trials[static_cast<std::size_t>(i)].forecasts[fold]);
    }
    const Vector forecast = median_of(members);
    const Vector truth = column.middleRows(folds.origins[fold], folds.length);
    scores.push_back(smape(forecast, truth));
    valid.push_back(static_cast<double>(valid_samples(forecast, truth, confidence.spread / 2)));
    errors.push_back((forecast - truth).cwiseAbs());
  }
  confidence.folds = static_cast<std::int64_t>(folds.origins.size());
  confidence.fold_length = folds.length;
  confidence.smape_median = quantile(scores, 0.5);
  confidence.smape_low = quantile(scores, 0);
  confidence.smape_high = quantile(scores, 1);
  confidence.valid_median = static_cast<std::int64_t>(quantile(valid, 0.5));
  confidence.valid_low = static_cast<std::int64_t>(quantile(valid, 0));
  result.band.resize(options.horizon);
  double widest = 0;
  for (Index i = 0; i < options.horizon; ++i) {
    if (i < folds.length) {
      std::vector<double> near;
      const Index first = std::max<Index>(0, i - pooled), last = std::min(folds.length, i + pooled + 1);
      for (const Vector& error : errors) near.insert(near.end(), error.begin() + first, error.begin() + last);
      widest = std::max(widest, quantile(std::move(near), options.confidence));
    }
    result.band[i] = widest;
  }
}

void state(const AutoOptions& options, AutoForecast& result) {
  const AutoConfidence& sure = result.confidence;
  const AutoCandidate& best = result.ranking.front();
  std::vector<std::string>& lines = result.statement;
  lines.push_back(
      fmt::format("{} candidates forecast {} held-out parts of {} samples each; the forecast is the median of "
                  "the best {}, sample by sample.",
                  result.ranking.size(), sure.folds, sure.fold_length, result.combined));
  lines.push_back(fmt::format("The best one is {} ({}), with a mean sMAPE of {:.1f} over the parts.", best.method,
                              best.settings, best.smape));
  for (const AutoCandidate& other : result.ranking) {
    if (other.method == best.method) continue;
    lines.push_back(
        fmt::format("The best of another method is {} ({}), with {:.1f}.", other.method, other.settings, other.smape));
    break;
  }
  lines.push_back(
      fmt::format("On the held-out parts the combination had a median sMAPE of {:.1f} ({:.1f} to {:.1f}) and "
                  "stayed within half the spread for {} samples (least: {}).",
                  sure.smape_median, sure.smape_low, sure.smape_high, sure.valid_median, sure.valid_low));
  if (sure.valid_low < sure.fold_length) {
    lines.push_back(fmt::format("Beyond about {} samples the forecast should not be relied on.", sure.valid_low));
  }
  if (options.horizon > sure.fold_length) {
    lines.push_back(
        fmt::format("Nothing is known of its errors beyond {} samples: the series is too short to hold out more.",
                    sure.fold_length));
  }
}

}  // namespace

AutoForecast auto_forecast(std::span<const double> series, const AutoOptions& options) {
  check(series, options);
  const Index samples = std::min(static_cast<Index>(series.size()), longest_series);
  const Matrix column =
      Eigen::Map<const Vector>(series.data() + (static_cast<Index>(series.size()) - samples), samples);
  const double deviation = spread(column);
  const double period = estimate_period(column, deviation);
  const Folds folds = make_folds(samples, options.horizon);
  const std::vector<Candidate> candidates = auto_candidates(options.methods, period, samples, samples / 6);

  std::vector<std::optional<Trial>> tried(candidates.size());
  for_each(candidates.size(), options.threads,
           [&](std::size_t i) { tried[i] = try_candidate(candidates[i], column, folds, deviation / 2); });
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < tried.size(); ++i) {
    if (tried[i]) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return tried[a]->result.score < tried[b]->result.score; });
  if (order.empty()) {
    fail(
        "no candidate of {} could forecast held-out parts of {} samples: the series of {} samples is too short for "
        "them",
        fmt::join(options.methods, ", "), folds.length, samples);
  }

  AutoForecast result;
  result.failed = static_cast<std::int64_t>(tried.size() - order.size());
  result.combined = std::min(options.combine, static_cast<std::int64_t>(order.size()));
  std::vector<Vector> forecasts(static_cast<std::size_t>(result.combined));
  const Dataset data = as_dataset(column);
  for_each(forecasts.size(), options.threads, [&](std::size_t i) {
    forecasts[i] = candidates[order[i]].fit(data)->forecast(column, options.horizon).col(0);
  });
  std::vector<const Vector*> members;
  for (const Vector& forecast : forecasts) {
    if (forecast.allFinite()) members.push_back(&forecast);
  }
  if (members.empty()) fail("the forecast of every candidate chosen left all bounds: the series is too irregular");
  result.forecast = median_of(members);
  std::vector<Trial> trials;
  for (const std::size_t i : order) {
    result.ranking.push_back(tried[i]->result);
    trials.push_back(std::move(*tried[i]));
  }
  assess(trials, column, folds, options, result);
  state(options, result);
  return result;
}

}  // namespace filigree::dynamics
