#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "dynamics/auto_forecast.h"
#include "dynamics/metrics.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// x of Rössler's system (a = b = 0.2, c = 5.7), about 60 samples to a turn.
std::vector<double> roessler(std::size_t samples) {
  double x = 1, y = -4, z = 0.1;
  std::vector<double> result;
  const double h = 0.01;
  for (std::size_t i = 0; i < 10 * samples + 2000; ++i) {
    if (i >= 2000 && i % 10 == 0) result.push_back(x);
    const auto fx = [](double v, double w) { return -v - w; };
    const auto fy = [](double u, double v) { return u + 0.2 * v; };
    const auto fz = [](double u, double w) { return 0.2 + w * (u - 5.7); };
    const double x1 = fx(y, z), y1 = fy(x, y), z1 = fz(x, z);
    const double xm = x + h / 2 * x1, ym = y + h / 2 * y1, zm = z + h / 2 * z1;
    x += h * fx(ym, zm);
    y += h * fy(xm, ym);
    z += h * fz(xm, zm);
  }
  return result;
}

TEST(AutoForecast, ContinuesAChaoticSeries) {
  const std::vector<double> all = roessler(800);
  AutoOptions options;
  options.horizon = 100;
  options.threads = 1;
  const AutoForecast result = auto_forecast(std::span(all).first(700), options);
  const Matrix truth = Eigen::Map<const Vector>(all.data() + 700, 100);
  EXPECT_LT(smape(result.forecast, truth), 3);
  EXPECT_EQ(result.forecast.size(), 100);
  EXPECT_EQ(result.combined, 5);
  EXPECT_EQ(result.confidence.folds, 7);
  EXPECT_EQ(result.confidence.fold_length, 100);
  EXPECT_GE(result.confidence.valid_median, 90);
  EXPECT_GE(result.statement.size(), 4U);
  for (std::size_t i = 1; i < result.ranking.size(); ++i) {
    EXPECT_LE(result.ranking[i - 1].score, result.ranking[i].score);
    EXPECT_EQ(result.ranking[i].fold_smape.size(), 7U);
  }
  for (Eigen::Index i = 1; i < 100; ++i) EXPECT_GE(result.band[i], result.band[i - 1]);
}

TEST(AutoForecast, ThreadsDoNotChangeAnything) {
  const std::vector<double> series = roessler(250);
  AutoOptions options;
  options.horizon = 40;
  options.threads = 1;
  const AutoForecast one = auto_forecast(series, options);
  options.threads = 3;
  const AutoForecast three = auto_forecast(series, options);
  EXPECT_EQ(one.forecast, three.forecast);
  EXPECT_EQ(one.band, three.band);
  EXPECT_EQ(one.statement, three.statement);
}

TEST(AutoForecast, TheHorizonMayBeLongerThanWhatCanBeHeldOut) {
  const std::vector<double> series = roessler(100);
  const AutoForecast result = auto_forecast(series, {.horizon = 150, .threads = 1});
  EXPECT_EQ(result.forecast.size(), 150);
  EXPECT_EQ(result.confidence.fold_length, 20);
  EXPECT_EQ(result.band[149], result.band[19]);
  EXPECT_EQ(result.statement.back(),
            "Nothing is known of its errors beyond 20 samples: the series is too short to hold out more.");
}

TEST(AutoForecast, OnlyTheMethodsNamedAreTried) {
  const std::vector<double> series = roessler(200);
  const AutoForecast result =
      auto_forecast(series, {.horizon = 20, .methods = {"analog", "local_linear"}, .threads = 1});
  for (const AutoCandidate& candidate : result.ranking) {
    EXPECT_TRUE(candidate.method == "analog" || candidate.method == "local_linear") << candidate.method;
  }
}

TEST(AutoForecast, TheShortestSeriesIsTaken) {
  const std::vector<double> series = roessler(60);
  EXPECT_TRUE(auto_forecast(series, {.horizon = 1, .threads = 1}).forecast.allFinite());
}

TEST(AutoForecast, BadInputIsOneSentence) {
  std::vector<double> series = roessler(100);
  EXPECT_ERROR(auto_forecast({}, {}), "the series is empty; at least 60 samples are needed");
  EXPECT_ERROR(auto_forecast(std::span(series).first(59), {}), "the series has 59 samples; at least 60 are needed");
  EXPECT_ERROR(auto_forecast(std::vector<double>(100, 2.5), {}),
               "the series is constant (2.5); there is nothing to learn from it");
  EXPECT_ERROR(auto_forecast(series, {.horizon = 0}), "the horizon must be at least 1 sample, not 0");
  EXPECT_ERROR(auto_forecast(series, {.combine = 0}), "combine must be at least 1 candidate, not 0");
  EXPECT_ERROR(auto_forecast(series, {.methods = {"magic"}}),
               "method magic cannot be chosen from; known are kernel, local_linear, delay_polynomial, analog");
  EXPECT_ERROR(auto_forecast(series, {.methods = {}}),
               "no method is named; known are kernel, local_linear, delay_polynomial, analog");
  std::vector<double> slow;
  for (int i = 0; i < 60; ++i) slow.push_back(std::sin(0.1 * i));
  EXPECT_ERROR(auto_forecast(slow, {.methods = {"local_linear"}}),
               "no candidate of local_linear could forecast held-out parts of 12 samples: the series of 60 samples is "
               "too short for them");
  series[41] = std::nan("");
  EXPECT_ERROR(auto_forecast(series, {}),
               "sample 42 of the series is not a finite number; fill or remove such samples first");
  series[7] = std::numeric_limits<double>::infinity();
  EXPECT_ERROR(auto_forecast(series, {}),
               "sample 8 of the series is not a finite number; fill or remove such samples first");
}

}  // namespace
}  // namespace filigree::dynamics
