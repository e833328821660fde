#include "dynamics/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

void check_sizes(const Matrix& forecast, const Matrix& truth) {
  FILIGREE_ASSERT(forecast.rows() == truth.rows() && forecast.cols() == truth.cols());
  FILIGREE_ASSERT(truth.size() > 0);
}

}  // namespace

double mean_squared_error(const Matrix& forecast, const Matrix& truth) {
  check_sizes(forecast, truth);
  const double mean = (forecast - truth).squaredNorm() / static_cast<double>(truth.size());
  return std::isfinite(mean) ? mean : std::numeric_limits<double>::infinity();
}

double root_mean_squared_error(const Matrix& forecast, const Matrix& truth) {
  return std::sqrt(mean_squared_error(forecast, truth));
}

double smape(const Matrix& forecast, const Matrix& truth) {
  check_sizes(forecast, truth);
  double sum = 0;
  for (Eigen::Index j = 0; j < truth.cols(); ++j) {
    for (Eigen::Index i = 0; i < truth.rows(); ++i) {
      const double a = forecast(i, j), b = truth(i, j);
      const double size = std::abs(a) + std::abs(b);
      if (!std::isfinite(size))
        sum += 1;
      else if (size > 0)
        sum += std::abs(a - b) / size;
    }
  }
  return 200 * sum / static_cast<double>(truth.size());
}

Eigen::Index valid_samples(const Matrix& forecast, const Matrix& truth, double limit) {
  check_sizes(forecast, truth);
  for (Eigen::Index i = 0; i < truth.rows(); ++i) {
    if (!((forecast.row(i) - truth.row(i)).norm() < limit)) return i;
  }
  return truth.rows();
}

double median(std::vector<double> values) {
  FILIGREE_ASSERT(!values.empty());
  std::sort(values.begin(), values.end());
  return 0.5 * (values[(values.size() - 1) / 2] + values[values.size() / 2]);
}

double spread(const Matrix& samples) {
  const Eigen::RowVectorXd mean = samples.colwise().mean();
  return std::sqrt((samples.rowwise() - mean).squaredNorm() / static_cast<double>(samples.rows()));
}

}  // namespace filigree::dynamics
