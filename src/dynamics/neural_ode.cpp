#include "dynamics/neural_ode.h"

#include "dynamics/network_model.h"

namespace filigree::dynamics {

ModelPtr fit_neural_ode(const Dataset& data, const NeuralOdeOptions& options, const TrainingHooks& hooks) {
  const auto build = [&](const Scaling& scaling) -> NetworkPtr {
    const Eigen::Index n = data.dimension();
    Mlp::Shape shape;
    shape.widths.push_back(n + data.num_controls());
    shape.widths.insert(shape.widths.end(), options.hidden.begin(), options.hidden.end());
    shape.widths.push_back(n);
    shape.activation = options.activation;
    shape.last_layer = 0.1;
    const auto rate = std::make_shared<ScaledNetwork>(std::make_shared<Mlp>(shape), scaling.change / data.dt, false);
    return std::make_shared<OdeNetwork>(rate, data.dt, options.steps, options.rule);
  };
  return fit_network(data, {"neural_ode", 1, options.training, build}, hooks);
}

ModelPtr load_neural_ode(const Json& json, const std::string& where) {
  return load_network_model(json, "neural_ode", where);
}

}  // namespace filigree::dynamics
