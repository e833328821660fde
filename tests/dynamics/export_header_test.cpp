#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "dynamics/export_header.h"
#include "dynamics/mlp.h"
#include "dynamics/network_model.h"
#include "dynamics/stnn.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

constexpr Eigen::Index kSteps = 12;

/// A model to export, with a window and controls for it.
struct Case {
  std::string name;
  ModelPtr model;
  Matrix past, controls;
};

Matrix random_matrix(Random& random, Eigen::Index rows, Eigen::Index columns) {
  return Matrix::NullaryExpr(rows, columns, [&] { return random.normal(); });
}

struct Sizes {
  Eigen::Index states = 2, controls = 0, history = 1;
};

/// A model of random numbers; its roll-outs stay within bounds, as its activations do.
Case random_case(const std::string& name, const std::string& method, const Sizes& sizes, const NetworkPtr& network) {
  Random random(17);
  Scaling scaling;
  scaling.states = {random_matrix(random, sizes.states, 1), random_matrix(random, sizes.states, 1).cwiseAbs()};
  scaling.controls = {random_matrix(random, sizes.controls, 1), random_matrix(random, sizes.controls, 1).cwiseAbs()};
  Vector params = network->initial(random);
  for (double& value : params) value += 0.05 * random.normal();
  Case made{name, make_network_model(method, {network, sizes.history}, scaling, params, Json()), {}, {}};
  made.past = random_matrix(random, sizes.history, sizes.states);
  made.controls = random_matrix(random, kSteps, sizes.controls);
  return made;
}

Case stnn_case(const std::string& name, const Sizes& sizes, StnnShape shape) {
  shape.inputs = sizes.states * sizes.history + sizes.controls;
  shape.outputs = sizes.states;
  const auto network =
      std::make_shared<ScaledNetwork>(std::make_shared<StnnNetwork>(shape), Vector::Constant(sizes.states, 0.1), true,
                                      (sizes.history - 1) * sizes.states);
  return random_case(name, "stnn", sizes, network);
}

Case mlp_case(const std::string& name, const Sizes& sizes, Activation activation, bool residual) {
  Mlp::Shape shape;
  shape.widths = {sizes.states * sizes.history + sizes.controls, 7, 5, sizes.states};
  shape.activation = activation;
  shape.last_layer = 0.3;
  NetworkPtr network = std::make_shared<Mlp>(shape);
  if (residual) {
    network = std::make_shared<ScaledNetwork>(network, Vector::Constant(sizes.states, 0.1), true,
                                              (sizes.history - 1) * sizes.states);
  }
  return random_case(name, "mlp", sizes, network);
}

/// x becomes 1e40 x: its eighth step is no number any more.
Case diverging_case(const std::string& name) {
  const auto network = std::make_shared<Mlp>(Mlp::Shape{{2, 2}});
  Vector params = Vector::Zero(6);
  params[0] = params[3] = 1e40;
  Case made{
      name,
      make_network_model("mlp", {network, 1}, {Normaliser::identity(2), Normaliser::identity(0), {}}, params, Json()),
      Matrix::Constant(1, 2, 3.0), Matrix(kSteps, 0)};
  return made;
}

Dataset circles() {
  Dataset data;
  data.names = {"x", "y"};
  data.dt = 0.2;
  for (int r = 1; r <= 3; ++r) {
    Trajectory& run = data.runs.emplace_back();
    run.states.resize(30, 2);
    for (Eigen::Index i = 0; i < 30; ++i) {
      const double t = 0.2 * static_cast<double>(i);
      run.states.row(i) << r * std::cos(t), 3 + r * std::sin(t);
    }
  }
  return data;
}

Case fitted_case(const std::string& name, ModelPtr model) {
  const Matrix past = circles().runs[1].states.topRows(model->history());
  return {name, std::move(model), past, Matrix(kSteps, 0)};
}

std::vector<Case> all_cases() {
  const Sizes state{}, driven{3, 2, 1}, window{2, 0, 3}, driven_window{1, 1, 5};
  const auto fourier = Factors::fourier, twiddles = Factors::twiddles;
  std::vector<Case> cases;
  cases.push_back(stnn_case("lift_fourier", state, {.channels = 16, .blocks = 3, .layers = 2, .factors = fourier}));
  cases.push_back(stnn_case("lift_twiddles", driven,
                            {.channels = 8, .blocks = 2, .layers = 2, .bend = Bend::sine, .factors = twiddles}));
  cases.push_back(stnn_case("window_fourier", window,
                            {.channels = 8, .blocks = 2, .layers = 1, .lift = false, .bend = Bend::sine}));
  cases.push_back(stnn_case("window_twiddles", driven_window,
                            {.channels = 32, .blocks = 1, .layers = 3, .lift = false, .factors = twiddles}));
  cases.push_back(stnn_case("shallow_twiddles", driven_window, {.channels = 2, .layers = 1, .factors = twiddles}));
  cases.push_back(stnn_case("full_window", {2, 0, 2}, {.channels = 4, .blocks = 1, .layers = 2, .lift = false}));
  cases.push_back(mlp_case("dense_tanh", driven, Activation::tanh, true));
  cases.push_back(mlp_case("dense_relu", window, Activation::relu, true));
  cases.push_back(mlp_case("dense_silu", state, Activation::silu, false));
  cases.push_back(mlp_case("dense_swish", driven_window, Activation::swish, true));
  cases.push_back(mlp_case("dense_sine", state, Activation::sine, true));
  cases.push_back(diverging_case("diverging"));
  StnnOptions stnn;
  stnn.trials = 0;
  stnn.training.epochs = 3;
  cases.push_back(fitted_case("fitted_stnn", fit_stnn(circles(), stnn)));
  MlpOptions mlp;
  mlp.hidden = {6};
  mlp.training.epochs = 3;
  cases.push_back(fitted_case("fitted_mlp", fit_mlp(circles(), mlp)));
  return cases;
}

/// Rows one behind another, as source text.
std::string numbers(const Matrix& matrix) {
  std::string text;
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    for (Eigen::Index j = 0; j < matrix.cols(); ++j) text += fmt::format("{:.17g}, ", matrix(i, j));
  }
  return text.empty() ? "0" : text;
}

/// A program that prints one step and a roll-out of every case.
std::string program_text(const std::vector<Case>& cases) {
  std::string text = "#include <cstdio>\n", body;
  for (const Case& c : cases) {
    text += fmt::format("#include \"{}.h\"\n", c.name);
    body += fmt::format(
        "  {{\n    const double window[] = {{{1}}}, controls[] = {{{2}}};\n"
        "    double next[{0}::num_states], states[{3} * {0}::num_states];\n"
        "    {0}::step(window, controls, next);\n    {0}::rollout(window, controls, {3}, states);\n"
        "    for (double x : next) std::printf(\"%.17g\\n\", x);\n"
        "    for (double x : states) std::printf(\"%.17g\\n\", x);\n  }}\n",
        c.name, numbers(c.past), numbers(c.controls), kSteps);
  }
  return text + "int main() {\n" + body + "  return 0;\n}\n";
}

TEST(ExportHeader, CompilesAloneAndForecastsTheSame) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "filigree_export_header";
  std::filesystem::create_directories(folder);
  const std::vector<Case> cases = all_cases();
  for (const Case& c : cases) write_file(folder / (c.name + ".h"), export_header(c.model->to_json(), c.name));
  write_file(folder / "program.cpp", program_text(cases));
  if (std::system("c++ --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "there is no compiler named c++";
  const std::string compile = fmt::format(
      "cd '{}' && c++ -std=c++17 -Wall -Wextra -Werror -Wpedantic -Wshadow "
      "-Wconversion -O2 program.cpp -o program && ./program > numbers.txt",
      folder.string());
  ASSERT_EQ(std::system(compile.c_str()), 0) << compile;
  std::istringstream printed(read_file(folder / "numbers.txt"));
  double worst = 0;
  for (const Case& c : cases) {
    const Matrix expected = c.model->forecast(c.past, kSteps, c.controls);
    for (Eigen::Index row = -1; row < kSteps; ++row) {
      for (Eigen::Index j = 0; j < expected.cols(); ++j) {
        std::string word;
        ASSERT_TRUE(printed >> word) << c.name;
        const double value = std::strtod(word.c_str(), nullptr), truth = expected(std::max<Eigen::Index>(row, 0), j);
        if (std::isnan(value) && std::isnan(truth)) continue;
        EXPECT_NEAR(value, truth, 1e-14 * std::max(1.0, std::abs(truth))) << c.name << " row " << row;
        worst = std::max(worst, std::abs(value - truth) / std::abs(truth));
      }
    }
  }
  RecordProperty("worst_relative_difference", fmt::format("{}", worst));
  std::filesystem::remove_all(folder);
}

TEST(ExportHeader, SaysWhatItIs) {
  const std::string text = export_header(
      random_case("a", "mlp", {}, std::make_shared<Mlp>(Mlp::Shape{{2, 3, 2}})).model->to_json(), "pendulum");
  EXPECT_NE(text.find("// pendulum: the next state of a system from its last state."), std::string::npos);
  EXPECT_NE(text.find("// 17 parameters, "), std::string::npos);
  EXPECT_NE(text.find("namespace pendulum {"), std::string::npos);
  EXPECT_NE(text.find("//   pendulum::step(window, controls, next);"), std::string::npos);
  const std::string fitted = export_header(all_cases().back().model->to_json(), "circle");
  EXPECT_NE(fitted.find("// Fit: epochs: 3; "), std::string::npos);
}

TEST(ExportHeader, Errors) {
  const Json model = mlp_case("a", {}, Activation::tanh, true).model->to_json();
  for (const std::string name : {"", "2b", "a-b", "_a", "a__b", "a b", "a_", "é"}) {
    EXPECT_ERROR(
        export_header(model, name),
        fmt::format("'{}' cannot be a namespace; take a letter, then letters, digits and single underscores", name));
  }
  for (const std::string name : {"class", "std", "log", "yn", "alignas"}) {
    EXPECT_ERROR(export_header(model, name),
                 fmt::format("'{}' cannot be a namespace, because C++ uses this word; take another name", name));
  }
  EXPECT_ERROR(export_header({{"method", "dmd"}}, "a"), "a model of method 'dmd' cannot be exported; stnn and mlp can");
  EXPECT_ERROR(export_header(Json::array(), "a"), "a model of method '' cannot be exported; stnn and mlp can");
  Json other = model;
  other["network"]["inner"] = model["network"];
  EXPECT_ERROR(export_header(other, "a"), "a model 'mlp' around a network 'scaled' cannot be exported");
  other = model;
  other["params"][0].erase(0);
  EXPECT_ERROR(export_header(other, "a"), "model: params has 72 numbers where the network has 73");
}

}  // namespace
}  // namespace filigree::dynamics
