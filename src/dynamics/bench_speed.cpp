#include <fmt/format.h>

#include "base/cancel.h"
#include "dynamics/bench.h"
#include "dynamics/bench_tools.h"
#include "dynamics/mlp.h"
#include "dynamics/simulate.h"
#include "dynamics/sindy.h"
#include "dynamics/stnn.h"

namespace filigree::dynamics {
namespace {

constexpr Eigen::Index kSteps = 1000;

Dataset lorenz(std::int64_t samples) {
  SimulateOptions options;
  options.samples = samples;
  options.warm_up = 10;
  return simulate(find_system("lorenz"), options);
}

/// Nanoseconds of a step within a roll-out.
double step_time(const Model& model, const Dataset& data) {
  const Matrix past = data.runs.front().states.topRows(model.history());
  return 1e9 * seconds_of([&] { model.forecast(past, kSteps); }, 300) / static_cast<double>(kSteps);
}

}  // namespace

BenchPart bench_speed(const BenchSettings& settings) {
  BenchPart part{"speed", "Speed on one thread"};
  const Dataset small = lorenz(1000);
  Table table({"what", "parameters", "operations", "time"});
  double slowest = 0;
  for (const int layers : {1, 2}) {
    StnnOptions options;
    options.channels = 16;
    options.blocks = 4;
    options.layers = layers;
    options.training.epochs = 5;
    const ModelPtr model = fit_stnn(small, options);
    const double ns = step_time(*model, small);
    slowest = std::max(slowest, ns);
    table.row(
        {fmt::format("a step of the structured network, n = 16, 4 blocks, {} layer{}", layers, layers > 1 ? "s" : ""),
         fmt::format("{}", model->cost().parameters), fmt::format("{}", model->cost().operations),
         fmt::format("{:.0f} ns", ns)});
    part.figures[fmt::format("stnn_{}_layers_ns", layers)] = ns;
  }
  MlpOptions perceptron;
  perceptron.hidden = {16, 16};
  perceptron.training.epochs = 5;
  const ModelPtr mlp = fit_mlp(small, perceptron);
  table.row({"a step of a perceptron, two hidden layers of 16", fmt::format("{}", mlp->cost().parameters),
             fmt::format("{}", mlp->cost().operations), fmt::format("{:.0f} ns", step_time(*mlp, small))});
  const Dataset large = lorenz(settings.quick ? 10'000 : 100'000);
  const double sindy_ms = 1e3 * seconds_of([&] { fit_sindy(large, SindyOptions()); }, 5);
  table.row({fmt::format("a fit of SINDy to {} samples of Lorenz, degree 2", large.num_samples()), "", "",
             fmt::format("{:.1f} ms", sindy_ms)});
  part.figures["sindy_ms"] = sindy_ms;
  part.tables.push_back({"The least of several runs. A step is one of a roll-out of 1,000.", table});
  part.targets = {
      {"a step of the structured network, n = 16, 4 blocks, 1 or 2 layers", "≤ 1 µs",
       fmt::format("{:.2f} µs at most", slowest / 1e3), slowest <= 1000},
      {"SINDy on 100,000 samples of Lorenz", "≤ 50 ms", fmt::format("{:.1f} ms", sindy_ms), sindy_ms <= 50}};
  return part;
}

}  // namespace filigree::dynamics
