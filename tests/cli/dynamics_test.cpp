#include <algorithm>
#include <cmath>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"

/// `filigree dynamics`: each command as a user meets it.
namespace filigree::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

Words dynamics(Words words) {
  words.insert(words.begin(), "dynamics");
  return words;
}

bool is_png(const std::string& path) { return read_file(path).starts_with("\x89PNG"); }

std::vector<double> numbers(const std::string& text) {
  std::vector<double> values;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) values.push_back(std::stod(line));
  return values;
}

std::size_t count_lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// A sum of two sines, one number a line.
std::string series(int samples, int from = 0) {
  std::string text;
  for (int i = from; i < from + samples; ++i)
    text += fmt::format("{}\n", std::sin(0.2 * i) + 0.5 * std::sin(0.0731 * i));
  return text;
}

class Dynamics : public testing::Test {
 protected:
  /// A file of Lorenz samples.
  std::string lorenz(int samples) {
    const std::string file = folder_.path("lorenz.csv");
    const Ran ran = run(dynamics(
        {"simulate", "--system", "lorenz", "--samples", std::to_string(samples), "--warm-up", "20", "--output", file}));
    EXPECT_EQ(ran.code, 0) << ran.err;
    return file;
  }

  Folder folder_;
};

TEST_F(Dynamics, SystemsAreListed) {
  const Ran ran = run(dynamics({"systems"}));
  EXPECT_EQ(ran.code, 0);
  for (const char* part : {"lorenz ", "duffing", "lotka-volterra", "exponent", "is absent: it has a delay"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
  const Json json = run_json(dynamics({"systems", "--json"}));
  EXPECT_GE(json["systems"].size(), 60U);
  const auto found = std::find_if(json["systems"].begin(), json["systems"].end(),
                                  [](const Json& system) { return system["name"] == "lorenz"; });
  ASSERT_NE(found, json["systems"].end());
  EXPECT_EQ((*found)["dimension"], 3);
  EXPECT_EQ((*found)["parameters"]["rho"], 28.0);
  EXPECT_FALSE(json["absent"].empty());
}

TEST_F(Dynamics, SimulateWritesCsvAndNpyAndAPicture) {
  const std::string csv = folder_.path("a.csv"), npy = folder_.path("a.npy"), png = folder_.path("a.png");
  const Words common{"simulate", "--system", "lorenz", "--samples", "50", "--runs", "2", "--set", "rho=20,sigma=9"};
  Words first = common, second = common;
  first.insert(first.end(), {"--output", csv, "--plot", png});
  second.insert(second.end(), {"--output", npy});
  const Ran ran = run(dynamics(first));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, fmt::format("wrote {}\nwrote {}\n", csv, png));
  EXPECT_TRUE(read_file(csv).starts_with("run,t,x,y,z\n1,0,"));
  EXPECT_EQ(count_lines(read_file(csv)), 101U);
  EXPECT_TRUE(is_png(png));
  EXPECT_EQ(run(dynamics(second)).code, 0);
  EXPECT_TRUE(read_file(npy).starts_with("\x93NUMPY"));
}

TEST_F(Dynamics, SeedsRepeat) {
  const auto noisy = [&](const std::string& seed) {
    const std::string file = folder_.path("noisy.csv");
    EXPECT_EQ(run(dynamics({"simulate", "--system", "rossler", "--samples", "20", "--noise", "0.1", "--seed", seed,
                            "--output", file}))
                  .code,
              0);
    return read_file(file);
  };
  const std::string first = noisy("1");
  EXPECT_EQ(noisy("1"), first);
  EXPECT_NE(noisy("2"), first);
}

TEST_F(Dynamics, ForecastOfAColumnOfNumbers) {
  const std::string input = folder_.write("series.csv", series(400)), output = folder_.path("forecast.csv");
  const std::string png = folder_.path("forecast.png");
  const Ran ran = run(dynamics({"forecast", "--input", input, "--horizon", "50", "--output", output, "--plot", png}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("The best one is "));
  EXPECT_THAT(ran.err, HasSubstr("On the held-out parts"));
  EXPECT_TRUE(is_png(png));
  const std::vector<double> values = numbers(read_file(output)), truth = numbers(series(50, 400));
  ASSERT_EQ(values.size(), 50U);
  // The series is exactly predictable; a method that learned nothing is wrong by about 1.
  for (std::size_t i = 0; i < 50; ++i) EXPECT_NEAR(values[i], truth[i], 0.05) << i;
}

TEST_F(Dynamics, ForecastToTheScreen) {
  const std::string input = folder_.write("series.csv", "height\n" + series(200));
  const Ran ran = run(dynamics({"forecast", "--input", input, "--horizon", "7", "--method", "local-linear"}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(numbers(ran.out).size(), 7U);
  const Json json = run_json(dynamics({"forecast", "--input", input, "--horizon", "7", "--json"}));
  EXPECT_EQ(json["method"], "auto");
  EXPECT_EQ(json["forecast"].size(), 7U);
  EXPECT_EQ(json["band"].size(), 7U);
  EXPECT_EQ(json["names"], Json({"height"}));
}

TEST_F(Dynamics, ForecastOfSeveralColumns) {
  const std::string input = lorenz(600), output = folder_.path("f.csv");
  Ran ran = run(dynamics({"forecast", "--input", input, "--horizon", "5", "--output", output, "--method",
                          "polynomial_propagator", "--set", "degree=5"}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(read_file(output).starts_with("x,y,z\n"));
  EXPECT_EQ(count_lines(read_file(output)), 6U);
  ran = run(dynamics({"forecast", "--input", input, "--horizon", "5", "--columns", "x", "--method", "analog"}));
  EXPECT_EQ(numbers(ran.out).size(), 5U);
  ran = run(dynamics({"forecast", "--input", input, "--horizon", "5", "--columns", "x,z"}));
  EXPECT_THAT(ran.err, testing::AllOf(HasSubstr("x: The best one is "), HasSubstr("z: The best one is ")));
  EXPECT_TRUE(ran.out.starts_with("x,z\n")) << ran.out;
}

TEST_F(Dynamics, DrivenSystemsNeedTheirFuture) {
  std::string rows = "x,u\n", future = "u\n";
  const auto drive = [](int i) { return std::sin(0.7 * i) + std::cos(0.3 * i); };
  double x = 1;
  std::vector<double> truth;
  for (int i = 0; i < 60; ++i) {
    if (i < 50) rows += fmt::format("{},{}\n", x, drive(i));
    if (i >= 50) truth.push_back(x);
    if (i >= 50) future += fmt::format("{}\n", drive(i));
    x = 0.9 * x + drive(i);
  }
  const std::string input = folder_.write("driven.csv", rows), later = folder_.write("future.csv", future);
  const Words forecast{
      "forecast", "--input", input, "--controls", "u", "--horizon", "10", "--method", "polynomial_propagator",
      "--set",    "degree=1"};
  Ran ran = run(dynamics(forecast));
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("the system is driven by u, so its forecast needs their future values"));
  Words whole = forecast;
  whole.insert(whole.end(), {"--future", later});
  ran = run(dynamics(whole));
  EXPECT_EQ(ran.code, 0) << ran.err;
  const std::vector<double> values = numbers(ran.out);
  ASSERT_EQ(values.size(), 10U);
  for (std::size_t i = 0; i < 10; ++i) EXPECT_NEAR(values[i], truth[i], 1e-9);
}

TEST_F(Dynamics, ForecastAsNpy) {
  const std::string input = folder_.write("series.csv", series(200)), output = folder_.path("f.npy");
  EXPECT_EQ(run(dynamics({"forecast", "--input", input, "--horizon", "9", "--output", output})).code, 0);
  EXPECT_THAT(read_file(output), HasSubstr("'shape': (9, )"));
}

TEST_F(Dynamics, FittedModelForecastsAsTheMethodDoes) {
  const std::string input = lorenz(500), model = folder_.path("model.json");
  const Ran fit = run(
      dynamics({"fit", "--input", input, "--method", "polynomial_propagator", "--set", "degree=4", "--output", model}));
  EXPECT_EQ(fit.code, 0) << fit.err;
  for (const char* part : {"fitted to 500 samples of x, y, z", "parameters", "operations a step"}) {
    EXPECT_THAT(fit.out, HasSubstr(part));
  }
  const Ran saved = run(dynamics({"forecast", "--input", input, "--horizon", "20", "--model", model}));
  const Ran direct = run(dynamics(
      {"forecast", "--input", input, "--horizon", "20", "--method", "polynomial_propagator", "--set", "degree=4"}));
  EXPECT_EQ(saved.code, 0) << saved.err;
  EXPECT_EQ(saved.out, direct.out);
  EXPECT_FALSE(saved.out.empty());
}

TEST_F(Dynamics, FitOfASystemForScripts) {
  const Json json = run_json(dynamics({"fit", "--system", "lorenz", "--samples", "300", "--method", "mlp", "--set",
                                       "hidden=8,training.epochs=3", "--json"}));
  EXPECT_EQ(json["method"], "mlp");
  EXPECT_EQ(json["parameters"], (3 + 1) * 8 + (8 + 1) * 3);
  EXPECT_EQ(json["options"]["hidden"], Json({8}));
  EXPECT_EQ(json["options"]["training"]["epochs"], 3);
  EXPECT_EQ(json["samples"], 300);
}

TEST_F(Dynamics, ExportWritesAHeader) {
  const std::string model = folder_.path("small-model.json"), header = folder_.path("wave.h");
  ASSERT_EQ(run(dynamics({"fit", "--input", lorenz(300), "--method", "stnn", "--set", "channels=4,blocks=2,layers=1",
                          "--set", "training.epochs=3", "--output", model}))
                .code,
            0);
  const Ran written = run(dynamics({"export", "--model", model, "--output", header}));
  EXPECT_EQ(written.code, 0) << written.err;
  EXPECT_EQ(written.err, "wrote " + header + "\n");
  EXPECT_THAT(read_file(header), HasSubstr("namespace wave {"));
  const Ran printed = run(dynamics({"export", "--model", model}));
  EXPECT_THAT(printed.out, HasSubstr("namespace small_model {"));
  const Ran named = run(dynamics({"export", "--model", model, "--name", "plant"}));
  EXPECT_THAT(named.out, HasSubstr("namespace plant {"));
}

TEST_F(Dynamics, CompareTellsWhoIsBest) {
  const std::string plots = folder_.path("plots");
  const Ran ran = run(dynamics({"compare", "--system", "lorenz", "--samples", "1000", "--methods",
                                "analog,polynomial_propagator,havok,mlp,leads", "--set",
                                "polynomial_propagator.degree=5,mlp.hidden=8,mlp.training.epochs=5", "--longest", "500",
                                "--rollouts", "5", "--plot-folder", plots}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const char* part : {"learned from 1,000 samples in 1 run", "5 roll-outs of 500 samples", "one-step MSE",
                           "RMSE to 1 LT", "valid time, LT", "ns/step", "polynomial_propagator in one-step MSE",
                           "havok has no forecasts: havok cannot forecast",
                           "leads has no forecasts: LEADS learns several related systems together"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
  EXPECT_TRUE(is_png(plots + "/phase.png"));
  EXPECT_TRUE(is_png(plots + "/rollout.png"));
  EXPECT_TRUE(is_png(plots + "/growth.png"));
}

TEST_F(Dynamics, CompareOfAFileForScripts) {
  const std::string input = lorenz(600);
  const Json json = run_json(dynamics({"compare", "--input", input, "--methods", "analog,local_linear", "--horizons",
                                       "5,50", "--rollouts", "4", "--json"}));
  EXPECT_EQ(json["train_samples"], 480);
  EXPECT_EQ(json["horizons"], Json({5, 50}));
  ASSERT_EQ(json["methods"].size(), 2U);
  for (const Json& row : json["methods"]) {
    EXPECT_TRUE(row["reason"].is_null());
    EXPECT_EQ(row["rmse"].size(), 2U);
    for (const char* key : {"one_step_mse", "smape", "valid_samples", "training_seconds", "ns_per_step", "parameters",
                            "operations_per_step"}) {
      EXPECT_TRUE(row[key].is_number()) << key;
    }
  }
  EXPECT_TRUE(json["lyapunov"].is_null());
  EXPECT_THAT(json["findings"][0].get<std::string>(), HasSubstr("Best: "));
}

TEST_F(Dynamics, CompareKeepsWholeRunsForTheTest) {
  const Json json = run_json(dynamics({"compare", "--system", "pendulum", "--runs", "6", "--samples", "120",
                                       "--methods", "analog,polynomial_propagator", "--json"}));
  EXPECT_EQ(json["train_runs"], 6);
  EXPECT_EQ(json["train_samples"], 720);
}

}  // namespace
}  // namespace filigree::test
