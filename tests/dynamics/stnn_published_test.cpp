#include <cmath>

#include <gtest/gtest.h>

#include "dynamics/metrics.h"
#include "dynamics/network_model.h"
#include "dynamics/stnn_published.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

using Shape = StnnPublishedNetwork::Shape;
constexpr PublishedForm kPlain = PublishedForm::plain, kImproved = PublishedForm::improved;

Matrix random_matrix(Random& random, Eigen::Index rows, Eigen::Index columns) {
  return Matrix::NullaryExpr(rows, columns, [&] { return random.normal(); });
}

/// Damped pendulums from random starts.
Dataset pendulums(int runs, Eigen::Index samples) {
  Dataset data;
  data.names = {"angle", "speed"};
  data.dt = 0.1;
  Random random(5);
  for (int r = 0; r < runs; ++r) {
    Trajectory& run = data.runs.emplace_back();
    run.states.resize(samples, 2);
    double angle = random.uniform(-2, 2), speed = random.uniform(-1, 1);
    for (Eigen::Index i = 0; i < samples; ++i) {
      run.states.row(i) << angle, speed;
      for (int step = 0; step < 100; ++step) {
        speed -= 0.001 * (std::sin(angle) + 0.15 * speed);
        angle += 0.001 * speed;
      }
    }
  }
  return data;
}

TEST(StnnPublished, HasAsManyParametersAsReported) {
  const auto parameters = [](Eigen::Index n, Eigen::Index p, PublishedForm form, Eigen::Index hidden) {
    return StnnPublishedNetwork({.size = n, .blocks = p, .form = form, .hidden = hidden}).num_parameters();
  };
  EXPECT_EQ(parameters(2, 10, kPlain, 0), 94);
  EXPECT_EQ(parameters(2, 1024, kImproved, 1024), 13329);
  EXPECT_EQ(parameters(3, 1024, kImproved, 1024), 19484);
  EXPECT_EQ(StnnPublishedNetwork({.size = 2, .blocks = 10}).operations(), 16 + 10 * 40 + 4);
}

/// The formula with every matrix written out.
Vector written_out(const StnnPublishedNetwork& network, const Vector& params, const Vector& input) {
  const auto& at = network.layout();
  const Shape& s = network.shape();
  const Eigen::Index n = s.size, r = 2 * n;
  const Matrix eye = Matrix::Identity(n, n), f = params.segment(at.transform, n * n).reshaped(n, n);
  const Matrix grave = params.segment(at.grave, n).asDiagonal();
  Matrix h(r, r), halves = Matrix::Zero(r, r), permutation = Matrix::Zero(r, r), j(r, n), flip = Matrix::Zero(n, n);
  h << eye, eye, grave, -grave;
  halves << f, Matrix::Zero(n, n), Matrix::Zero(n, n), f;
  for (Eigen::Index k = 0; k < n; ++k) {
    permutation(k, 2 * k) = 1;
    permutation(n + k, 2 * k + 1) = 1;
    flip(k, n - 1 - k) = 1;
  }
  j << eye, Matrix::Zero(n, n);
  const Matrix fr = permutation.transpose() * halves * h;
  const auto each = [](const Vector& v, auto function) { return Vector(v.unaryExpr(function)); };
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  const auto silu = [&](double z) { return z * sigmoid(z); };
  const auto tanh = [](double z) { return std::tanh(z); };
  const bool improved = s.form == kImproved;
  Vector hat = params.segment(at.hat, r), x = input;
  if (improved) hat = each(hat, [](double z) { return std::log(1 + std::exp(z)) + 1e-4; });
  if (s.layer_norm) {
    const Vector centred = x.array() - x.mean();
    x = centred / std::sqrt(centred.squaredNorm() / static_cast<double>(n) + 1e-5);
    x = x.cwiseProduct(params.segment(at.norm, n)) + params.segment(at.norm_bias, n);
  }
  Vector out = params.segment(at.b4, n);
  for (Eigen::Index b = 0; b < s.blocks; ++b) {
    const Vector b1 = params.segment(at.b1 + b * r, r), b2 = params.segment(at.b2 + b * n, n);
    const Vector sum = fr * j * x;
    const Vector h1 = improved ? Vector(each(sum, tanh) + b1) : each(sum + b1, tanh);
    Vector h2 = j.transpose() * fr * hat.asDiagonal() * h1 + b2;
    if (improved)
      h2 = each(h2, [](double z) { return 0.5 * z * (1 + std::erf(z / std::sqrt(2.0))); });
    else
      h2 = each(h2, sigmoid);
    Vector h3 = flip * h2 + params.segment(at.b3 + b * n, n);
    h3 = improved ? each(h3, silu) : each(h3, [](double z) { return z > 0 ? z : 0.0; });
    out += params.segment(at.check, n).asDiagonal() * h3;
  }
  if (!improved) return out;
  const Eigen::Index width = s.hidden;
  const Vector hidden =
      each(params.segment(at.in, width * n).reshaped(width, n) * out + params.segment(at.in_bias, width), silu);
  out += (params.segment(at.out, n * width).reshaped(n, width) * hidden + params.segment(at.out_bias, n)).eval();
  return input + std::exp(params[at.scale]) * s.dt * out;
}

class Forms : public testing::TestWithParam<Shape> {
 protected:
  Forms() : network(GetParam(), {.own_biases = true, .residual_scale = 1.7}), random(8) {
    params = network.initial(random) + 0.1 * random_matrix(random, network.num_parameters(), 1);
    x = random_matrix(random, network.inputs(), 5);
  }
  StnnPublishedNetwork network;
  Random random;
  Vector params;
  Matrix x;
};
INSTANTIATE_TEST_SUITE_P(
    StnnPublished, Forms,
    testing::Values(Shape{.size = 2, .blocks = 3, .form = kPlain}, Shape{.size = 5, .blocks = 4, .form = kPlain},
                    Shape{.size = 3, .blocks = 4, .form = kImproved, .hidden = 6, .dt = 0.05},
                    Shape{.size = 4, .blocks = 2, .form = kImproved, .hidden = 5, .layer_norm = true, .dt = 0.3}));

TEST_P(Forms, EqualTheFormulaWrittenOut) {
  Matrix y;
  network.forward(params, x, y, *network.make_tape());
  for (Eigen::Index s = 0; s < x.cols(); ++s) {
    EXPECT_LT((y.col(s) - written_out(network, params, x.col(s))).norm(), 1e-13 * (1 + y.norm()));
  }
}

TEST_P(Forms, GradientsAgreeWithDifferences) {
  // The difference formula reaches 2e-3 to either side; keep the ReLU's kink out of its way.
  const auto& at = network.layout();
  const auto& s = network.shape();
  if (s.form == kPlain) {
    for (Eigen::Index i = at.b3; i < at.transform; ++i) params[i] = i % 3 == 0 ? -1.5 : 0.4;
  }
  const Matrix weights = random_matrix(random, network.outputs(), x.cols());
  const auto tape = network.make_tape();
  Matrix y, dx;
  const auto loss = [&](const Vector& p, const Matrix& at_x) {
    network.forward(p, at_x, y, *tape);
    return y.cwiseProduct(weights).sum();
  };
  loss(params, x);
  Vector dp = Vector::Zero(params.size());
  network.backward(params, *tape, weights, dp, &dx);
  EXPECT_LT(check_gradient([&](const Vector& p) { return loss(p, x); }, params, dp).worst, 1e-8);
  const auto of_inputs = [&](const Vector& v) { return loss(params, v.reshaped(x.rows(), x.cols())); };
  EXPECT_LT(check_gradient(of_inputs, Vector(x.reshaped()), dx.reshaped()).worst, 1e-8);
}

/// Bias spread after 40 epochs of Adam, with roll-outs and partial batches.
double spread_after_training(PublishedForm form, bool own_biases) {
  const Dataset data = pendulums(7, 30);
  const StnnPublishedNetwork network({.size = 2, .blocks = 11, .form = form, .hidden = form == kPlain ? 0 : 8},
                                     {.own_biases = own_biases});
  const StepMap map{std::make_shared<StnnPublishedNetwork>(network), 1};
  const TrainingRuns runs = normalised_runs(data, scaling_of(data));
  TrainingOptions options = StnnPublishedOptions().training;
  options.epochs = 40;
  options.batch = 5;
  options.rollout = 3;
  options.windows_per_run = 3;
  Random random(2);
  const Vector start = network.initial(random);
  const TrainingResult result = train(map, start, runs, {}, options);
  EXPECT_GT((result.params - start).head(network.layout().transform).cwiseAbs().minCoeff(), 1e-6);  // biases do move
  return network.bias_spread(result.params);
}

TEST(StnnPublished, BlocksThatStartEqualStayEqualToTheLastBit) {
  EXPECT_EQ(spread_after_training(kPlain, false), 0.0);
  EXPECT_EQ(spread_after_training(kImproved, false), 0.0);
}

TEST(StnnPublished, BlocksWithBiasesOfTheirOwnStayApart) {
  EXPECT_GT(spread_after_training(kPlain, true), 0.5);
  EXPECT_GT(spread_after_training(kImproved, true), 0.5);
}

TEST(StnnPublished, EqualBlocksAreOneBlockTimesTheirNumber) {
  const StnnPublishedNetwork one({.size = 3, .blocks = 1, .form = kPlain}),
      many({.size = 3, .blocks = 6, .form = kPlain});
  Random first(4), second(4);
  const Vector a = one.initial(first), b = many.initial(second);
  Vector scaled = a;
  scaled.segment(one.layout().check, 3) *= 6;
  Random random(6);
  const Matrix x = random_matrix(random, 3, 4);
  Matrix ya, yb;
  one.forward(scaled, x, ya, *one.make_tape());
  many.forward(b, x, yb, *many.make_tape());
  EXPECT_LT((ya - yb).norm(), 1e-14 * ya.norm());
}

StnnPublishedOptions small_options(PublishedForm form) {
  StnnPublishedOptions options;
  options.form = form;
  options.blocks = 4;
  options.hidden = 16;
  options.training.epochs = 20;
  options.training.windows_per_run = 0;
  options.training.rollout = 4;
  options.training.validation_horizon = 20;
  options.training.adam.learning_rate = 1e-2;
  return options;
}

TEST(StnnPublished, LearnsAPendulumAndReloadsBitForBit) {
  const Dataset data = pendulums(12, 40);
  for (const PublishedForm form : {kPlain, kImproved}) {
    StnnPublishedOptions options = small_options(form);
    options.layer_norm = false;
    options.normalise = form == kImproved;
    const ModelPtr model = fit_stnn_published(data, options);
    EXPECT_EQ(model->to_json()["training"]["block_bias_spread"], 0.0);
    const ModelPtr again = load_stnn_published(parse_json(model->to_json().dump(), "m"), "m");
    const Matrix past = data.runs[0].states.topRows(1);
    const Matrix forecast = model->forecast(past, 30);
    EXPECT_EQ(forecast, again->forecast(past, 30));
    EXPECT_EQ(model->to_json().dump(), again->to_json().dump());
    EXPECT_LT(root_mean_squared_error(forecast.topRows(10), data.runs[0].states.middleRows(1, 10)), 1.0);
  }
}

TEST(StnnPublished, Errors) {
  Dataset driven = pendulums(2, 20);
  driven.control_names = {"torque"};
  for (Trajectory& run : driven.runs) run.controls = Matrix::Zero(20, 1);
  EXPECT_ERROR(fit_stnn_published(driven, small_options(kPlain)),
               "the published structured network takes no controls, but the data has 1; use stnn");
  StnnPublishedOptions options = small_options(kPlain);
  options.training.epochs = 1;
  Json json = fit_stnn_published(pendulums(3, 20), options)->to_json();
  EXPECT_ERROR(load_stnn_published(Json{{"method", "mlp"}}, "m"), "m: the model is 'mlp', not 'stnn_published'");
  json["network"]["blocks"] = 5;
  EXPECT_ERROR(load_stnn_published(json, "m"), "m: params has 46 numbers where the network has 54");
  json["network"]["type"] = "other";
  EXPECT_ERROR(load_stnn_published(json, "m"), "m: unknown type of network 'other'");
}

}  // namespace
}  // namespace filigree::dynamics
