#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/visit.h"
#include "dynamics/data.h"

/// Measured data as CSV or NPY files.
namespace filigree::dynamics {

/// What to do with an empty field, "nan" or "n/a". Infinities are always errors.
enum class Missing {
  error,
  interpolate,  ///< by a cubic through the four nearest samples of the coordinate
  split,        ///< the run ends before the sample and another begins after it; pieces of one sample are dropped
};

struct ReadDataOptions {
  std::string time = {};                   ///< column; if empty, the one called "t" or "time", where there is one
  std::string run = {};                    ///< column that names the run; if empty, the one called "run"
  std::vector<std::string> controls = {};  ///< columns
  std::vector<std::string> columns = {};   ///< coordinates; if empty, all that remain
  Missing missing = Missing::error;
  bool resample = false;          ///< bring unequal steps to equal ones by cubic interpolation
  std::optional<double> dt = {};  ///< step; without a time column 1 if not given, with one only for resampling
  double tolerance = 1e-3;        ///< by which steps of time may differ, over the step

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("time", self.time, "column of the time");
    v.optional("run", self.run, "column that names the run");
    v.optional("controls", self.controls, "columns of the controls");
    v.optional("columns", self.columns, "columns of the coordinates");
    v.optional("missing", self.missing, "what to do with missing values");
    v.optional("resample", self.resample, "bring unequal steps to equal ones");
    v.optional("dt", self.dt, "step of time", positive);
    v.optional("tolerance", self.tolerance, "by which steps may differ, over the step", between(0, 0.5));
  }
};

/// Reads a file; ".npy" is NPY, anything else CSV.
///
/// CSV: a header and one row a sample, or, where the first row holds numbers only, no header (the columns are then "x",
/// or "x0", "x1", …). NPY: (samples), (samples, columns) or (runs, samples, columns), with the same names.
///
/// Error, with row and column, for ragged rows, text among numbers, infinities, missing values (unless asked
/// otherwise), times that do not grow, unequal steps (unless asked to resample) and runs of fewer than 2 samples.
Dataset read_data(const std::filesystem::path& path, const ReadDataOptions& options);
Dataset parse_data_csv(std::string_view text, const std::string& where, const ReadDataOptions& options);
Dataset parse_data_npy(std::string_view bytes, const std::string& where, const ReadDataOptions& options);

/// Writes a file atomically, ".npy" as NPY, anything else as CSV with the columns run (where there are several), t,
/// coordinates and controls. Error where NPY cannot hold the data: runs of unequal length, or controls.
void write_data(const std::filesystem::path& path, const Dataset& data);
std::string data_csv(const Dataset& data);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::Missing> {
  using Missing = filigree::dynamics::Missing;
  static constexpr std::array<std::pair<Missing, std::string_view>, 3> table{
      {{Missing::error, "error"}, {Missing::interpolate, "interpolate"}, {Missing::split, "split"}}};
};
