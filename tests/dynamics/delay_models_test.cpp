#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "dynamics/analog.h"
#include "dynamics/delay_polynomial.h"
#include "dynamics/kernel.h"
#include "dynamics/local_linear.h"
#include "dynamics/metrics.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// Fourth-order Runge-Kutta steps of Lorenz-63, ten to a sample.
Matrix lorenz(Eigen::Index samples, double dt, Eigen::Vector3d state) {
  const auto field = [](const Eigen::Vector3d& s) {
    return Eigen::Vector3d(10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8.0 / 3 * s[2]);
  };
  Matrix result(samples, 3);
  const double h = dt / 10;
  for (Eigen::Index i = 0; i < samples; ++i) {
    result.row(i) = state.transpose();
    for (int k = 0; k < 10; ++k) {
      const Eigen::Vector3d a = field(state), b = field(state + h / 2 * a), c = field(state + h / 2 * b);
      const Eigen::Vector3d d = field(state + h * c);
      state += h / 6 * (a + 2 * b + 2 * c + d);
    }
  }
  return result;
}

Dataset lorenz_data(Eigen::Index samples, double dt) {
  Dataset data{{"x", "y", "z"}, {}, dt, {}};
  data.runs.push_back({lorenz(samples, dt, {17.67715816276679, 12.931379185960404, 43.91404334248268})});
  return data;
}

Dataset sine(Eigen::Index samples) {
  Dataset data{{"x"}, {}, 1, {}};
  Matrix x(samples, 1);
  for (Eigen::Index i = 0; i < samples; ++i) x(i, 0) = 3 + 2 * std::sin(0.1 * static_cast<double>(i));
  data.runs.push_back({x});
  return data;
}

TEST(Delay, LagsAndReach) {
  EXPECT_EQ(lags({4, 3, 1, LagPattern::uniform}), (std::vector<Eigen::Index>{0, 3, 6, 9}));
  EXPECT_EQ(lags({4, 2, 1, LagPattern::growing}), (std::vector<Eigen::Index>{0, 2, 6, 12}));
  EXPECT_EQ(reach({4, 3, 5, LagPattern::uniform}), 14);
  EXPECT_EQ(describe(Delay{4, 3, 5, LagPattern::growing}), "4 samples, 3 apart and growing, lead 5");
}

TEST(Delay, PairsHoldWhatTheySay) {
  Dataset data{{"x", "y"}, {}, 1, {}};
  data.runs.push_back({Matrix{{0.0, 10.0}, {1.0, 20.0}, {4.0, 40.0}, {9.0, 80.0}, {16.0, 160.0}}});
  const DelayPairs pairs = delay_pairs(data, Normaliser::identity(2), {2, 2, 1, LagPattern::uniform}, {});
  EXPECT_EQ(pairs.inputs, (Matrix{{4.0, 9.0}, {40.0, 80.0}, {0.0, 1.0}, {10.0, 20.0}}));
  EXPECT_EQ(pairs.increments, (Matrix{{5.0, 7.0}, {40.0, 80.0}}));
}

TEST(Delay, NoWindowCrossesTwoRuns) {
  Dataset data{{"x"}, {}, 1, {}};
  data.runs.push_back({Matrix{{1.0}, {2.0}, {3.0}}});
  data.runs.push_back({Matrix{{100.0}, {101.0}}});  // too short for a window
  data.runs.push_back({Matrix{{-1.0}, {-2.0}, {-3.0}, {-4.0}}});
  const Delay delay{2, 1, 1, LagPattern::uniform};
  const DelayPairs pairs = delay_pairs(data, Normaliser::identity(1), delay, {});
  EXPECT_EQ(pairs.inputs, (Matrix{{2.0, -2.0, -3.0}, {1.0, -1.0, -2.0}}));
  EXPECT_EQ(pairs.increments, (Matrix{{1.0, -1.0, -1.0}}));
  // Thinned, the newest pair of each run stays.
  const DelayPairs thinned = delay_pairs(data, Normaliser::identity(1), delay, {2, 0});
  EXPECT_EQ(thinned.inputs, (Matrix{{2.0, -3.0}, {1.0, -2.0}}));
  EXPECT_EQ(delay_pairs(data, Normaliser::identity(1), delay, {0, 2}).inputs, thinned.inputs);
}

TEST(Delay, Errors) {
  EXPECT_ERROR(fit_kernel(sine(36), KernelOptions{}),
               "no run is as long as one delay window: 38 samples are needed (10 samples, 4 apart)");
  Dataset driven = sine(100);
  driven.control_names = {"u"};
  driven.runs[0].controls = Matrix::Zero(100, 1);
  EXPECT_ERROR(fit_kernel(driven, KernelOptions{}), "methods on delay vectors take no controls; the data has 1");
  Dataset broken = sine(100);
  broken.runs[0].states(41, 0) = std::nan("");
  EXPECT_ERROR(fit_kernel(broken, KernelOptions{}),
               "run 1, sample 42: x is not a finite number; fill or remove such samples first");
}

TEST(DelayModels, ASineIsContinued) {
  const Dataset data = sine(500);
  const Matrix truth = sine(700).runs[0].states.bottomRows(200);
  const auto error = [&](const ModelPtr& model) {
    return root_mean_squared_error(model->forecast(data.runs[0].states, 200), truth);
  };
  // The ridge of 1e-6 leaves errors of 1e-4 in these two.
  EXPECT_LT(error(fit_kernel(data, {})), 1e-3);
  EXPECT_LT(error(fit_local_linear(data, {})), 1e-3);
  EXPECT_LT(error(fit_delay_polynomial(data, {{2, 5, 1, LagPattern::uniform}, 1, 0})), 1e-9);
  EXPECT_LT(error(fit_analog(data, {})), 0.1);
}

TEST(DelayModels, ALongerLeadForecastsToo) {
  const Dataset data = sine(500);
  const Matrix truth = sine(600).runs[0].states.bottomRows(100);
  const ModelPtr model = fit_delay_polynomial(data, {{2, 5, 7, LagPattern::uniform}, 1, 0});
  EXPECT_EQ(model->history(), 12);
  EXPECT_LT(root_mean_squared_error(model->forecast(data.runs[0].states, 100), truth), 1e-9);
}

/// Lorenz-63 by the adaptive Bogacki-Shampine pair of order 3(2), relative tolerance 1e-3, absolute 1e-6, with its
/// cubic interpolant: the coarse "truth" of the reservoir paper. Step control as scipy/scipy: integrate/_ivp/{rk,common}.py.
class CoarseLorenz {
 public:
  using State = Eigen::Vector3d;

  explicit CoarseLorenz(State start) : new_(start), slope_(field(start)) {
    const State scale = State::Constant(1e-6) + 1e-3 * start.cwiseAbs();
    const double d0 = norm(start, scale), d1 = norm(slope_, scale), h0 = 0.01 * d0 / d1;
    const double d2 = norm(field(start + h0 * slope_) - slope_, scale) / h0;
    step_ = std::min(100 * h0, std::cbrt(0.01 / std::max(d1, d2)));
  }

  Matrix sample(Eigen::Index samples, double dt) {
    Matrix result(samples, 3);
    for (Eigen::Index i = 0; i < samples; ++i) {
      const double time = dt * static_cast<double>(i);
      while (time > time_) advance();
      const double x = taken_ > 0 ? (time - (time_ - taken_)) / taken_ : 0;
      const State p(x, x * x, x * x * x);
      result.row(i) = (taken_ > 0 ? State(old_ + taken_ * (coefficients_ * p)) : new_).transpose();
    }
    return result;
  }

 private:
  static State field(const State& s) {
    return {10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8.0 / 3 * s[2]};
  }
  static double norm(const State& value, const State& scale) {
    return value.cwiseQuotient(scale).norm() / std::sqrt(3.0);
  }

  void advance() {
    for (bool rejected = false;; rejected = true) {
      Eigen::Matrix<double, 3, 4> k;
      k.col(0) = slope_;
      k.col(1) = field(new_ + step_ / 2 * k.col(0));
      k.col(2) = field(new_ + step_ * 3 / 4 * k.col(1));
      const State next = new_ + step_ * (k.leftCols(3) * State(2.0 / 9, 1.0 / 3, 4.0 / 9));
      k.col(3) = field(next);
      const State scale = State::Constant(1e-6) + 1e-3 * new_.cwiseAbs().cwiseMax(next.cwiseAbs());
      const double error = norm(step_ * (k * Eigen::Vector4d(5.0 / 72, -1.0 / 12, -1.0 / 9, 1.0 / 8)), scale);
      if (error < 1) {
        const double factor = std::min(rejected ? 1.0 : 10.0, 0.9 / std::cbrt(error));
        Eigen::Matrix<double, 4, 3> interpolant;
        interpolant << 1, -4.0 / 3, 5.0 / 9, 0, 1, -2.0 / 3, 0, 4.0 / 3, -8.0 / 9, 0, -1, 1;
        coefficients_ = k * interpolant;
        old_ = new_;
        new_ = next;
        slope_ = k.col(3);
        taken_ = step_;
        time_ += step_;
        step_ *= factor;
        return;
      }
      step_ *= std::max(0.2, 0.9 / std::cbrt(error));
    }
  }

  State old_ = State::Zero(), new_, slope_;
  Eigen::Matrix3d coefficients_ = Eigen::Matrix3d::Zero();
  double time_ = 0, taken_ = 0, step_ = 0;
};

// Gauthier et al. 2021, quantinfo/ng-rc-paper-code: Lorenz, dt = 0.025, 400 pairs after 5 time units of warm-up, k = 2,
// 28 features, ridge 2.5e-6, error over one Lyapunov time (44 samples) in units of the total deviation. The same fit in
// NumPy (lstsq on scipy's RK23 samples) gives 6.19e-4, with normal equations as in the paper 2.47e-3; the paper has
// (2.40 ± 0.53)e-3 over ten segments. 1 %: the last digits of the samples grow with the chaos.
TEST(DelayPolynomial, NextGenerationReservoirOfLorenz) {
  const Matrix all = CoarseLorenz({17.67715816276679, 12.931379185960404, 43.91404334248268}).sample(5401, 0.025);
  EXPECT_NEAR(all(600, 0), 8.38033209, 1e-7);
  EXPECT_NEAR(all(600, 2), 14.45736694, 1e-7);
  Dataset data{{"x", "y", "z"}, {}, 0.025, {}};
  data.runs.push_back({all.middleRows(198, 402)});
  DelayPolynomialOptions options;
  options.normalise = false;
  const ModelPtr model = fit_delay_polynomial(data, options);
  EXPECT_EQ(delay_polynomial_features(6, 2), 28);
  EXPECT_EQ(model->cost().parameters, 3 * 28);
  const Matrix forecast = model->forecast(data.runs[0].states, 44);
  const double error = root_mean_squared_error(forecast, all.middleRows(600, 44)) * std::sqrt(3.0);
  EXPECT_NEAR(error / spread(all.topRows(4401)), 6.190649e-4, 6e-6);
}

// On exact samples nothing but the ridge keeps the two nearly equal delays apart: in units of the data it does.
TEST(DelayPolynomial, ExactSamplesOfLorenzNeedNormalisedFeatures) {
  const Dataset all = lorenz_data(200 + 402 + 44, 0.025);
  Dataset data{{"x", "y", "z"}, {}, 0.025, {}};
  data.runs.push_back({all.runs[0].states.middleRows(200, 402)});
  const Matrix forecast = fit_delay_polynomial(data, {})->forecast(data.runs[0].states, 44);
  const double error = root_mean_squared_error(forecast, all.runs[0].states.bottomRows(44)) * std::sqrt(3.0);
  EXPECT_LT(error / spread(data.runs[0].states), 0.02);
}

TEST(DelayModels, LorenzFromThreeCoordinatesAndTwoRuns) {
  const Dataset all = lorenz_data(1100, 0.02);
  Dataset data{{"x", "y", "z"}, {}, 0.02, {}};
  data.runs.push_back({all.runs[0].states.middleRows(100, 400)});
  data.runs.push_back({all.runs[0].states.middleRows(540, 500)});
  const Matrix past = all.runs[0].states.topRows(1040), truth = all.runs[0].states.bottomRows(60).topRows(25);
  const double unit = spread(all.runs[0].states);
  KernelOptions kernel;
  kernel.delay = {1, 1, 1, LagPattern::uniform};
  LocalLinearOptions local;
  local.delay = kernel.delay;
  AnalogOptions analog;
  analog.delay = kernel.delay;
  const auto error = [&](const ModelPtr& model) {
    return std::sqrt(3.0) * root_mean_squared_error(model->forecast(past, 25), truth) / unit;
  };
  EXPECT_LT(error(fit_kernel(data, kernel)), 0.02);
  EXPECT_LT(error(fit_local_linear(data, local)), 0.1);
  EXPECT_LT(error(fit_analog(data, analog)), 0.5);
}

TEST(DelayModels, AReloadedModelForecastsTheSame) {
  Dataset data = lorenz_data(300, 0.02);
  data.runs.push_back(lorenz_data(200, 0.02).runs[0]);
  const auto same = [&](const ModelPtr& model, auto load) {
    const Json json = parse_json(to_text(model->to_json()), "model.json");
    EXPECT_EQ(json.begin().key(), "method");
    EXPECT_EQ(json["method"], model->method());
    const ModelPtr again = load(json, "model.json");
    EXPECT_EQ(again->forecast(data.runs[0].states, 50), model->forecast(data.runs[0].states, 50)) << model->method();
    EXPECT_EQ(again->describe(), model->describe());
    EXPECT_EQ(again->history(), model->history());
    EXPECT_EQ(again->cost().operations, model->cost().operations);
  };
  same(fit_kernel(data, {}), load_kernel);
  same(fit_local_linear(data, {}), load_local_linear);
  same(fit_delay_polynomial(data, {}), load_delay_polynomial);
  same(fit_analog(data, {}), load_analog);
}

TEST(DelayModels, AForecastStaysNearTheRangeOfTheData) {
  // A polynomial that was fitted to a slow sine leaves every bound when it starts far outside: it is held.
  const ModelPtr model = fit_delay_polynomial(sine(300), {{2, 5, 1, LagPattern::uniform}, 5, 1e-12});
  const Matrix forecast = model->forecast(Matrix::Constant(6, 1, 1e3), 50);
  EXPECT_TRUE(forecast.allFinite());
  EXPECT_LE(forecast.maxCoeff(), 3 + 2 + 0.5 * 4 + 1e-9);
  EXPECT_GE(forecast.minCoeff(), 3 - 2 - 0.5 * 4 - 1e-9);
}

TEST(DelayModels, WhatCannotBeFittedIsNamed) {
  const Dataset data = sine(30);
  const Delay one{1, 1, 1, LagPattern::uniform};
  EXPECT_ERROR(fit_analog(data, {one, 29}), "29 neighbours need 30 delay vectors, the data has 29");
  EXPECT_ERROR(fit_local_linear(data, {one, 29}), "29 neighbours need 30 delay vectors, the data has 29");
  EXPECT_ERROR(fit_delay_polynomial(data, {{20, 1, 1, LagPattern::uniform}, 8}),
               "3108105 features are too many (at most 5000): lower degree or the delay's count");
  EXPECT_ERROR(fit_delay_polynomial(data, {{6, 1, 1, LagPattern::uniform}, 2, 0}),
               "28 features need as many delay vectors or a ridge greater than 0; the data has 24");
  EXPECT_ERROR(fit_kernel(data, {one, KernelShape::gaussian, 1e6, 1e-300}),
               "the kernel matrix of 29 delay vectors is not positive definite: raise ridge (now 1e-300)");
}

TEST(DelayModels, WhatCannotBeLoadedIsNamed) {
  Json kernel = fit_kernel(sine(60), {})->to_json();
  kernel["weights"][0].erase(0);
  EXPECT_ERROR(load_kernel(kernel, "m.json"), "m.json: weights[0] has 22 numbers where 23 are expected");
  kernel["frame"]["mean"].push_back(0.0);
  EXPECT_ERROR(load_kernel(kernel, "m.json"), "m.json: frame.mean has 2 numbers where frame.names has 1");
  kernel["frame"]["names"] = Json::array();
  EXPECT_ERROR(load_kernel(kernel, "m.json"), "m.json: frame.names must name at least one coordinate");
  Json analog = fit_analog(sine(60), {})->to_json();
  analog["options"]["neighbours"] = 60;
  EXPECT_ERROR(load_analog(analog, "m.json"), "m.json: 60 neighbours need 61 delay vectors, there are 39");
  analog["inputs"].erase(0);
  EXPECT_ERROR(load_analog(analog, "m.json"), "m.json: inputs has 5 rows where 6 are expected");
  Json local = fit_local_linear(sine(60), {})->to_json();
  local["options"]["neighbours"] = 60;
  EXPECT_ERROR(load_local_linear(local, "m.json"), "m.json: 60 neighbours need 61 delay vectors, there are 39");
  Json polynomial = fit_delay_polynomial(sine(60), {})->to_json();
  polynomial["frame"]["delay"]["count"] = 999;
  EXPECT_ERROR(load_delay_polynomial(polynomial, "m.json"), "m.json: 500500 features are too many (at most 5000)");
}

TEST(DelayModels, ForecastChecksItsHistory) {
  const ModelPtr model = fit_analog(sine(60), {});
  EXPECT_ERROR(model->forecast(Matrix::Zero(20, 1), 5),
               "the analog model needs 21 samples before the forecast, there are 20");
  EXPECT_ERROR(model->forecast(Matrix::Zero(30, 2), 5), "the analog model was fitted to 1 coordinates, not 2");
  EXPECT_EQ(model->forecast(Matrix::Constant(21, 1, 3.0), 0).rows(), 0);
}

}  // namespace
}  // namespace filigree::dynamics
