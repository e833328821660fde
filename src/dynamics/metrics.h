#pragma once

#include <vector>

#include "dynamics/data.h"

/// How far a forecast is from the truth. Matrices have samples in rows and equal sizes; a forecast that is not finite
/// counts as infinitely far.
namespace filigree::dynamics {

/// Mean of squared differences over all entries.
double mean_squared_error(const Matrix& forecast, const Matrix& truth);

/// Its square root.
double root_mean_squared_error(const Matrix& forecast, const Matrix& truth);

/// 200 · mean(|a - b| / (|a| + |b|)) over all entries, between 0 and 200; a pair of zeros counts 0, one that is not
/// finite 200.
double smape(const Matrix& forecast, const Matrix& truth);

/// The number of samples before the first whose Euclidean error reaches `limit`; all of them where none does.
Eigen::Index valid_samples(const Matrix& forecast, const Matrix& truth, double limit);

/// The middle value, or the mean of the two middle ones. There must be one.
double median(std::vector<double> values);

/// Root mean squared distance of the samples from their mean: the error of a forecast that knows only the mean.
double spread(const Matrix& samples);

}  // namespace filigree::dynamics
