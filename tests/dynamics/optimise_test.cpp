#include <cmath>

#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/random.h"
#include "dynamics/optimise.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// Rosenbrock's valley as two residuals: 10 (y - x²) and 1 - x.
LeastSquares valley() {
  return least_squares_in_blocks(2, 1, [](Eigen::Index, const Vector& p, Vector& r, Matrix* jacobian) {
    r = Vector{{10 * (p[1] - p[0] * p[0]), 1 - p[0]}};
    if (jacobian != nullptr) *jacobian = Matrix{{-20 * p[0], 10.0}, {-1.0, 0.0}};
  });
}

/// y = exp(-a t) cos(b t) at 40 times, in blocks of 4.
LeastSquares decay(int threads) {
  return least_squares_in_blocks(
      2, 10,
      [](Eigen::Index block, const Vector& p, Vector& r, Matrix* jacobian) {
        r.resize(4);
        if (jacobian != nullptr) jacobian->resize(4, 2);
        for (Eigen::Index i = 0; i < 4; ++i) {
          const double t = 0.1 * static_cast<double>(4 * block + i);
          const double envelope = std::exp(-p[0] * t);
          r[i] = envelope * std::cos(p[1] * t) - std::exp(-0.7 * t) * std::cos(3 * t);
          if (jacobian == nullptr) continue;
          (*jacobian)(i, 0) = -t * envelope * std::cos(p[1] * t);
          (*jacobian)(i, 1) = -t * envelope * std::sin(p[1] * t);
        }
      },
      threads);
}

TEST(LevenbergMarquardt, FindsTheEndOfTheValley) {
  const LmResult result = levenberg_marquardt(valley(), Vector{{-1.2, 1.0}});
  EXPECT_NEAR(result.params[0], 1, 1e-10);
  EXPECT_NEAR(result.params[1], 1, 1e-10);
  EXPECT_LT(result.cost, 1e-20);
  EXPECT_LT(result.iterations, 50);
}

TEST(LevenbergMarquardt, RecoversTheParametersOfACurve) {
  const LmResult result = levenberg_marquardt(decay(1), Vector{{0.2, 2.5}});
  EXPECT_NEAR(result.params[0], 0.7, 1e-9);
  EXPECT_NEAR(result.params[1], 3.0, 1e-9);
}

TEST(LevenbergMarquardt, DoesNotDependOnTheThreads) {
  const LmResult one = levenberg_marquardt(decay(1), Vector{{0.2, 2.5}});
  const LmResult three = levenberg_marquardt(decay(3), Vector{{0.2, 2.5}});
  EXPECT_EQ(one.params, three.params);
  EXPECT_EQ(one.iterations, three.iterations);
}

TEST(LevenbergMarquardt, RidgeGivesTheClosedForm) {
  const Matrix a{{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.5}};
  const Vector b{{1.0, -1.0, 2.0}};
  const LeastSquares linear =
      least_squares_in_blocks(2, 1, [&](Eigen::Index, const Vector& p, Vector& r, Matrix* jacobian) {
        r = a * p - b;
        if (jacobian != nullptr) *jacobian = a;
      });
  LmOptions options;
  options.ridge = 0.3;
  options.cost_tolerance = 0;
  const Vector p = levenberg_marquardt(linear, Vector::Zero(2), options).params;
  const Vector residual = a.transpose() * (a * p - b) + 0.3 * p;
  EXPECT_LT(residual.norm(), 1e-10);
}

TEST(LevenbergMarquardt, AParameterThatNothingDependsOnStaysPut) {
  const LeastSquares problem =
      least_squares_in_blocks(2, 1, [](Eigen::Index, const Vector& p, Vector& r, Matrix* jacobian) {
        r = Vector{{p[0] - 2}};
        if (jacobian != nullptr) *jacobian = Matrix{{1.0, 0.0}};
      });
  const LmResult result = levenberg_marquardt(problem, Vector{{0.0, 5.0}});
  EXPECT_NEAR(result.params[0], 2, 1e-10);
  EXPECT_EQ(result.params[1], 5);
}

TEST(LevenbergMarquardt, ContinuesBitForBit) {
  const LeastSquares problem = valley();
  const Vector start{{-1.2, 1.0}};
  LevenbergMarquardt whole(problem, start, {}), first(problem, start, {}), second(problem, start, {});
  for (int i = 0; i < 12; ++i) whole.step();
  for (int i = 0; i < 5; ++i) first.step();
  second.restore(parse_json(first.to_json().dump(), "state"), "state");
  for (int i = 5; i < 12; ++i) second.step();
  EXPECT_EQ(whole.params(), second.params());
  EXPECT_EQ(whole.cost(), second.cost());
  EXPECT_ERROR(second.restore(Json::object(), "s.json"), "s.json: 'params' is missing from the state of the minimiser");
  Json other = first.to_json();
  other["params"] = {{1, 2, 3}};
  EXPECT_ERROR(second.restore(other, "s.json"), "s.json: params holds 1 x 3 numbers where this network needs 1 x 2");
}

TEST(LevenbergMarquardt, StopsWhenAsked) {
  const auto twice = [](int iteration, const Vector&, double) { return iteration < 2; };
  const LmResult result = levenberg_marquardt(valley(), Vector{{-1.2, 1.0}}, {}, twice);
  EXPECT_EQ(result.stop, LmStop::callback);
  request_cancel();
  const LmResult cancelled_result = levenberg_marquardt(valley(), Vector{{-1.2, 1.0}});
  reset_cancel();
  EXPECT_EQ(cancelled_result.stop, LmStop::cancelled);
  EXPECT_EQ(cancelled_result.iterations, 0);
  LmOptions options;
  options.iterations = 3;
  EXPECT_EQ(levenberg_marquardt(valley(), Vector{{-1.2, 1.0}}, options).stop, LmStop::iterations);
}

TEST(LevenbergMarquardt, RefusesAStartWithoutCost) {
  const LeastSquares problem{1, [](const Vector&, Matrix* jtj, Vector* jtr) {
                               if (jtj != nullptr) jtj->setZero(1, 1), jtr->setZero(1);
                               return std::nan("");
                             }};
  EXPECT_ERROR(levenberg_marquardt(problem, Vector::Zero(1)), "the cost at the starting parameters is not finite");
}

TEST(Adam, FindsTheMinimumOfAParabola) {
  AdamOptions options;
  options.learning_rate = 0.05;
  options.cosine = true;
  options.warm_up = 0.05;
  Adam adam(2, options, 2000);
  Vector p{{3.0, -2.0}};
  for (int i = 0; i < 2000; ++i) adam.step(p, Vector{{2 * (p[0] - 1), 20 * (p[1] - 0.5)}});
  EXPECT_NEAR(p[0], 1, 1e-6);
  EXPECT_NEAR(p[1], 0.5, 1e-6);
}

TEST(Adam, FirstStepIsTheRateAlongTheSign) {
  AdamOptions options;
  options.learning_rate = 0.1;
  options.weight_decay = 0.5;
  options.clip_norm = 1;
  Adam adam(2, options, 10);
  Vector p{{1.0, 1.0}};
  adam.step(p, Vector{{300.0, -400.0}});
  EXPECT_NEAR(p[0], 0.95 - 0.1, 1e-7);
  EXPECT_NEAR(p[1], 0.95 + 0.1, 1e-7);
}

TEST(Adam, RateWarmsUpAndFalls) {
  AdamOptions options;
  options.learning_rate = 2;
  options.cosine = true;
  options.warm_up = 0.1;
  options.final_rate = 0.25;
  const Adam adam(1, options, 100);
  EXPECT_DOUBLE_EQ(adam.rate(0), 0.2);
  EXPECT_DOUBLE_EQ(adam.rate(9), 2);
  EXPECT_DOUBLE_EQ(adam.rate(10), 2);
  EXPECT_DOUBLE_EQ(adam.rate(55), 2 * (0.25 + 0.75 * 0.5));
  EXPECT_DOUBLE_EQ(adam.rate(100), 0.5);
}

TEST(Adam, ContinuesBitForBitAndRefusesInfinity) {
  Adam whole(2, {}, 10), first(2, {}, 10), second(2, {}, 10);
  Vector p{{1.0, 2.0}}, q = p;
  for (int i = 0; i < 6; ++i) whole.step(p, p.array().sin().matrix());
  for (int i = 0; i < 3; ++i) first.step(q, q.array().sin().matrix());
  second.restore(parse_json(first.to_json().dump(), "state"), "state");
  for (int i = 0; i < 3; ++i) second.step(q, q.array().sin().matrix());
  EXPECT_EQ(p, q);
  EXPECT_ERROR(second.step(q, Vector{{1.0, INFINITY}}),
               "the gradient is no longer finite at step 7; use a smaller learning rate");
}

TEST(CheckGradient, TellsRightFromWrong) {
  const auto function = [](const Vector& p) { return std::sin(p[0]) * std::exp(p[1]); };
  const Vector at{{0.4, -0.3}};
  Vector gradient{{std::cos(0.4) * std::exp(-0.3), std::sin(0.4) * std::exp(-0.3)}};
  EXPECT_LT(check_gradient(function, at, gradient).worst, 1e-10);
  gradient[1] += 1e-6;
  const GradientCheck check = check_gradient(function, at, gradient);
  EXPECT_NEAR(check.worst, 1e-6, 1e-9);
  EXPECT_EQ(check.column, 1);
}

TEST(NormalEquations, BlocksAddUp) {
  Random random(3);
  Matrix jacobian = Matrix::NullaryExpr(50, 7, [&] { return random.normal(); });
  Vector residuals = Vector::NullaryExpr(50, [&] { return random.normal(); });
  NormalEquations one(7), two(7);
  one.add(jacobian.topRows(20), residuals.head(20));
  two.add(jacobian.bottomRows(30), residuals.tail(30));
  one.add(two);
  const Matrix full = jacobian.transpose() * jacobian;
  EXPECT_LT((one.jtj() - Matrix(full.triangularView<Eigen::Lower>())).norm(), 1e-12);
  EXPECT_LT((one.jtr() - jacobian.transpose() * residuals).norm(), 1e-12);
  EXPECT_NEAR(one.cost(), 0.5 * residuals.squaredNorm(), 1e-12);
}

}  // namespace
}  // namespace filigree::dynamics
