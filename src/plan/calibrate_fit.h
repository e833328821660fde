#pragma once

#include <string>
#include <vector>

#include "plan/operator_timings.h"
#include "spec/cluster.h"

/// The fits behind plan/calibrate.h. Private to the plan folder.
namespace filigree::plan {

/// A figure to fit; searched for by its logarithm, from its present and from a typical value.
struct FitParameter {
  double* value;
  double low, high, typical;
};

/// Rows that share figures.
struct FitGroup {
  OperatorKind kind = OperatorKind::matrix;  ///< attention: forward, for both passes
  spec::Dtype dtype = spec::Dtype::bf16;
  std::vector<OperatorTiming> rows;  ///< that the fit sees
  std::int64_t least_rows = 0;
  std::string key;  ///< of its note among the sources
  bool fitted = false;
  double error = 0;
};

/// The accelerator's rates for products of a dtype.
Rates rates_for(const spec::Accelerator& accelerator, spec::Dtype dtype);

/// A dtype for rows that have none. Error where the accelerator has no curve with a peak.
spec::Dtype any_dtype(const spec::Accelerator& accelerator);

/// What the planner thinks the row takes, transfers and launches included.
double computed_seconds(const spec::Cluster& cluster, const Rates& rates, const OperatorTiming& row);

/// Mean of |computed / measured − 1| over the group's rows.
double mean_error(const spec::Cluster& cluster, const FitGroup& group);

/// The figures that a group settles, apart from kernel_us; they point into the cluster.
std::vector<FitParameter> parameters_of(spec::Cluster& cluster, const FitGroup& group);

/// Whether kernel_us is part of the group's times.
bool starts_kernels(const FitGroup& group);

/// Fits every group that is marked as fitted: each group's own figures where its mean error is least, and kernel_us,
/// which they share, where the average of the groups' errors is. Figures are rounded to four digits.
void fit_groups(spec::Cluster& cluster, const std::vector<FitGroup*>& groups);

/// To four significant digits.
double rounded(double value);

}  // namespace filigree::plan
