#include <array>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/text.h"
#include "dynamics/author_bench.h"
#include "dynamics/bench.h"
#include "dynamics/bench_tools.h"
#include "dynamics/mlp.h"
#include "dynamics/polynomial_propagator.h"
#include "dynamics/short_number.h"
#include "dynamics/sindy.h"
#include "dynamics/stnn.h"

namespace filigree::dynamics {
namespace {

/// How the structured network is fitted to each system: sizes by what it may have at most, a tenth of the published
/// perceptron's parameters (pendulum: a third). No setting depends on the test set.
struct Task {
  const char* system;  ///< of author_suite()
  const char* key;     ///< of the published runs
  const char* title;
  int blocks;
  int windows_per_run;  ///< in each step of Levenberg–Marquardt
  double share;         ///< of the published perceptron's parameters that are allowed
  bool beats_stnn;      ///< whether 20 times less error than the published StNN is aimed at
};
constexpr Task kTasks[] = {{"pendulum", "pendulum", "Pendulum", 2, 4, 1.0 / 3, true},
                           {"duffing", "duffing", "Duffing", 8, 6, 0.1, true},
                           {"forced-duffing", "forced_duffing", "Forced Duffing", 8, 6, 0.1, false}};

struct Result {
  std::int64_t parameters = 0;
  double one_step = 0;
  std::vector<double> rmse;
};

std::optional<Result> published_run(const Json& runs, const std::string& key, const std::vector<int>& horizons) {
  if (!runs.is_object() || !runs.contains(key)) return std::nullopt;
  const auto number = [&](const std::string& name) {
    const Json& run = runs[key];
    if (!run.is_object() || !run.contains(name) || !run[name].is_number()) {
      fail("stnn_published_runs.json: {} has no number '{}'", key, name);
    }
    return run[name].get<double>();
  };
  Result run{static_cast<std::int64_t>(number("trainable_parameters")), number("test_one_step_mse"), {}};
  for (const int horizon : horizons) run.rmse.push_back(number(fmt::format("test_rollout_rmse_h{}", horizon)));
  return run;
}

/// One system under construction, and the worst errors of the structured network over its seeds.
struct TaskTable {
  const AuthorSuite& suite;
  Table table;
  std::vector<double> worst;
  std::int64_t parameters = 0;
  Json figures = Json::array();
};

std::vector<std::string> header(const std::vector<int>& horizons) {
  std::vector<std::string> names{"model", "parameters", "one-step MSE"};
  for (const int horizon : horizons) names.push_back(fmt::format("RMSE to {}", horizon));
  names.emplace_back("training s");
  return names;
}

void add_row(Table& table, const std::string& name, const Result& result, const std::string& seconds) {
  std::vector<std::string> cells{name, text::with_thousands(result.parameters), short_number(result.one_step)};
  for (const double value : result.rmse) cells.push_back(short_number(value));
  cells.push_back(seconds);
  table.row(std::move(cells));
}

TrainingOptions training(const Task& task, const BenchSettings& settings, int seed) {
  TrainingOptions options;
  options.epochs = settings.quick ? 10 : 150;
  options.windows_per_run = task.windows_per_run;
  options.validation_share = 0.04;
  options.validation_horizon = 100;
  options.threads = settings.threads;
  options.seed = seed;
  return options;
}

/// Fits, scores and adds a row.
template <class Fit>
Result measure(TaskTable& own, const std::string& name, const Fit& fit) {
  ModelPtr model;
  const double seconds = seconds_of([&] { model = fit(); }, 1);
  AuthorScore score = score_author_suite(own.suite, *model);
  const Result result{model->cost().parameters, score.one_step_mse, std::move(score.rollout_rmse)};
  add_row(own.table, name, result, fmt::format("{:.1f}", seconds));
  Json row;
  row["model"] = name;
  row["parameters"] = result.parameters;
  row["one_step_mse"] = result.one_step;
  row["rollout_rmse"] = result.rmse;
  own.figures.push_back(std::move(row));
  return result;
}

ModelPtr structured(const Task& task, const AuthorSuite& suite, const BenchSettings& settings, int seed) {
  StnnOptions options;
  options.channels = 16;
  options.blocks = task.blocks;
  options.layers = 1;
  options.training = training(task, settings, seed);
  return fit_stnn(suite.train, options, {.progress = settings.progress});
}

ModelPtr perceptron(const Task& task, const AuthorSuite& suite, const BenchSettings& settings, int seed) {
  MlpOptions options;
  options.hidden = task.blocks == 2 ? std::vector<Eigen::Index>{12, 12} : std::vector<Eigen::Index>{24, 24};
  options.training = training(task, settings, seed);
  return fit_mlp(suite.train, options, {.progress = settings.progress});
}

void add_targets(BenchPart& part, const Task& task, const TaskTable& own, const std::optional<Result>& mlp,
                 const std::optional<Result>& stnn) {
  const auto worst_ratio = [&](const Result& other) {
    double ratio = 0;
    for (std::size_t k = 0; k < own.worst.size(); ++k) ratio = std::max(ratio, own.worst[k] / other.rmse[k]);
    return ratio;
  };
  const auto measured = [&](double ratio) {
    return fmt::format("{} × at worst, {} parameters", short_number(ratio), text::with_thousands(own.parameters));
  };
  if (mlp) {
    const auto allowed = static_cast<std::int64_t>(task.share * static_cast<double>(mlp->parameters));
    const double ratio = worst_ratio(*mlp);
    part.targets.push_back({fmt::format("{}: error over that of the published perceptron", task.title),
                            fmt::format("≤ 1 ×, ≤ {} parameters", text::with_thousands(allowed)), measured(ratio),
                            ratio <= 1 && own.parameters <= allowed});
  }
  if (stnn && task.beats_stnn) {
    const double ratio = worst_ratio(*stnn);
    part.targets.push_back({fmt::format("{}: error over that of the published StNN", task.title),
                            fmt::format("≤ 0.05 ×, ≤ {} parameters", text::with_thousands(stnn->parameters)),
                            measured(ratio), ratio <= 0.05 && own.parameters <= stnn->parameters});
  }
}

/// Which of the simpler methods do better, in a sentence; "" where none does.
std::string simpler_sentence(const Task& task, const TaskTable& own,
                             const std::vector<std::pair<std::string, double>>& others) {
  std::vector<std::string> better;
  for (const auto& [name, error] : others) {
    if (error < own.worst.back()) better.push_back(fmt::format("{} ({})", name, short_number(error)));
  }
  if (better.empty()) return "";
  return fmt::format("{}: better than the worst structured network at the last horizon ({}): {}.", task.title,
                     short_number(own.worst.back()), text::join(better, ", "));
}

void bench_task(BenchPart& part, const Task& task, const Json& published, const BenchSettings& settings) {
  AuthorSuite suite = author_suite(task.system);
  if (settings.quick) {
    suite.rollouts.resize(16);
    suite.train.runs.resize(300);
  }
  TaskTable own{suite, Table(header(suite.horizons)), std::vector<double>(suite.horizons.size(), 0.0)};
  const int seeds = settings.quick ? 1 : settings.seeds;
  for (int seed = 1; seed <= seeds && !cancelled(); ++seed) {
    const Result result = measure(own, fmt::format("structured network, seed {}", seed),
                                  [&] { return structured(task, suite, settings, seed); });
    own.parameters = result.parameters;
    for (std::size_t k = 0; k < result.rmse.size(); ++k) {
      own.worst[k] = std::isfinite(result.rmse[k]) ? std::max(own.worst[k], result.rmse[k]) : 1e300;
    }
  }
  own.table.rule();
  std::vector<std::pair<std::string, double>> others;
  const auto other = [&](const std::string& name, const auto& fit) {
    if (!cancelled()) others.emplace_back(name, measure(own, name, fit).rmse.back());
  };
  for (int seed = 1; seed <= seeds; ++seed) {
    other(fmt::format("perceptron of this size, seed {}", seed),
          [&] { return perceptron(task, suite, settings, seed); });
  }
  other("polynomial of degree 9", [&] { return fit_polynomial_propagator(suite.train, {.degree = 9}); });
  for (const int frequencies : {0, 1}) {
    other(frequencies == 0 ? "SINDy, cubic library" : "SINDy, cubic, sine and cosine", [&] {
      SindyOptions options;
      options.library.degree = 3;
      options.library.frequencies = frequencies;
      options.sparse.threshold = 0.05;
      return fit_sindy(suite.train, options);
    });
  }
  own.table.rule();
  const auto mlp = published_run(published, fmt::format("{}_mlp", task.key), suite.horizons);
  const auto stnn = published_run(published, fmt::format("{}_stnn", task.key), suite.horizons);
  for (const auto& [name, run] : {std::pair{"perceptron, published", mlp}, std::pair{"StNN, published", stnn}}) {
    if (run) add_row(own.table, name, *run, "");
  }
  part.tables.push_back({std::string(task.title) + ":", own.table});
  part.figures[task.key] = std::move(own.figures);
  add_targets(part, task, own, mlp, stnn);
  if (const std::string sentence = simpler_sentence(task, own, others); !sentence.empty())
    part.notes.push_back(sentence);
}

}  // namespace

BenchPart bench_author(const BenchSettings& settings) {
  BenchPart part{"author", "The structured network on its co-author's benchmark"};
  const Json published = load_json(settings.data / "stnn_published_runs.json");
  for (const Task& task : kTasks) {
    if (!cancelled()) bench_task(part, task, published, settings);
  }
  part.notes.push_back(
      "Roll-outs of 128 test runs from one state, in physical units; the same initial states, counts and times as "
      "published (LeviLingsch/StNN), integrated to 1e-10 and rounded to float32. The structured networks have n = 16 "
      "channels, one layer of separate blocks, the sine, and 150 steps of Levenberg-Marquardt on one-step errors.");
  return part;
}

}  // namespace filigree::dynamics
