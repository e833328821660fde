#pragma once

#include <string>

#include "base/plot.h"
#include "dynamics/data.h"

/// Pictures of data and forecasts.
namespace filigree::cli {

/// The first runs: in the plane of the first two coordinates, or over time where there is one.
Plot data_plot(const dynamics::Dataset& data, const std::string& title);

/// The end of the first coordinate's last run and its forecast, with the band (may be empty) around it.
Plot forecast_plot(const dynamics::Dataset& data, const dynamics::Matrix& forecast, const dynamics::Matrix& band);

/// The format that a file's name asks for; add_picture has checked the name.
ImageFormat image_format(const std::string& path);

}  // namespace filigree::cli
