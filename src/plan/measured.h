#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spec/cluster.h"
#include "spec/layout.h"
#include "spec/model.h"

/// Published measurements of training steps, and the planner's answer to each.
namespace filigree::plan {

/// One measured run: what ran, how, and what was seen.
struct MeasuredRow {
  int line = 0;  ///< in its file
  std::string label;
  spec::Model model;
  spec::Layout layout;  ///< complete
  double step_s = 0;
  std::optional<double> memory_gib;  ///< peak allocated, largest device
  std::string reason;                ///< not empty: why the planner cannot compute it
};

/// One file of measurements with the settings that all of its rows share.
struct MeasuredSet {
  std::string name;  ///< the file's stem
  std::string source;
  spec::Cluster cluster;
  std::vector<MeasuredRow> rows;
};

/// Names of the sets that are known: the files that a folder may hold.
std::vector<std::string> measured_set_names();

/// The sets whose CSV files stand in `folder`; settings (cluster, software) come from recipes/measured/<set>.json.
/// Error where there is none, and for every row that cannot be read, with its line and column.
std::vector<MeasuredSet> load_measured(const std::filesystem::path& folder);

struct RowResult {
  MeasuredRow row;
  double computed_s = 0;
  double error = 0;  ///< computed / measured − 1
  std::optional<double> computed_gib;
  std::optional<double> memory_error;
};

struct SetResult {
  std::string name, source, cluster;
  std::vector<RowResult> rows;
  std::size_t skipped = 0;
  double mean_absolute_error = 0;
  double worst_absolute_error = 0;
  std::optional<double> memory_mean_absolute_error;
};

/// Computes every row with the set's cluster.
SetResult validate(const MeasuredSet& set);

}  // namespace filigree::plan
