#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "dynamics/metrics.h"
#include "dynamics/mlp.h"
#include "dynamics/network_model.h"
#include "dynamics/neural_ode.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// A damped, driven pendulum by fine Runge–Kutta steps, one run for each length.
Dataset pendulum(const std::vector<Eigen::Index>& lengths, bool driven) {
  Dataset data;
  data.names = {"angle", "speed"};
  if (driven) data.control_names = {"torque"};
  data.dt = 0.2;
  Random random(11);
  for (const Eigen::Index length : lengths) {
    Trajectory& run = data.runs.emplace_back();
    run.states.resize(length, 2);
    run.controls.resize(driven ? length : 0, driven ? 1 : 0);
    Eigen::Vector2d x(random.uniform(-1.5, 1.5), random.uniform(-1, 1));
    for (Eigen::Index i = 0; i < length; ++i) {
      const double u = driven ? random.uniform(-1, 1) : 0;
      if (driven) run.controls(i, 0) = u;
      run.states.row(i) = x.transpose();
      const auto rate = [&](const Eigen::Vector2d& s) {
        return Eigen::Vector2d(s[1], -std::sin(s[0]) - 0.15 * s[1] + u);
      };
      const double h = data.dt / 20;
      for (int step = 0; step < 20; ++step) {
        const Eigen::Vector2d k1 = rate(x), k2 = rate(x + h / 2 * k1), k3 = rate(x + h / 2 * k2), k4 = rate(x + h * k3);
        x += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4);
      }
    }
  }
  return data;
}

double forecast_error(const Model& model, const Trajectory& run) {
  const Eigen::Index h = model.history(), steps = run.states.rows() - h;
  const Matrix controls = run.controls.cols() > 0 ? run.controls.bottomRows(steps + 1).eval() : Matrix();
  return root_mean_squared_error(model.forecast(run.states.topRows(h), steps, controls), run.states.bottomRows(steps));
}

MlpOptions small_options() {
  MlpOptions options;
  options.hidden = {10};
  options.training.epochs = 60;
  return options;
}

TEST(FitMlp, LearnsAPendulumByLevenbergMarquardt) {
  const Dataset data = pendulum({60, 45, 50, 70, 60, 60}, false);
  const ModelPtr model = fit_mlp(data, small_options());
  EXPECT_LT(forecast_error(*model, data.runs[1]), 0.01);
  EXPECT_EQ(model->cost().parameters, 2 * 10 + 10 + 10 * 2 + 2);
}

TEST(FitMlp, RolloutAndControlsAndHistory) {
  const Dataset data = pendulum({60, 45, 50, 70, 60, 60}, true);
  MlpOptions options = small_options();
  options.history = 2;
  options.training.rollout = 3;
  options.training.epochs = 30;
  const ModelPtr model = fit_mlp(data, options);
  EXPECT_EQ(model->history(), 2);
  EXPECT_LT(forecast_error(*model, data.runs[3]), 0.05);
  EXPECT_ERROR(model->forecast(data.runs[0].states, 5),
               "the mlp model needs 1 controls for each of the 5 steps; 0 x 0 numbers were given");
  EXPECT_ERROR(model->forecast(data.runs[0].states.topRows(1), 5),
               "the mlp model needs 2 samples before the forecast, there are 1");
}

TEST(FitNeuralOde, LearnsAPendulum) {
  const Dataset data = pendulum({40, 30, 40, 35}, false);
  NeuralOdeOptions options;
  options.hidden = {8};
  options.training.epochs = 40;
  const ModelPtr model = fit_neural_ode(data, options);
  EXPECT_LT(forecast_error(*model, data.runs[1]), 0.02);
  const ModelPtr again = load_neural_ode(parse_json(model->to_json().dump(), "m"), "m");
  const Matrix past = data.runs[0].states.topRows(1);
  EXPECT_EQ(model->forecast(past, 20), again->forecast(past, 20));
}

TEST(FitMlp, AdamLowersTheLoss) {
  const Dataset data = pendulum({60, 45, 50}, false);
  MlpOptions options = small_options();
  options.training.optimiser = Optimiser::adam;
  options.training.rollout = 4;
  options.training.teacher_start = 1;
  options.training.teacher_end = 0.2;
  options.training.adam.learning_rate = 1e-2;
  options.training.batch = 16;
  double first = 0, last = 0;
  TrainingHooks hooks;
  hooks.watch = [&](int epoch, double loss, double) {
    (epoch == 1 ? first : last) = loss;
    return true;
  };
  fit_mlp(data, options, hooks);
  EXPECT_LT(last, first / 20);
}

TEST(FitMlp, AReloadedModelForecastsTheSame) {
  const Dataset data = pendulum({40, 30, 40}, true);
  MlpOptions options = small_options();
  options.activation = Activation::swish;
  options.training.epochs = 5;
  const ModelPtr model = fit_mlp(data, options);
  const ModelPtr again = load_mlp(parse_json(model->to_json().dump(), "m.json"), "m.json");
  const Matrix past = data.runs[0].states.topRows(1), controls = data.runs[0].controls;
  EXPECT_EQ(model->forecast(past, 20, controls), again->forecast(past, 20, controls));
  EXPECT_EQ(model->to_json().dump(), again->to_json().dump());
}

TEST(FitMlp, DamagedModelsAreRefused) {
  const Dataset data = pendulum({20, 20, 20}, false);
  MlpOptions options = small_options();
  options.training.epochs = 1;
  const Json good = fit_mlp(data, options)->to_json();
  const auto with = [&](const char* key, const Json& value) {
    Json json = good;
    json[key] = value;
    return json;
  };
  EXPECT_ERROR(load_mlp(with("method", "dmd"), "m"), "m: the model is 'dmd', not 'mlp'");
  EXPECT_ERROR(load_mlp(with("params", {{1, 2}}), "m"), "m: params has 2 numbers where the network has 52");
  EXPECT_ERROR(load_mlp(with("params", {{1, 2}, {3, 4}}), "m"), "m: params must be one row of numbers, not 2");
  EXPECT_ERROR(load_mlp(with("mean", {{1}}), "m"),
               "m: means and scales do not fit a network of 2 inputs and 2 outputs");
  EXPECT_ERROR(load_mlp(with("network", {{"type", "fir"}}), "m"), "m: unknown type of network 'fir'");
  EXPECT_ERROR(load_mlp(Json::array(), "m"), "m: a saved network must be an object");
  Json missing = good;
  missing.erase("history");
  EXPECT_ERROR(load_mlp(missing, "m"), "m: 'history' is missing from the saved network");
}

TEST(FitMlp, DataThatHoldsNoWindowIsRefused) {
  MlpOptions options = small_options();
  options.training.rollout = 30;
  EXPECT_ERROR(fit_mlp(pendulum({20, 20}, false), options),
               "no training run has the 31 samples that a roll-out of 30 steps needs");
}

class Resume : public testing::TestWithParam<Optimiser> {
 protected:
  Resume() : path_(testing::TempDir() + "filigree_resume_" + std::string(enum_name(GetParam())) + ".json") {
    std::filesystem::remove(path_);
    options_ = small_options();
    options_.training.optimiser = GetParam();
    options_.training.epochs = 12;
    options_.training.rollout = 2;
    options_.training.teacher_start = GetParam() == Optimiser::adam ? 0.5 : 0;
    options_.training.evaluate_every = 3;
    options_.training.checkpoint = path_;
    options_.training.resume = true;
  }
  ~Resume() override { std::filesystem::remove(path_); }
  std::string path_;
  MlpOptions options_;
  Dataset data_ = pendulum({40, 30, 35}, false);
};

TEST_P(Resume, EqualsATrainingThatWasNotStopped) {
  const ModelPtr whole = fit_mlp(data_, options_);
  std::filesystem::remove(path_);
  TrainingHooks hooks;
  hooks.watch = [](int epoch, double, double) {
    if (epoch == 7) request_cancel();
    return true;
  };
  fit_mlp(data_, options_, hooks);
  reset_cancel();
  const Json checkpoint = load_json(path_);
  EXPECT_EQ(checkpoint["epoch"], 7);
  const ModelPtr resumed = fit_mlp(data_, options_);
  EXPECT_EQ(whole->to_json().dump(), resumed->to_json().dump());
}

TEST_P(Resume, RefusesAnotherTraining) {
  fit_mlp(data_, options_);
  options_.hidden = {11};
  EXPECT_ERROR(fit_mlp(data_, options_), path_ +
                                             ": the checkpoint belongs to a training with other data or settings; "
                                             "remove it or restore them");
  write_file(path_, "{}");
  EXPECT_ERROR(fit_mlp(data_, options_), path_ + ": 'settings' is missing; it is not a checkpoint");
  options_.training.checkpoint.clear();
  EXPECT_ERROR(fit_mlp(data_, options_), "resume=true needs the name of a checkpoint file");
}

INSTANTIATE_TEST_SUITE_P(Optimisers, Resume, testing::Values(Optimiser::adam, Optimiser::levenberg_marquardt));

TEST(SplitRuns, KeepsWholeRunsOrTheEnd) {
  TrainingRuns runs(5);
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i].states = Matrix::Constant(1, 10, static_cast<double>(i));
  const Split several = split_runs(runs, 0.3, 1);
  EXPECT_EQ(several.training.size(), 3U);
  EXPECT_EQ(several.validation.size(), 2U);
  runs.resize(1);
  const Split one = split_runs(runs, 0.25, 1);
  EXPECT_EQ(one.training[0].states.cols(), 7);
  EXPECT_EQ(one.validation[0].states.cols(), 3);
}

}  // namespace
}  // namespace filigree::dynamics
