#pragma once

#include <cstdint>
#include <vector>

#include "dynamics/model.h"
#include "dynamics/stnn_network.h"
#include "dynamics/training.h"

namespace filigree::dynamics {

/// Settings of the structured network. What is 0 is chosen from the data: one sample of history where the data have
/// several coordinates, a delay window of 16 samples where there is one; channels for the input, 16 at least.
struct StnnOptions {
  std::int64_t history = 0;
  std::int64_t channels = 0;
  int blocks = 4;
  int layers = 1;
  Bend bend = Bend::sine;
  Factors factors = Factors::fourier;
  bool hankel_start = true;
  std::vector<double> gains = {};
  int trials = 8;
  TrainingOptions training = {.epochs = 150, .rollout = 1, .windows_per_run = 0, .patience = 30};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("history", self.history, "samples in the window; 0: 1 for several coordinates, else 16", non_negative);
    v.optional("channels", self.channels, "width n, a power of two; 0: room for the input, at least 16", non_negative);
    v.optional("blocks", self.blocks, "separate blocks p", at_least(1));
    v.optional("layers", self.layers, "structured layers one behind another", at_least(1));
    v.optional("bend", self.bend, "tanh or sine");
    v.optional("factors", self.factors, "fourier: exact factors; twiddles: learned ones");
    v.optional("hankel_start", self.hankel_start, "windows start from Hankel matrices of the measurements");
    v.optional("gains", self.gains, "factors on each coordinate at the start; none: chosen by short trials", positive);
    v.optional("trials", self.trials, "steps of each short trial; 0 for none", non_negative);
    v.optional("training", self.training, "how it is trained");
  }
};

/// Fits a structured network that adds a change to the newest sample: a window of several samples is its own n channels
/// (no dense map), a single state is lifted to them. Data are normalised inside.
/// Error for data that are too short, or a window that does not fit the channels.
ModelPtr fit_stnn(const Dataset& data, const StnnOptions& options, const TrainingHooks& hooks = {});

/// Reads what its to_json() wrote.
ModelPtr load_stnn(const Json& json, const std::string& where);

/// The network for data of such size, with settings filled in; what fit_stnn() trains. `change`: typical change of each
/// coordinate between samples, in normalised units.
struct StnnInput {
  Eigen::Index coordinates = 1, controls = 0;
  Vector change;
  StnnStart start;  ///< of the parameters
};
NetworkPtr stnn_network(const StnnOptions& options, const StnnInput& input);

/// Samples of history that the options mean for so many coordinates.
Eigen::Index stnn_history(const StnnOptions& options, Eigen::Index coordinates);

}  // namespace filigree::dynamics
