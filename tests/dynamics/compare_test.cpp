#include "dynamics/compare.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

using testing::HasSubstr;

/// What the error says.
template <class Statement>
std::string message_of(const Statement& statement) {
  try {
    statement();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

Dataset waves(Eigen::Index samples, int runs) {
  Dataset data{{"x", "y"}, {}, 0.1, {}};
  for (int r = 0; r < runs; ++r) {
    Matrix states(samples, 2);
    for (Eigen::Index i = 0; i < samples; ++i) {
      states(i, 0) = (1 + 0.1 * r) * std::cos(0.1 * static_cast<double>(i));
      states(i, 1) = (1 + 0.1 * r) * std::sin(0.1 * static_cast<double>(i));
    }
    data.runs.push_back({states});
  }
  return data;
}

TEST(SplitData, OneRunIsCut) {
  const Experiment experiment = split_data(waves(100, 1), 0.2, "wave");
  EXPECT_EQ(experiment.train.num_samples(), 80);
  EXPECT_EQ(experiment.test.num_samples(), 100);
  EXPECT_EQ(experiment.begin, 80);
  EXPECT_EQ(experiment.longest, 10);
  EXPECT_EQ(experiment.train.runs[0].states, experiment.test.runs[0].states.topRows(80));
  EXPECT_THAT(message_of([&] { static_cast<void>(split_data(waves(3, 1), 0.2, "wave")); }),
              HasSubstr("wave: 3 samples are too few to learn from 2 and test on 1"));
  EXPECT_THAT(message_of([&] { static_cast<void>(split_data(waves(100, 1), 1, "wave")); }),
              HasSubstr("the share of the test must be between 0 and 1"));
}

TEST(SplitData, SeveralRunsAreKeptWhole) {
  const Experiment experiment = split_data(waves(100, 5), 0.2, "wave");
  EXPECT_EQ(experiment.train.runs.size(), 4U);
  EXPECT_EQ(experiment.test.runs.size(), 1U);
  EXPECT_EQ(experiment.begin, 25);
  EXPECT_EQ(experiment.longest, 75);
}

TEST(SimulateExperiment, ChaosHasALongTest) {
  const System lorenz = find_system("lorenz");
  SimulateOptions options;
  options.samples = 500;
  const Experiment experiment = simulate_experiment(lorenz, options);
  EXPECT_EQ(experiment.train.num_samples(), 500);
  ASSERT_TRUE(experiment.lyapunov);
  const double times = static_cast<double>(experiment.longest) * experiment.train.dt * *experiment.lyapunov;
  EXPECT_NEAR(times, 40, 0.1);
  options.parameters["rho"] = 27;
  EXPECT_FALSE(simulate_experiment(lorenz, options).lyapunov);
}

TEST(SimulateExperiment, SurplusRunsAreTheTest) {
  SimulateOptions options;
  options.samples = 50;
  options.runs = 8;
  const Experiment experiment = simulate_experiment(find_system("pendulum"), options);
  EXPECT_EQ(experiment.train.runs.size(), 8U);
  EXPECT_EQ(experiment.test.runs.size(), 2U);
}

TEST(Compare, FiguresOfALinearSystem) {
  // A rotation is a polynomial map of degree 1: exact but for rounding.
  const Experiment experiment = split_data(waves(400, 1), 0.25, "wave");
  CompareOptions options;
  options.methods = {"analog", "polynomial_propagator", "leads"};
  options.options["polynomial_propagator"]["degree"] = 1;
  options.horizons = {5, 50};
  options.windows = 4;
  const Comparison comparison = compare(experiment, options);
  ASSERT_EQ(comparison.rows.size(), 3U);
  const ComparedMethod& exact = comparison.rows[1];
  EXPECT_EQ(exact.reason, "");
  EXPECT_LT(exact.one_step, 1e-24);
  EXPECT_LT(exact.rmse[1], 1e-10);
  EXPECT_EQ(exact.valid, 50);
  EXPECT_EQ(exact.still_valid, 4);
  EXPECT_EQ(exact.growth.size(), 50);
  EXPECT_EQ(exact.cost.parameters, 3 * 2 + 2 + 2 * 2);  // coefficients, mean, whitening
  EXPECT_GT(exact.step_nanoseconds, 0);
  EXPECT_EQ(comparison.truth, experiment.test.runs[0].states.middleRows(300, 50));
  EXPECT_THAT(comparison.rows[2].reason, HasSubstr("LEADS learns several related systems"));
  EXPECT_EQ(best_first(comparison).front(), &exact);
  const std::string text = comparison_text(comparison);
  EXPECT_THAT(text,
              HasSubstr("wave: learned from 300 samples in 1 run, 0.1 apart; tested by 4 roll-outs of 50 samples"));
  EXPECT_THAT(text, HasSubstr("Best: polynomial_propagator in one-step MSE, RMSE to 5, RMSE to 50"));
  EXPECT_THAT(text, HasSubstr("leads has no forecasts: "));
  const Json json = comparison_json(comparison);
  EXPECT_EQ(json["methods"][1]["valid_samples"], 50.0);
  EXPECT_TRUE(json["lyapunov"].is_null());
  EXPECT_EQ(comparison_plots(comparison).growth.series.size(), 2U);
}

TEST(Compare, SaysWhereASimplerMethodIsBetter) {
  Comparison comparison;
  comparison.title = "made up";
  comparison.names = {"x"};
  comparison.horizons = {10};
  comparison.longest = comparison.windows = 10;
  const auto add = [&](const std::string& name, double error, std::int64_t size) {
    ComparedMethod row;
    row.name = name;
    row.cost = {size, 2 * size};
    row.rmse = {error};
    row.growth = Vector::Constant(10, error);
    row.rollout = Matrix::Zero(10, 1);
    comparison.rows.push_back(row);
  };
  add("dmd", 0.01, 4);
  add("stnn", 0.1, 100);
  add("mlp", 0.05, 50);
  std::string text = comparison_text(comparison);
  EXPECT_THAT(text, HasSubstr("The structured network is not the best here: dmd has an RMSE of 0.01 to 10 with 4 "
                              "parameters, stnn has an RMSE of 0.1 to 10 with 100 parameters."));
  EXPECT_THAT(text, HasSubstr("Simpler and better than mlp (50 parameters, an RMSE of 0.05 to 10): dmd (4 parameters, "
                              "an RMSE of 0.01 to 10)."));
  comparison.rows[1].rmse = {0.001};
  text = comparison_text(comparison);
  EXPECT_THAT(text, HasSubstr("The structured network is the best here: an RMSE of 0.001 to 10 with 100 parameters."));
  EXPECT_THAT(text, testing::Not(HasSubstr("Simpler and better than stnn")));
}

TEST(Compare, RefusesWhatCannotBe) {
  const Experiment experiment = split_data(waves(100, 1), 0.2, "wave");
  CompareOptions options;
  options.methods = {"analogue"};
  EXPECT_THAT(message_of([&] { static_cast<void>(compare(experiment, options)); }),
              HasSubstr("no method is called 'analogue'"));
  options.methods = {"analog"};
  options.horizons = {11};
  EXPECT_THAT(message_of([&] { static_cast<void>(compare(experiment, options)); }),
              HasSubstr("wave: horizons must be between 1 and the 10 samples"));
  options.horizons = {};
  options.windows = 0;
  EXPECT_THAT(message_of([&] { static_cast<void>(compare(experiment, options)); }),
              HasSubstr("the number of roll-outs must be at least 1"));
  Comparison nothing;
  nothing.title = "wave";
  EXPECT_THAT(message_of([&] { static_cast<void>(comparison_plots(nothing)); }), HasSubstr("no method could forecast"));
}

}  // namespace
}  // namespace filigree::dynamics
