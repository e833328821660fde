#include "dynamics/stnn.h"

#include <algorithm>

#include "base/error.h"
#include "dynamics/network_model.h"

namespace filigree::dynamics {
namespace {

constexpr Eigen::Index kWindow = 16;  // of a single series

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
  auto network = std::make_shared<StnnNetwork>(shape, options.hankel_start && !shape.lift ? input.series : Vector());
  return std::make_shared<ScaledNetwork>(std::move(network), input.change, true, (history - 1) * input.coordinates);
}

ModelPtr fit_stnn(const Dataset& data, const StnnOptions& options, const TrainingHooks& hooks) {
  NetworkMethod method;
  method.name = "stnn";
  method.history = stnn_history(options, data.dimension());
  method.training = options.training;
  method.build = [&](const Scaling& scaling) {
    return stnn_network(options,
                        {data.dimension(), data.num_controls(), scaling.change, longest_series(data, scaling)});
  };
  return fit_network(data, method, hooks);
}

ModelPtr load_stnn(const Json& json, const std::string& where) {
  return load_network_model(json, "stnn", where, read_stnn);
}

}  // namespace filigree::dynamics
