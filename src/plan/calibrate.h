#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan/operator_timings.h"
#include "spec/cluster.h"

/// Fits the efficiencies of a cluster file to measured operators, with exactly the functions that estimates use
/// (plan/rates.h), so that what is fitted is what is used.
namespace filigree::plan {

struct CalibrateOptions {
  double holdout = 0;    ///< share of each family's rows that no fit sees; their error is reported apart
  double sustained = 1;  ///< the fitted `max` of matrix products times this: measured bursts run at a higher clock than
                         ///< long runs, which power limits (0.94 for bf16 on an H100)
  std::int64_t seed = 0;  ///< of the choice of rows held out
};

/// Errors of computed over measured times, computed / measured − 1.
struct TimingError {
  std::int64_t rows = 0;
  double mean = 0;   ///< of absolute values
  double worst = 0;  ///< the largest by absolute value, with its sign
};

/// Rows of one operator, dtype and (attention) head size.
struct TimingFamily {
  OperatorKind kind = OperatorKind::matrix;
  std::string name;       ///< "gemm bf16", "attention_forward bf16, heads of 192/128"
  std::int64_t rows = 0;  ///< all
  bool fitted = false;
  std::string remark;                      ///< why it was not fitted, or what else there is to know
  TimingError before, after;               ///< of the rows that the fit saw, or all where nothing was fitted
  TimingError holdout;                     ///< after, of the rows it did not see
  std::vector<double> measured, computed;  ///< seconds of all rows, after
};

struct Calibration {
  spec::Cluster cluster;               ///< with the fitted figures and notes on where they come from
  std::vector<TimingFamily> families;  ///< in the order of the file
};

/// What is fitted, by the mean absolute error, and from how many rows at least:
///   matrix curve of each dtype        gemm                             8
///   grouped curve of each dtype       grouped_gemm of several groups  10
///   attention                         attention_forward, _backward     8 of each
///   memory_efficiency                 copy, add, rmsnorm, swiglu, permute, cast   4
///   kernel_us                         all of the above together
///   host_gb_s                         host_to_device, device_to_host   2
///   host_us                           launch (median)                  1
/// A family with fewer rows keeps its figures, and its remark says so. `weight` of the curves (accumulating gradients)
/// is not measured and stays. A dtype without a curve so far starts from the default one.
/// Error where the accelerator has no peak for a measured dtype, or an option is out of range.
Calibration calibrate(const spec::Cluster& start, const OperatorTimings& timings, const CalibrateOptions& options = {});

/// The recipe to start from: that of the clusters named whose first word ("h100" of "h100-2nic") the device's or the
/// file's name holds; the shortest where there are several. Error where none does, with the names.
std::string nearest_cluster(const OperatorTimings& timings, const std::vector<std::string>& names);

}  // namespace filigree::plan
