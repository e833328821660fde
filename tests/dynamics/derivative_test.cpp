#include <cmath>

#include <gtest/gtest.h>

#include "dynamics/derivative.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// Samples of a polynomial of this degree and of its derivative.
std::pair<Matrix, Matrix> polynomial(int degree, double dt, Eigen::Index samples) {
  Matrix values(samples, 1), slopes(samples, 1);
  for (Eigen::Index i = 0; i < samples; ++i) {
    const double t = static_cast<double>(i) * dt;
    values(i, 0) = 3 + std::pow(t, degree);
    slopes(i, 0) = degree * std::pow(t, degree - 1);
  }
  return {values, slopes};
}

TEST(Derivative, StencilsAreTheKnownOnes) {
  const std::vector<double> three{-1, 0, 1}, five{-2, -1, 0, 1, 2};
  EXPECT_TRUE(stencil_weights(three, 0, 1).isApprox(Vector{{-0.5, 0, 0.5}}, 1e-14));
  EXPECT_TRUE(stencil_weights(three, -1, 1).isApprox(Vector{{-1.5, 2, -0.5}}, 1e-14));
  EXPECT_TRUE(stencil_weights(three, 0, 2).isApprox(Vector{{1, -2, 1}}, 1e-14));
  EXPECT_TRUE(stencil_weights(five, 0, 1).isApprox(Vector{{1, -8, 0, 8, -1}} / 12, 1e-14));
}

TEST(Derivative, FiniteDifferencesAreExactUpToTheirOrder) {
  for (const int order : {1, 2, 4, 6, 8}) {
    const auto [values, slopes] = polynomial(order, 0.1, 15);
    DerivativeOptions options;
    options.order = order;
    EXPECT_LT((differentiate(values, 0.1, options) - slopes).cwiseAbs().maxCoeff(), 1e-11) << order;
  }
}

TEST(Derivative, ErrorFallsWithTheOrderEverywhere) {
  for (const int order : {2, 4}) {
    double errors[2];
    for (const int k : {0, 1}) {
      const double dt = k == 0 ? 0.02 : 0.01;
      const Vector t = Vector::LinSpaced(k == 0 ? 101 : 201, 0, 2);
      DerivativeOptions options;
      options.order = order;
      errors[k] = (differentiate(t.array().sin().matrix(), dt, options).array() - t.array().cos()).abs().maxCoeff();
    }
    EXPECT_NEAR(std::log2(errors[0] / errors[1]), order, 0.2);
  }
}

TEST(Derivative, SavitzkyGolayIsExactForItsDegreeAndSmoothsNoise) {
  DerivativeOptions options;
  options.method = Differentiation::savitzky_golay;
  const auto [values, slopes] = polynomial(3, 0.1, 30);
  EXPECT_LT((differentiate(values, 0.1, options) - slopes).cwiseAbs().maxCoeff(), 1e-12);
  // Centre weights of window 5, degree 2: (-2, -1, 0, 1, 2) / 10 (Savitzky, Golay 1964).
  options.window = 5;
  options.degree = 2;
  Matrix pulse = Matrix::Zero(11, 1);
  pulse(5, 0) = 1;
  const Matrix response = differentiate(pulse, 1, options);
  EXPECT_NEAR(response(4, 0), 0.1, 1e-15);
  EXPECT_NEAR(response(3, 0), 0.2, 1e-15);
  EXPECT_NEAR(response(6, 0), -0.1, 1e-15);
}

TEST(Derivative, Errors) {
  DerivativeOptions options;
  EXPECT_ERROR(differentiate(Matrix::Zero(2, 1), 1, options),
               "the derivative needs runs of at least 3 samples, there are 2");
  options.order = 8;
  options.end_order = 2;
  EXPECT_ERROR(options.least_samples(), "the order 2 at the ends is too low beside order 8 inside");
  options = {};
  options.method = Differentiation::savitzky_golay;
  options.window = 8;
  EXPECT_ERROR(options.least_samples(), "the smoothing window must be an odd number of samples, not 8");
  options.window = 5;
  options.degree = 5;
  EXPECT_ERROR(options.least_samples(), "the smoothing degree 5 must be less than the window of 5 samples");
}

}  // namespace
}  // namespace filigree::dynamics
