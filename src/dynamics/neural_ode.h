#pragma once

#include "dynamics/mlp.h"

/// Neural ordinary differential equation (Chen, Rubanova, Bettencourt, Duvenaud 2018): dx/dt = net(x, u), with the
/// gradient of the discrete Runge–Kutta steps (discretise, then optimise).
namespace filigree::dynamics {

struct NeuralOdeOptions {
  std::vector<Eigen::Index> hidden = {32, 32};
  Activation activation = Activation::tanh;
  int steps = 1;  // Runge–Kutta steps between two samples
  RungeKutta rule = RungeKutta::classic;
  TrainingOptions training = {};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("hidden", self.hidden, "widths of the hidden layers", at_least(1));
    v.optional("activation", self.activation, "tanh, relu, silu, swish or sine");
    v.optional("steps", self.steps, "Runge-Kutta steps between two samples", at_least(1));
    v.optional("rule", self.rule, "classic or three_eighths");
    v.optional("training", self.training, "how it is trained");
  }
};

/// Error where the data is bad or too short for a window. Controls are constant between samples.
ModelPtr fit_neural_ode(const Dataset& data, const NeuralOdeOptions& options, const TrainingHooks& hooks = {});
ModelPtr load_neural_ode(const Json& json, const std::string& where);

}  // namespace filigree::dynamics
