#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/visit.h"
#include "dynamics/model.h"

/// Forecasting one series with nothing chosen by hand: method and settings are chosen by forecasts of parts of the series
/// that were held out.
namespace filigree::dynamics {

struct AutoOptions {
  std::int64_t horizon = 200;
  std::vector<std::string> methods = {"kernel", "local_linear", "delay_polynomial", "analog"};  ///< that may be chosen
  std::int64_t combine = 5;  ///< the forecast is the median of this many best candidates, sample by sample
  std::int64_t threads = 0;  ///< 0: one for each core; the result does not depend on it
  double confidence = 0.8;   ///< part of the held-out errors that the band covers

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("horizon", self.horizon, "samples to forecast", at_least(1));
    v.optional("methods", self.methods, "kernel, local_linear, delay_polynomial, analog: those that may be chosen");
    v.optional("combine", self.combine, "the median of this many best candidates is the forecast", at_least(1));
    v.optional("threads", self.threads, "0: one for each core", non_negative);
    v.optional("confidence", self.confidence, "part of the held-out errors that the band covers", fraction);
  }
};

/// A method with its settings, and how well it forecast the parts that were held out.
struct AutoCandidate {
  std::string method;
  std::string settings;
  double score = 0;  ///< exp of the mean over folds of log(1 + sMAPE), minus 1: what is ranked
  double smape = 0;  ///< mean over the folds
  double valid = 0;  ///< median over the folds: samples whose error stays below half the spread
  std::vector<double> fold_smape;
};

/// How sure a forecast is, from the same combination's forecasts of the parts that were held out. The choice was made by
/// these parts, so that the errors are somewhat too small for it.
struct AutoConfidence {
  std::int64_t folds = 0;
  std::int64_t fold_length = 0;                            ///< samples held out in each, at most the horizon
  double smape_median = 0, smape_low = 0, smape_high = 0;  ///< over the folds: median, least and largest
  std::int64_t valid_median = 0, valid_low = 0;            ///< samples within half the spread: median and least
  double spread = 0;                                       ///< standard deviation of the series
};

struct AutoForecast {
  Vector forecast;  ///< (horizon)
  Vector band;      ///< (horizon) half the width: `confidence` of held-out errors are smaller; it never
                    ///< narrows, and beyond the length of the folds it stays as it is
  std::vector<AutoCandidate> ranking;  ///< best first; the first `combined` make the forecast
  std::int64_t combined = 0;
  std::int64_t failed = 0;  ///< candidates that could not be fitted or did not forecast every fold
  AutoConfidence confidence;
  std::vector<std::string> statement;  ///< what was chosen, why and how sure it is, in sentences
};

/// The least number of samples that auto_forecast() takes.
inline constexpr std::int64_t auto_least_samples = 60;

/// 1. Candidates are drawn up with lags as for 100 samples a period and as for the period that the series seems to have.
/// 2. Each candidate forecasts up to seven parts of the series, each of min(horizon, a fifth of the series) samples, after
///    a fit to all windows that touch nothing of that part.
/// 3. Candidates are ranked; the best are fitted to the whole series; the forecast is their median, sample by sample.
/// Deterministic, whatever the number of threads. Only the last 20,000 samples of a longer series are used.
/// Error for an empty series, too few samples, a value that is not finite (with its number), a constant series,
/// a horizon below 1 or an unknown method.
AutoForecast auto_forecast(std::span<const double> series, const AutoOptions& options);

}  // namespace filigree::dynamics
