#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/html.h"
#include "base/progress.h"
#include "demo.h"
#include "dynamics/auto_forecast.h"
#include "dynamics/compare.h"

/// Lorenz' system learned from data, as `filigree dynamics demo` shows it.
namespace filigree::cli {

struct DynamicsDemo {
  dynamics::Comparison comparison;  ///< all methods on the same samples of all three coordinates
  std::vector<std::string> set;     ///< settings in place of the methods' defaults, as --set takes them

  dynamics::Dataset series;         ///< x alone
  dynamics::AutoForecast forecast;  ///< of what follows, by method auto
  dynamics::Vector truth;           ///< what follows
  double smape = 0;                 ///< of the forecast
  double forecast_seconds = 0, seconds = 0;
};

/// Simulates, fits and forecasts; some twenty seconds.
DynamicsDemo learn_dynamics_demo(ProgressSink* progress);

/// What the terminal shows of it.
std::string dynamics_demo_text(const DynamicsDemo& demo);

/// lorenz-phase, lorenz-rollout, lorenz-growth and lorenz-forecast .png.
std::vector<DemoFile> draw_dynamics_demo(const DynamicsDemo& demo, ProgressSink* progress);

/// Adds it to the page; the pictures among `files` stand in the folder already.
void add_dynamics_demo(Html& page, const DynamicsDemo& demo, const std::vector<DemoFile>& files,
                       const std::filesystem::path& folder);

}  // namespace filigree::cli
