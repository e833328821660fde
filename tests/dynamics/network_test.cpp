#include <cmath>

#include <gtest/gtest.h>

#include "dynamics/mlp.h"
#include "dynamics/network_model.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

constexpr double kTolerance = 1e-8;  // the differences themselves are good to about 1e-11

Matrix random_matrix(Random& random, Eigen::Index rows, Eigen::Index columns) {
  return Matrix::NullaryExpr(rows, columns, [&] { return random.normal(); });
}

/// Checks backward() with respect to parameters and inputs, and jacobian() with respect to both.
void check_derivatives(const Network& network, Random& random) {
  const Vector params = network.initial(random) + 0.1 * random_matrix(random, network.num_parameters(), 1);
  const Matrix x = random_matrix(random, network.inputs(), 3);
  const Matrix weights = random_matrix(random, network.outputs(), 3);
  const auto tape = network.make_tape();
  Matrix y, dx;
  const auto loss = [&](const Vector& p, const Matrix& at) {
    network.forward(p, at, y, *tape);
    return y.cwiseProduct(weights).sum();
  };
  loss(params, x);
  Vector dp = Vector::Zero(params.size());
  network.backward(params, *tape, weights, dp, &dx);
  const Vector flat = x.reshaped();
  const auto of_params = [&](const Vector& p) { return loss(p, x); };
  const auto of_inputs = [&](const Vector& v) { return loss(params, v.reshaped(x.rows(), x.cols())); };
  EXPECT_LT(check_gradient(of_params, params, dp).worst, kTolerance);
  EXPECT_LT(check_gradient(of_inputs, flat, dx.reshaped()).worst, kTolerance);

  Matrix y2, jp, jx, jp_slow, jx_slow;
  network.jacobian(params, x, y2, jp, jx);
  network.Network::jacobian(params, x, y, jp_slow, jx_slow);
  EXPECT_LT((y - y2).norm(), 1e-13);
  EXPECT_LT((jp - jp_slow).norm(), 1e-12 * (1 + jp.norm()));
  EXPECT_LT((jx - jx_slow).norm(), 1e-12 * (1 + jx.norm()));
}

TEST(Network, DerivativesOfThePerceptron) {
  Random random(5);
  for (const auto& [activation, name] : EnumNames<Activation>::table) {
    SCOPED_TRACE(name);
    check_derivatives(Mlp({.widths = {3, 7, 5, 2}, .activation = activation}), random);
  }
}

TEST(Network, DerivativesOfWrappers) {
  Random random(6);
  const auto inner = std::make_shared<Mlp>(Mlp::Shape{.widths = {5, 6, 2}, .activation = Activation::silu});
  check_derivatives(ScaledNetwork(inner, Vector{{0.5, 2.0}}, true, 2), random);
  check_derivatives(ScaledNetwork(inner, Vector{{0.5, 2.0}}, false), random);
  check_derivatives(OdeNetwork(inner, 0.3, 2), random);
  check_derivatives(OdeNetwork(inner, 0.3, 1, RungeKutta::three_eighths), random);
}

TEST(Network, ParametersOfThePublishedShape) {
  // 8,645 for one network of LEADS on Lotka–Volterra (yuan-yin/LEADS: forecasters.py).
  EXPECT_EQ(Mlp({.widths = {2, 64, 64, 64, 2}, .activation = Activation::swish}).num_parameters(), 8645);
}

/// dx/dt = A x as a perceptron without hidden layer.
TEST(Network, RungeKuttaHasFourthOrder) {
  const auto linear = std::make_shared<Mlp>(Mlp::Shape{.widths = {2, 2}});
  Vector params(6);
  params << 0, -1, 1, 0, 0, 0;  // the harmonic oscillator
  const Matrix x{{1.0}, {0.0}};
  const auto error = [&](int steps, RungeKutta rule) {
    const OdeNetwork network(linear, 1.0, steps, rule);
    Matrix y;
    network.forward(params, x, y, *network.make_tape());
    return (y - Matrix{{std::cos(1.0)}, {-std::sin(1.0)}}).norm();
  };
  for (const RungeKutta rule : {RungeKutta::classic, RungeKutta::three_eighths}) {
    EXPECT_NEAR(std::log2(error(10, rule) / error(20, rule)), 4, 0.1);
  }
}

TrainingRuns some_runs(Random& random, Eigen::Index dimension, Eigen::Index controls) {
  TrainingRuns runs;
  for (const Eigen::Index samples : {9, 12}) {
    runs.push_back({random_matrix(random, dimension, samples), random_matrix(random, controls, samples)});
  }
  return runs;
}

TEST(RolloutLoss, GradientThroughTheRollout) {
  Random random(8);
  for (const Eigen::Index history : {1, 3}) {
    const auto inner = std::make_shared<Mlp>(Mlp::Shape{.widths = {2 * history + 1, 5, 2}});
    const auto network = std::make_shared<ScaledNetwork>(inner, Vector::Constant(2, 0.3), true, 2 * (history - 1));
    const StepMap map{network, history};
    const TrainingRuns runs = some_runs(random, 2, 1);
    const std::vector<Window> windows = {{0, 0}, {1, 2}, {1, 4}};
    const Vector params = network->initial(random);
    for (const double chance : {0.0, 0.5}) {
      RolloutLoss loss(map, 4, 0.7);
      const auto value = [&](const Vector& p, Vector* gradient) {
        Random draws(17);
        return loss(runs, windows, p, gradient, [&] { return draws.uniform() < chance; });
      };
      // 24 numbers in 2 different draws: with chance 1/2 both kinds of step appear.
      Vector gradient;
      value(params, &gradient);
      // Data that a step starts from does not depend on the parameters, so plain differences apply.
      EXPECT_LT(check_gradient([&](const Vector& p) { return value(p, nullptr); }, params, gradient).worst, kTolerance);
    }
  }
}

TEST(RolloutLoss, ResidualsGiveTheLossAndItsGradient) {
  Random random(9);
  const auto inner = std::make_shared<Mlp>(Mlp::Shape{.widths = {7, 5, 2}});
  const auto network = std::make_shared<ScaledNetwork>(inner, Vector::Constant(2, 0.3), true, 4);
  const StepMap map{network, 3};
  const TrainingRuns runs = some_runs(random, 2, 1);
  const std::vector<Window> windows = all_windows(runs, 3 + 4, 2);
  const Vector params = network->initial(random);
  RolloutLoss loss(map, 4, 0.7);
  Vector gradient, r;
  Matrix jacobian;
  const double value = loss(runs, windows, params, &gradient);
  loss.residuals(runs, windows, params, static_cast<double>(windows.size()), r, &jacobian);
  EXPECT_NEAR(0.5 * r.squaredNorm(), value, 1e-13 * value);
  EXPECT_LT((jacobian.transpose() * r - gradient).norm(), 1e-12 * gradient.norm());
}

}  // namespace
}  // namespace filigree::dynamics
