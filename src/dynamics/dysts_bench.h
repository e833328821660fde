#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/progress.h"
#include "dynamics/auto_forecast.h"

/// The univariate protocol of williamgilpin/dysts (release 0.86, benchmarks): fit to the context, forecast the samples of
/// the truth, score all but the last of them with sMAPE.
namespace filigree::dynamics {

struct DystsRow {
  std::string system;
  double smape = 0;
  std::string method;  ///< the best candidate's
  std::string settings;
  double expected = 0;  ///< median sMAPE on the held-out parts of the context
  double seconds = 0;
};

struct DystsScore {
  std::vector<DystsRow> rows;  ///< by system
  double median = 0, mean = 0, seconds = 0;
};

using DystsSeries = std::map<std::string, std::vector<double>>;

/// Scores auto_forecast() on every system of `truth`; nothing but its context is shown to it. The horizon is the length of
/// the truth. When cancelled it stops early, with
/// the systems so far. Error where a system has no context, or its truth fewer than two samples.
DystsScore dysts_bench(const DystsSeries& context, const DystsSeries& truth, AutoOptions options,
                       ProgressSink* progress = nullptr);

/// Contexts and truths held back from longer series: their last `horizon` samples.
/// Error for a series that is not longer than that.
std::pair<DystsSeries, DystsSeries> dysts_hold_back(const DystsSeries& series, std::size_t horizon);

}  // namespace filigree::dynamics
