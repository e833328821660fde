#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "dynamics/metrics.h"

namespace filigree::dynamics {
namespace {

TEST(Metrics, MeanSquaredError) {
  const Matrix truth{{1.0, 2.0}, {3.0, 4.0}};
  const Matrix forecast{{1.0, 4.0}, {3.0, 4.0}};
  EXPECT_DOUBLE_EQ(mean_squared_error(forecast, truth), 1.0);
  EXPECT_DOUBLE_EQ(root_mean_squared_error(2 * truth, truth), std::sqrt(30.0 / 4));
}

TEST(Metrics, AForecastThatIsNotFiniteIsInfinitelyFar) {
  const Matrix truth{{1.0}, {2.0}};
  const Matrix forecast{{1.0}, {std::numeric_limits<double>::quiet_NaN()}};
  EXPECT_EQ(mean_squared_error(forecast, truth), std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(smape(forecast, truth), 100.0);
  EXPECT_EQ(valid_samples(forecast, truth, 0.5), 1);
}

TEST(Metrics, SmapeOfOppositeSignsIs200) {
  EXPECT_DOUBLE_EQ(smape(Matrix{{1.0}, {-2.0}}, Matrix{{-1.0}, {2.0}}), 200.0);
  EXPECT_DOUBLE_EQ(smape(Matrix{{0.0}, {3.0}}, Matrix{{0.0}, {1.0}}), 50.0);
}

TEST(Metrics, ValidSamplesStopAtTheFirstFailure) {
  const Matrix truth = Matrix::Zero(4, 1);
  EXPECT_EQ(valid_samples(Matrix{{0.1}, {0.6}, {0.1}, {0.9}}, truth, 0.5), 1);
  EXPECT_EQ(valid_samples(truth, truth, 0.5), 4);
}

TEST(Metrics, SpreadIsTheDistanceFromTheMean) {
  EXPECT_DOUBLE_EQ(spread(Matrix{{0.0, 0.0}, {2.0, 2.0}}), std::sqrt(2.0));
}

}  // namespace
}  // namespace filigree::dynamics
