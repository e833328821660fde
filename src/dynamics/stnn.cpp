#include "dynamics/stnn.h"

#include <algorithm>

#include "base/cancel.h"
#include "base/error.h"
#include "dynamics/network_model.h"

namespace filigree::dynamics {
namespace {

constexpr Eigen::Index kWindow = 16;  // of a single series
constexpr Eigen::Index kTrialWindows = 3000;

NetworkPtr read_stnn(const Json& json, const std::string& where) {
  if (!json.is_object() || !json.contains("type") || json["type"] != "stnn") return nullptr;
  Json shape = json;
  shape.erase("type");
  const auto read = from_json<StnnShape>(shape, where);
  constexpr Eigen::Index limit = 1 << 20;
  if (read.inputs > limit || read.outputs > limit || read.channels > limit || read.blocks > limit ||
      read.layers > 1000) {
    fail("{}: a structured network of {} channels, {} blocks and {} layers is too large", where, read.channels,
         read.blocks, read.layers);
  }
  return std::make_shared<StnnNetwork>(read);
}

/// The first coordinate of the longest run, normalised: what the first layer's Hankel matrices are made of.
Vector longest_series(const Dataset& data, const Scaling& scaling) {
  const auto longest = std::max_element(data.runs.begin(), data.runs.end(),
                                        [](const auto& a, const auto& b) { return a.states.rows() < b.states.rows(); });
  return scaling.states.apply(longest->states).col(0);
}

}  // namespace

Eigen::Index stnn_history(const StnnOptions& options, Eigen::Index coordinates) {
  if (options.history > 0) return static_cast<Eigen::Index>(options.history);
  return coordinates > 1 ? 1 : kWindow;
}

NetworkPtr stnn_network(const StnnOptions& options, const StnnInput& input) {
  const Eigen::Index history = stnn_history(options, input.coordinates);
  StnnShape shape;
  shape.inputs = history * input.coordinates + input.controls;
  shape.outputs = input.coordinates;
  const auto room = static_cast<Eigen::Index>(structured::next_power_of_two(static_cast<std::size_t>(shape.inputs)));
  shape.channels = options.channels > 0 ? static_cast<Eigen::Index>(options.channels) : std::max(kWindow, room);
  shape.blocks = options.blocks;
  shape.layers = options.layers;
  shape.lift = history == 1;
  shape.bend = options.bend;
  shape.factors = options.factors;
  StnnStart start = input.start;
  if (shape.lift || !options.hankel_start) start.series.resize(0);
  if (!shape.lift) start.gains.resize(0);
  auto network = std::make_shared<StnnNetwork>(shape, std::move(start));
  return std::make_shared<ScaledNetwork>(std::move(network), input.change, true, (history - 1) * input.coordinates);
}

namespace {

/// Loss after a few steps of Levenberg–Marquardt on part of the data.
double trial_loss(const StnnOptions& options, const StnnInput& input, const TrainingRuns& runs) {
  TrainingOptions training = options.training;
  training.optimiser = Optimiser::levenberg_marquardt;
  training.epochs = options.trials;
  training.checkpoint.clear();
  training.resume = false;
  training.rollout = 1;
  Eigen::Index samples = 0;
  for (const TrainingRun& run : runs) samples += run.states.cols();
  if (samples > kTrialWindows) {
    training.windows_per_run = std::max(1, static_cast<int>(kTrialWindows / static_cast<Eigen::Index>(runs.size())));
  }
  const StepMap map{stnn_network(options, input), stnn_history(options, input.coordinates)};
  Random random = Random(static_cast<std::uint64_t>(training.seed)).fork(0);
  return train(map, map.network->initial(random), runs, {}, training).loss;
}

/// How fast the channels should vary with each coordinate at the start, one coordinate after another. A phase that runs
/// through many turns needs a far larger gain than a position, and descent does not find that by itself.
Vector choose_gains(const StnnOptions& options, StnnInput input, const TrainingRuns& runs) {
  const Eigen::Index inputs = input.coordinates + input.controls;
  input.start.gains = Vector::Ones(inputs);
  double best = trial_loss(options, input, runs);
  for (Eigen::Index i = 0; i < inputs; ++i) {
    double chosen = 1;
    for (const double gain : {0.3, 3.0, 10.0}) {
      if (cancelled()) break;
      input.start.gains(i) = gain;
      const double loss = trial_loss(options, input, runs);
      if (!(loss < best)) continue;
      best = loss;
      chosen = gain;
    }
    input.start.gains(i) = chosen;
  }
  return input.start.gains;
}

StnnStart choose_start(const Dataset& data, const StnnOptions& options, const Scaling& scaling) {
  const Eigen::Index inputs = data.dimension() + data.num_controls();
  StnnStart start{Vector::Ones(inputs), longest_series(data, scaling)};
  if (!options.gains.empty()) {
    if (static_cast<Eigen::Index>(options.gains.size()) != inputs) {
      fail("gains needs {} numbers, one for each coordinate and control, not {}", inputs, options.gains.size());
    }
    start.gains = Eigen::Map<const Vector>(options.gains.data(), inputs);
  } else if (options.trials > 0 && stnn_history(options, data.dimension()) == 1) {
    const TrainingOptions& training = options.training;
    const Split split = split_runs(normalised_runs(data, scaling), training.validation_share, training.seed);
    start.gains = choose_gains(options, {data.dimension(), data.num_controls(), scaling.change, start}, split.training);
  }
  return start;
}

}  // namespace

ModelPtr fit_stnn(const Dataset& data, const StnnOptions& options, const TrainingHooks& hooks) {
  NetworkMethod method;
  method.name = "stnn";
  method.history = stnn_history(options, data.dimension());
  method.training = options.training;
  method.build = [&](const Scaling& scaling) {
    return stnn_network(options,
                        {data.dimension(), data.num_controls(), scaling.change, choose_start(data, options, scaling)});
  };
  return fit_network(data, method, hooks);
}

ModelPtr load_stnn(const Json& json, const std::string& where) {
  return load_network_model(json, "stnn", where, read_stnn);
}

}  // namespace filigree::dynamics
