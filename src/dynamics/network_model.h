#pragma once

#include <functional>

#include "dynamics/model.h"
#include "dynamics/training.h"

/// A trained step map as a Model: normalisation around it, forecasts by roll-out.
namespace filigree::dynamics {

/// What a network is built for: numbers of the training data.
struct Scaling {
  Normaliser states, controls;
  Vector change;  ///< standard deviation of the change between samples, in normalised units
};
Scaling scaling_of(const Dataset& data);

/// The runs in normalised units.
TrainingRuns normalised_runs(const Dataset& data, const Scaling& scaling);

/// Splits: with two runs or more some whole runs, chosen by the seed, are kept for validation; a single run is cut and
/// its end kept.
struct Split {
  TrainingRuns training, validation;
};
Split split_runs(TrainingRuns runs, double validation_share, std::int64_t seed);

/// One method whose forecasts are roll-outs of a network.
struct NetworkMethod {
  std::string name;
  Eigen::Index history = 1;
  TrainingOptions training;
  std::function<NetworkPtr(const Scaling&)> build;
};

ModelPtr fit_network(const Dataset& data, const NetworkMethod& method, const TrainingHooks& hooks);

/// The model around parameters that were trained in another way; `about` says how.
ModelPtr make_network_model(const std::string& method, StepMap map, Scaling scaling, Vector params, Json about);

/// Reads what such a model wrote. `type` of a network is looked up in network_from_json, which knows mlp, scaled and
/// ode; `known` adds others.
using NetworkReader = std::function<NetworkPtr(const Json& json, const std::string& where)>;
NetworkPtr network_from_json(const Json& json, const std::string& where, const NetworkReader& known = {});
ModelPtr load_network_model(const Json& json, const std::string& method, const std::string& where,
                            const NetworkReader& known = {});

}  // namespace filigree::dynamics
