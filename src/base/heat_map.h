#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/plot.h"

namespace filigree {

/// A table of numbers as colours, the first row on top, with a scale of the colours at the right. A value that is not
/// finite stays grey. Errors as for the other pictures (base/plot.h).
struct HeatMap : PlotFrame {
  std::string x_label = {}, value_label = {};
  std::vector<std::string> row_labels = {};      // one for each row, or none
  std::vector<std::vector<double>> values = {};  // rows of one length
  AxisRange range = {};                          // of the colours; found from the values where not given
  std::optional<double> middle = {};             // this value is white, below it orange, above it blue
};

std::string draw(const HeatMap& map, ImageFormat format);
void render(const HeatMap& map, const std::filesystem::path& path);

}  // namespace filigree
