#pragma once

#include <string>

#include "base/json.h"
#include "base/plot.h"
#include "plan/calibrate.h"

/// A calibration in words, JSON and a picture.
namespace filigree::plan {

/// A table of the families (rows, errors before and after, and of the rows held out where there are some), remarks on
/// those that were not fitted, and the fitted figures.
std::string calibration_text(const Calibration& calibration);

/// `families`: name, rows, fitted, remark, mean_error_before, worst_error_before, mean_error, worst_error, holdout_rows,
/// holdout_mean_error, holdout_worst_error (null where no row was held out); `accelerator` and `host_gb_s`: the figures.
Json calibration_json(const Calibration& calibration);

/// Computed over measured time, both logarithmic, by operator.
Plot calibration_plot(const Calibration& calibration);

}  // namespace filigree::plan
