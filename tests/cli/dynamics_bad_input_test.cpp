#include <cmath>

#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"

/// Bad input to `filigree dynamics` ends in one sentence, an exit code of 1 (files and what cannot be done) or 2 (the
/// command line itself), and no file.
namespace filigree::test {
namespace {

using Words = std::vector<std::string>;

class DynamicsBadInput : public testing::Test {
 protected:
  void expect_failure(Words words, int code, const std::string& message) {
    words.insert(words.begin(), "dynamics");
    test::expect_failure(folder_, words, code, message);
  }

  /// Expects that `dynamics forecast` of this file fails so.
  void expect_bad_file(const std::string& content, const std::string& message, const Words& more = {}) {
    Words words{"forecast",
                "--input",
                folder_.write("series.csv", content),
                "--horizon",
                "10",
                "--output",
                folder_.path("forecast.csv"),
                "--plot",
                folder_.path("forecast.png")};
    words.insert(words.end(), more.begin(), more.end());
    expect_failure(words, 1, message);
  }

  static std::string wave(int samples) {
    std::string text;
    for (int i = 0; i < samples; ++i) text += fmt::format("{}\n", std::sin(0.3 * i));
    return text;
  }

  Folder folder_;
};

TEST_F(DynamicsBadInput, Files) {
  const std::string place = folder_.path("series.csv") + ": ";
  expect_bad_file("x,y\n1,2\n3\n", place + "line 3: column 'y' is missing; the row has 1 fields, expected 2");
  expect_bad_file("1,2\n3,4\n5\n", place + "line 3: the row has 1 fields, expected 2 as in line 1");
  expect_bad_file("x,y\n1,2\n3,four\n", place + "line 3, column 'y': expected a number, got 'four'");
  expect_bad_file("x\n1\nnan\n3\n", place + "line 3, column 'x'");
  expect_bad_file("x,y\n1,2\n3,\n4,5\n", place + "line 3, column 'y'");
  expect_bad_file("x\n1\ninf\n3\n", place + "line 3, column 'x': 'inf' is not a finite number");
  expect_bad_file("t,x\n0,1\n1,2\n2,2\n3,1\n5,3\n",
                  place + "line 6: the step of time is 2 where the others are 1 (they may differ by 0.001 of it)");
  expect_bad_file("t,x\n0,1\n1,2\n1,3\n", place + "line 4: the time 1 does not come after 1 of line 3");
  expect_bad_file("", "series.csv");
  expect_failure({"forecast", "--input", folder_.path("missing.csv"), "--horizon", "5"}, 1, "missing.csv");
}

TEST_F(DynamicsBadInput, SeriesFromWhichNothingIsLearned) {
  const std::string place = folder_.path("series.csv") + ": ";
  std::string constant;
  for (int i = 0; i < 100; ++i) constant += "7.5\n";
  expect_bad_file(constant, place + "column 'x' is constant (7.5) from the first row to the last");
  expect_bad_file(constant, place + "column 'x' is constant (7.5)", {"--method", "analog"});
  expect_bad_file(wave(30), place + "column 'x': the series has 30 samples; at least 60 are needed");
  expect_bad_file(wave(5), "samples", {"--method", "local_linear"});
}

TEST_F(DynamicsBadInput, NamesThatDoNotExist) {
  const std::string series = folder_.write("wave.csv", wave(100));
  const Words forecast{"forecast", "--input", series, "--horizon", "10", "--output", folder_.path("out.csv")};
  const auto with = [](Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  expect_failure(with(forecast, {"--method", "analogs"}), 2, "no method is called 'analogs'; did you mean 'analog'?");
  expect_failure(with(forecast, {"--method", "analog", "--set", "neighbors=3"}), 2,
                 "unknown key 'neighbors' at the top level; did you mean 'neighbours'?");
  expect_failure(with(forecast, {"--method", "analog", "--set", "neighbours"}), 2, "is not of the form key=value");
  expect_failure(with(forecast, {"--method", "analog", "--set", "neighbours=0"}), 2, "neighbours must be at least 1");
  expect_failure(with(forecast, {"--set", "neighbours=3"}), 2, "--set goes with --method NAME");
  expect_failure(with(forecast, {"--method", "analog", "--model", "m.json"}), 2, "give --method or --model, not both");
  expect_failure(with(forecast, {"--missing", "interpolat"}), 2, "did you mean 'interpolate'?");
  expect_failure(with(forecast, {"--columns", "y"}), 1, "y");
  expect_failure({"forecast", "--input", series, "--horizon", "0"}, 2, "takes a whole number from 1 to");
  const Words simulate{"simulate", "--output", folder_.path("out.csv"), "--system"};
  expect_failure(with(simulate, {"lorentz"}), 2, "no system is called 'lorentz'; did you mean 'lorenz'?");
  expect_failure(with(simulate, {"lorenz", "--set", "roh=3"}), 2, "has no parameter 'roh'; did you mean 'rho'?");
  expect_failure(with(simulate, {"lorenz", "--set", "rho=three"}), 2, "parameter 'rho' must be a number, not 'three'");
  expect_failure(with(simulate, {"lorenz", "--solver", "euler4"}), 2, "did you mean 'euler'?");
  expect_failure(with(simulate, {"lorenz", "--start", "1,2"}), 2, "--start has 2 numbers, but lorenz has 3");
  expect_failure(with(simulate, {"MackeyGlass"}), 2, "it has a delay");
  expect_failure({"compare", "--system", "lorenz", "--methods", "analog,mpl"}, 2, "did you mean 'mlp'?");
  expect_failure({"compare", "--system", "lorenz", "--set", "degree=3"}, 2, "is not of the form method.key=value");
  expect_failure({"compare"}, 2, "give one of --input FILE and --system NAME");
  expect_failure({"fit", "--system", "lorenz", "--input", series, "--method", "mlp"}, 2, "not both");
  expect_failure({"fit", "--system", "lorenz"}, 2, "--method is required");
}

TEST_F(DynamicsBadInput, SimulationsThatDiverge) {
  expect_failure(
      {"simulate", "--system", "lorenz", "--solver", "euler", "--dt", "1", "--output", folder_.path("x.csv")}, 1,
      "lorenz");
}

TEST_F(DynamicsBadInput, ForecastsThatDiverge) {
  std::string rows;
  for (int i = 0; i < 80; ++i) rows += fmt::format("{}\n", 1 + std::pow(1.2, i));
  const std::string input = folder_.write("growing.csv", rows);
  expect_failure({"forecast", "--input", input, "--horizon", "100000", "--method", "polynomial_propagator", "--set",
                  "degree=2", "--output", folder_.path("out.csv")},
                 1, "the forecast of the polynomial_propagator model leaves all bounds after ");
}

TEST_F(DynamicsBadInput, HavokDoesNotForecast) {
  const std::string series = folder_.write("wave.csv", wave(400));
  expect_failure({"forecast", "--input", series, "--horizon", "5", "--method", "havok", "--set", "window=20,rank=3",
                  "--output", folder_.path("out.csv")},
                 1, "havok cannot forecast: its linear system is driven by the forcing");
}

TEST_F(DynamicsBadInput, ModelFiles) {
  const std::string series = folder_.write("wave.csv", wave(100));
  const auto model = [&](const std::string& content, const std::string& message) {
    expect_failure({"forecast", "--input", series, "--horizon", "5", "--model", folder_.write("model.json", content)},
                   1, message);
  };
  model("{}", "model.json: is not a saved model: 'model' is missing");
  model("{\"names\": [\"x\"], \"controls\": [], \"dt\": 1, \"model\": {}}", "'method' is missing");
  model("{\"names\": [\"x\"], \"controls\": [], \"dt\": 1, \"model\": {\"method\": \"anlog\"}}",
        "method 'anlog' is not known; did you mean 'analog'?");
  model("{\"names\": [\"x\"], \"controls\": [], \"dt\": 0, \"model\": {}}", "dt must be greater than 0");
  model("[1", "model.json");
  const std::string saved = folder_.path("lorenz.json");
  EXPECT_EQ(
      run({"dynamics", "fit", "--system", "lorenz", "--samples", "200", "--method", "analog", "--output", saved}).code,
      0);
  expect_failure({"forecast", "--input", series, "--horizon", "5", "--model", saved}, 1,
                 "was fitted to the columns x, y, z, but");
}

TEST_F(DynamicsBadInput, ExportsThatCannotBe) {
  const std::string dmd = folder_.path("dmd.json"), mlp = folder_.path("mlp.json"), series = folder_.path("wave.csv");
  folder_.write("wave.csv", wave(80));
  ASSERT_EQ(run({"dynamics", "fit", "--input", series, "--method", "dmd", "--output", dmd}).code, 0);
  ASSERT_EQ(run({"dynamics", "fit", "--input", series, "--method", "mlp", "--set", "hidden=2,training.epochs=1",
                 "--output", mlp})
                .code,
            0);
  const std::string header = folder_.path("model.h");
  expect_failure({"export", "--model", dmd, "--output", header}, 1,
                 "a model of method 'dmd' cannot be exported; stnn and mlp can");
  expect_failure({"export", "--model", mlp, "--name", "double", "--output", header}, 1,
                 "'double' cannot be a namespace, because C++ uses this word; take another name");
  expect_failure({"export", "--model", folder_.path("none.json")}, 1, "none.json");
  expect_failure({"export"}, 2, "--model is required");
}

TEST_F(DynamicsBadInput, ComparisonsThatCannotBe) {
  const std::string series = folder_.write("wave.csv", wave(40));
  expect_failure(
      {"compare", "--input", series, "--methods", "analog", "--longest", "30", "--output", folder_.path("out.json")}, 1,
      "a roll-out of 30 samples does not fit into the test");
  expect_failure({"compare", "--input", series, "--methods", "analog", "--horizons", "50"}, 1,
                 "horizons must be between 1 and");
}

TEST_F(DynamicsBadInput, PlacesThatCannotBeWritten) {
  const std::string series = folder_.write("wave.csv", wave(100));
  expect_failure(
      {"forecast", "--input", series, "--horizon", "5", "--method", "analog", "--plot", folder_.path("new.gif")}, 2,
      "takes a name that ends in .png or .svg, not");
}

}  // namespace
}  // namespace filigree::test
