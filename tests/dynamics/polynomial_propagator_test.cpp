#include <cmath>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dynamics/lorenz_valid_time.h"
#include "dynamics/metrics.h"
#include "dynamics/polynomial_basis.h"
#include "dynamics/polynomial_propagator.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// The Hénon map, x' = 1 - 1.4 x² + y, y' = 0.3 x, from (0.1, 0.1): a polynomial map of degree 2.
Dataset henon(Eigen::Index samples) {
  Matrix states(samples, 2);
  states.row(0) << 0.1, 0.1;
  for (Eigen::Index i = 1; i < samples; ++i) {
    const double x = states(i - 1, 0), y = states(i - 1, 1);
    states.row(i) << 1 - 1.4 * x * x + y, 0.3 * x;
  }
  return {{"x", "y"}, {}, 1.0, {Trajectory{states}}};
}

TEST(PolynomialBasis, CountsItsTerms) {
  EXPECT_EQ(PolynomialBasis::count(3, 10), 286);
  EXPECT_EQ(PolynomialBasis::count(1, 4), 5);
  EXPECT_EQ(PolynomialBasis(Box{Vector::Zero(3), Matrix::Identity(3, 3)}, 10).terms(), 286);
}

TEST(PolynomialBasis, IsMadeOfProductsOfChebyshevPolynomials) {
  const PolynomialBasis basis(Box{Vector{{0.5, -1.0}}, Matrix{{2.0, 0.0}, {0.0, 0.5}}}, 3);
  const Matrix row = basis.design(Matrix{{0.6, -0.6}});
  const double a = std::acos(0.2), b = std::acos(0.2);
  // 1, T1(a), T1 T1, T1 T2, T2(a), T2 T1, T3(a), T1(b), T2(b), T3(b)
  const Matrix expected{{1.0, std::cos(a), std::cos(a) * std::cos(b), std::cos(a) * std::cos(2 * b), std::cos(2 * a),
                         std::cos(2 * a) * std::cos(b), std::cos(3 * a), std::cos(b), std::cos(2 * b),
                         std::cos(3 * b)}};
  ASSERT_EQ(row.cols(), 10);
  EXPECT_LT((row - expected).cwiseAbs().maxCoeff(), 1e-15);
}

TEST(PolynomialBasis, TheBoxHoldsItsSamplesAndTouchesThem) {
  const Matrix states = henon(500).runs[0].states;
  const Box box = Box::around(states);
  const Matrix inside = (states.rowwise() - box.centre.transpose()) * box.transform.transpose();
  EXPECT_LT((inside.colwise().maxCoeff().array() - 1).abs().maxCoeff(), 1e-12);
  EXPECT_LT((inside.colwise().minCoeff().array() + 1).abs().maxCoeff(), 1e-12);
}

TEST(PolynomialPropagator, FindsAPolynomialMap) {
  const Dataset data = henon(200);
  for (const bool increments : {true, false}) {
    const ModelPtr model = fit_polynomial_propagator(data, {.degree = 2, .increments = increments});
    const Matrix forecast = model->forecast(Matrix{{0.1, 0.1}}, 20);
    // Errors grow about 1.5 times a step, so that 1e-16 becomes some 1e-12.
    EXPECT_LT((forecast - data.runs[0].states.middleRows(1, 20)).cwiseAbs().maxCoeff(), 1e-10);
    EXPECT_EQ(model->cost().parameters, 6 * 2 + 2 + 4);
    EXPECT_EQ(model->method(), "polynomial_propagator");
    EXPECT_EQ(model->describe().size(), 3u);
  }
}

TEST(PolynomialPropagator, AReadModelForecastsTheSameBits) {
  const ModelPtr model = fit_polynomial_propagator(henon(200), {.degree = 5});
  const Json json = parse_json(to_text(model->to_json()), "model.json");
  const ModelPtr read = load_polynomial_propagator(json, "model.json");
  EXPECT_EQ(model->forecast(Matrix{{0.2, 0.1}}, 50), read->forecast(Matrix{{0.2, 0.1}}, 50));
  EXPECT_EQ(read->to_json(), model->to_json());
}

TEST(PolynomialPropagator, ControlsAreInputs) {
  Random random(3);
  Matrix states(100, 1), controls(100, 1);
  states(0, 0) = 0.2;
  for (Eigen::Index i = 0; i < 100; ++i) {
    controls(i, 0) = random.uniform(-1, 1);
    if (i + 1 < 100) states(i + 1, 0) = 0.5 * states(i, 0) + states(i, 0) * controls(i, 0) * 0.1 + controls(i, 0);
  }
  const Dataset data{{"x"}, {"u"}, 1.0, {Trajectory{states, controls}}};
  const ModelPtr model = fit_polynomial_propagator(data, {.degree = 2});
  const Matrix forecast = model->forecast(states.topRows(1), 99, controls);
  EXPECT_LT((forecast - states.bottomRows(99)).cwiseAbs().maxCoeff(), 1e-13);
  EXPECT_ERROR(model->forecast(states.topRows(1), 3, Matrix(2, 1)),
               "the polynomial_propagator model needs 1 controls for each of the 3 steps; 2 rows of 1 are given");
}

TEST(PolynomialPropagator, SamplesOnALineStillGiveAMap) {
  Matrix states(50, 2);
  for (Eigen::Index i = 0; i < 50; ++i) states.row(i).setConstant(std::pow(0.9, static_cast<double>(i)));
  const ModelPtr model = fit_polynomial_propagator({{"a", "b"}, {}, 1.0, {Trajectory{states}}}, {.degree = 3});
  EXPECT_LT((model->forecast(states.topRows(1), 49) - states.bottomRows(49)).cwiseAbs().maxCoeff(), 1e-9);
}

TEST(PolynomialPropagator, AForecastOutOfBoundsEndsInNan) {
  const ModelPtr model = fit_polynomial_propagator(henon(200), {.degree = 2});
  const Matrix forecast = model->forecast(Matrix{{100.0, 100.0}}, 50);
  EXPECT_TRUE(std::isnan(forecast(49, 0)));
}

TEST(PolynomialPropagator, RefusesWhatItCannotFit) {
  EXPECT_ERROR(
      fit_polynomial_propagator(henon(20), {.degree = 5}),
      "a polynomial of degree 5 in 2 inputs has 21 terms, more than the 19 pairs of samples; lower the degree");
  Json json = fit_polynomial_propagator(henon(200), {.degree = 2})->to_json();
  json["degree"] = 3;
  EXPECT_ERROR(load_polynomial_propagator(json, "m.json"),
               "m.json: the sizes of centre, transform and coefficients do not belong together; fit and save the model "
               "again");
}

TEST(LorenzValidTime, BeatsTheNormalEquations) {
  // Published with normal equations and 1024 samples of 2^-6, the best degree: 17.4 Lyapunov times.
  const ValidTime found = lorenz_valid_time({.samples = 1024, .log2_step = 6, .starts = 6, .fit = {.degree = 8}});
  // Another rounding is another chaotic run, whose mean radius over 8,192 time units differs by some 0.02.
  EXPECT_NEAR(found.error_scale, 14.77, 0.06);
  EXPECT_EQ(found.starts.size(), 6u);
  EXPECT_GT(found.mean, 20);
  EXPECT_LT(found.mean, 40);
}

TEST(LorenzValidTime, RefusesAWindowLongerThanTheTruth) {
  EXPECT_ERROR(lorenz_valid_time({.samples = 131072, .log2_step = 4}),
               "a window of 131072 samples of 2^-4 and 50 time units of forecast do not fit into 8192 time units; use "
               "fewer samples");
}

}  // namespace
}  // namespace filigree::dynamics
