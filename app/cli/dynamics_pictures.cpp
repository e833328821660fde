#include "dynamics_pictures.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace filigree::cli {
namespace {

using Index = Eigen::Index;

constexpr Index kPoints = 5000;
constexpr std::size_t kRuns = 8;

}  // namespace

Plot data_plot(const dynamics::Dataset& data, const std::string& title) {
  Plot plot;
  plot.title = title;
  const bool plane = data.dimension() > 1;
  plot.x_label = plane ? data.names[0] : "time";
  plot.y_label = plane ? data.names[1] : data.names[0];
  const std::size_t runs = std::min(kRuns, data.runs.size());
  if (runs < data.runs.size()) plot.subtitle = fmt::format("the first {} of {} runs", runs, data.runs.size());
  for (std::size_t r = 0; r < runs; ++r) {
    const dynamics::Trajectory& run = data.runs[r];
    Series series;
    if (runs > 1) series.name = fmt::format("run {}", r + 1);
    const Index rows = std::min(kPoints, run.states.rows());
    for (Index i = 0; i < rows; ++i) {
      series.x.push_back(plane ? run.states(i, 0) : run.start + static_cast<double>(i) * data.dt);
      series.y.push_back(run.states(i, plane ? 1 : 0));
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

Plot forecast_plot(const dynamics::Dataset& data, const dynamics::Matrix& forecast, const dynamics::Matrix& band) {
  const dynamics::Trajectory& run = data.runs.back();
  const Index samples = run.states.rows(), shown = std::min<Index>(samples, 2 * forecast.rows() + 50);
  const auto time = [&](Index i) { return run.start + static_cast<double>(i) * data.dt; };
  Plot plot;
  plot.title = "forecast of " + data.names.front();
  plot.x_label = "time";
  plot.y_label = data.names.front();
  Series known{.name = "known"}, ahead{.name = "forecast", .dashed = true};
  for (Index i = samples - shown; i < samples; ++i) {
    known.x.push_back(time(i));
    known.y.push_back(run.states(i, 0));
  }
  for (Index i = 0; i < forecast.rows(); ++i) {
    ahead.x.push_back(time(samples + i));
    ahead.y.push_back(forecast(i, 0));
    if (band.size() == 0) continue;
    ahead.low.push_back(forecast(i, 0) - band(i, 0));
    ahead.high.push_back(forecast(i, 0) + band(i, 0));
  }
  plot.series = {std::move(known), std::move(ahead)};
  return plot;
}

ImageFormat image_format(const std::string& path) {
  return text::lower(path).ends_with(".svg") ? ImageFormat::svg : ImageFormat::png;
}

}  // namespace filigree::cli
