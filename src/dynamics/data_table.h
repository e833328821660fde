#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dynamics/read_data.h"

/// A file as read, before it becomes runs of equal steps. Only read_data and its parts use it.
namespace filigree::dynamics {

/// Rows of one run; NaN where a value is missing.
struct RawRun {
  std::string name;
  std::vector<std::string> places;  ///< "line 7" or "run 1, sample 7", for messages
  std::vector<double> time;         ///< empty where the file has none
  Matrix values;                    ///< (samples, coordinates + controls)
};

struct RawData {
  std::string where;
  std::vector<std::string> names;          ///< of coordinates, then controls
  std::vector<std::string> control_names;  ///< the last of them
  std::vector<RawRun> runs;
};

RawData table_from_csv(std::string_view text, const std::string& where, const ReadDataOptions& options);
RawData table_from_npy(std::string_view bytes, const std::string& where, const ReadDataOptions& options);

/// Missing values and steps of time dealt with as the options say.
Dataset dataset_from(RawData raw, const ReadDataOptions& options);

}  // namespace filigree::dynamics
