#include "dynamics/network_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "dynamics/mlp.h"

namespace filigree::dynamics {
namespace {

Normaliser controls_normaliser(const Dataset& data) {
  Dataset controls;
  controls.names = data.control_names;
  if (data.num_controls() == 0) return Normaliser::identity(0);
  for (const Trajectory& run : data.runs) controls.runs.push_back({.states = run.controls});
  return Normaliser::of(controls);
}

}  // namespace

Scaling scaling_of(const Dataset& data) {
  Scaling scaling{Normaliser::of(data), controls_normaliser(data), Vector::Zero(data.dimension())};
  double count = 0;
  for (const Trajectory& run : data.runs) {
    const Eigen::Index changes = run.states.rows() - 1;
    scaling.change +=
        (run.states.bottomRows(changes) - run.states.topRows(changes)).colwise().squaredNorm().transpose();
    count += static_cast<double>(changes);
  }
  for (Eigen::Index i = 0; i < scaling.change.size(); ++i) {
    const double deviation = std::sqrt(scaling.change[i] / count) / scaling.states.scale[i];
    scaling.change[i] = deviation > 0 ? deviation : 1;
  }
  return scaling;
}

TrainingRuns normalised_runs(const Dataset& data, const Scaling& scaling) {
  TrainingRuns runs;
  for (const Trajectory& run : data.runs) {
    TrainingRun& added = runs.emplace_back();
    added.states = scaling.states.apply(run.states).transpose();
    if (data.num_controls() > 0) added.controls = scaling.controls.apply(run.controls).transpose();
  }
  return runs;
}

Split split_runs(TrainingRuns runs, double validation_share, std::int64_t seed) {
  Split split;
  if (validation_share <= 0) {
    split.training = std::move(runs);
    return split;
  }
  if (runs.size() == 1) {
    TrainingRun& run = runs.front();
    const auto kept = static_cast<Eigen::Index>(std::ceil(validation_share * static_cast<double>(run.states.cols())));
    const Eigen::Index rest = run.states.cols() - kept;
    TrainingRun end{run.states.rightCols(kept), run.controls.rightCols(run.controls.size() > 0 ? kept : 0)};
    TrainingRun begin{run.states.leftCols(rest), run.controls.leftCols(run.controls.size() > 0 ? rest : 0)};
    split.training.push_back(std::move(begin));
    split.validation.push_back(std::move(end));
    return split;
  }
  std::vector<std::size_t> order(runs.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  Random(static_cast<std::uint64_t>(seed)).fork(0).shuffle(order);
  const auto wanted = static_cast<std::size_t>(std::ceil(validation_share * static_cast<double>(runs.size())));
  const std::size_t kept = std::min(wanted, runs.size() - 1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    (i < kept ? split.validation : split.training).push_back(std::move(runs[order[i]]));
  }
  return split;
}

namespace {

class NetworkModel : public Model {
 public:
  NetworkModel(std::string method, StepMap map, Scaling scaling, Vector params, Json about)
      : method_(std::move(method)),
        map_(std::move(map)),
        scaling_(std::move(scaling)),
        params_(std::move(params)),
        about_(std::move(about)) {}

  std::string method() const override { return method_; }
  Eigen::Index history() const override { return map_.history; }

  Matrix forecast(const Matrix& past, Eigen::Index steps, const Matrix& controls) const override {
    const Eigen::Index n = map_.dimension(), h = map_.history, m = map_.num_controls();
    check_forecast(past, steps, n);
    if (m > 0 && (controls.cols() != m || controls.rows() < steps)) {
      fail("the {} model needs {} controls for each of the {} steps; {} x {} numbers were given", method_, m, steps,
           controls.rows(), controls.cols());
    }
    Matrix result = Matrix::Constant(steps, n, std::numeric_limits<double>::quiet_NaN());
    const Matrix recent = scaling_.states.apply(past.bottomRows(h));
    Matrix input(h * n + m, 1), output;
    for (Eigen::Index j = 0; j < h; ++j) input.col(0).segment(j * n, n) = recent.row(j).transpose();
    const std::unique_ptr<Tape> tape = map_.network->make_tape();
    for (Eigen::Index k = 0; k < steps; ++k) {
      if (m > 0) input.col(0).tail(m) = scaling_.controls.apply(controls.row(k)).transpose();
      map_.network->forward(params_, input, output, *tape);
      if (!output.allFinite()) break;
      result.row(k) =
          (output.col(0).array() * scaling_.states.scale.array() + scaling_.states.mean.array()).matrix().transpose();
      for (Eigen::Index i = 0; i < (h - 1) * n; ++i) input(i, 0) = input(i + n, 0);
      input.col(0).segment((h - 1) * n, n) = output.col(0);
    }
    return result;
  }

  Cost cost() const override {
    const Eigen::Index n = map_.dimension(), m = map_.num_controls();
    return {params_.size(), map_.network->operations() + 2 * (2 * n + m)};
  }

  std::vector<std::string> describe() const override {
    std::vector<std::string> lines;
    lines.push_back(fmt::format("network {}", map_.network->to_json().dump()));
    lines.push_back(fmt::format("{} parameters, {} samples of history", params_.size(), map_.history));
    if (about_.is_object()) lines.push_back(fmt::format("training {}", about_.dump()));
    return lines;
  }

  Json to_json() const override {
    Json json;
    json["method"] = method_;
    json["history"] = map_.history;
    json["mean"] = matrix_json(scaling_.states.mean.transpose());
    json["scale"] = matrix_json(scaling_.states.scale.transpose());
    json["control_mean"] = matrix_json(scaling_.controls.mean.transpose());
    json["control_scale"] = matrix_json(scaling_.controls.scale.transpose());
    json["network"] = map_.network->to_json();
    json["params"] = matrix_json(params_.transpose());
    json["training"] = about_;
    return json;
  }

 private:
  std::string method_;
  StepMap map_;
  Scaling scaling_;
  Vector params_;
  Json about_;
};

/// One value of an object that a saved model must have.
const Json& member(const Json& json, const char* name, const std::string& where) {
  if (!json.is_object()) fail("{}: a saved network must be an object", where);
  if (!json.contains(name)) fail("{}: '{}' is missing from the saved network", where, name);
  return json[name];
}

template <class T>
T value_of(const Json& json, const char* name, const std::string& where, Bounds bounds = any_value) {
  T value{};
  detail::read_value(member(json, name, where), value, bounds, where, name);
  return value;
}

Vector vector_of(const Json& json, const char* name, const std::string& where) {
  const Matrix row = matrix_from_json(member(json, name, where), where, name);
  if (row.rows() > 1) fail("{}: {} must be one row of numbers, not {}", where, name, row.rows());
  return row.reshaped();
}

}  // namespace

ModelPtr fit_network(const Dataset& data, const NetworkMethod& method, const TrainingHooks& hooks) {
  data.check(method.history + 1);
  Scaling scaling = scaling_of(data);
  const TrainingOptions& options = method.training;
  const Split split = split_runs(normalised_runs(data, scaling), options.validation_share, options.seed);
  const StepMap map{method.build(scaling), method.history};
  Random random = Random(static_cast<std::uint64_t>(options.seed)).fork(0);
  const TrainingResult result =
      train(map, map.network->initial(random), split.training, split.validation, options, hooks);
  Json about;
  about["epochs"] = result.epochs;
  about["best_epoch"] = result.best_epoch;
  about["loss"] = result.loss;
  about["validation"] = result.score;
  about["stopped"] = result.stopped;
  return std::make_unique<NetworkModel>(method.name, map, std::move(scaling), result.params, std::move(about));
}

ModelPtr make_network_model(const std::string& method, StepMap map, Scaling scaling, Vector params, Json about) {
  FILIGREE_ASSERT(params.size() == map.network->num_parameters());
  return std::make_unique<NetworkModel>(method, std::move(map), std::move(scaling), std::move(params),
                                        std::move(about));
}

NetworkPtr network_from_json(const Json& json, const std::string& where, const NetworkReader& known) {
  const std::string type = value_of<std::string>(json, "type", where);
  if (type == "mlp") {
    Mlp::Shape shape;
    shape.widths = value_of<std::vector<Eigen::Index>>(json, "widths", where, at_least(1));
    if (shape.widths.size() < 2) fail("{}: widths needs at least two numbers, not {}", where, shape.widths.size());
    shape.activation = value_of<Activation>(json, "activation", where);
    return std::make_shared<Mlp>(shape);
  }
  if (type == "scaled") {
    NetworkPtr inner = network_from_json(member(json, "inner", where), where, known);
    const Vector scale = vector_of(json, "scale", where);
    const auto newest = value_of<Eigen::Index>(json, "newest", where, non_negative);
    if (scale.size() != inner->outputs() || newest + inner->outputs() > inner->inputs()) {
      fail("{}: scale has {} numbers for a network of {} inputs and {} outputs", where, scale.size(), inner->inputs(),
           inner->outputs());
    }
    return std::make_shared<ScaledNetwork>(std::move(inner), scale, value_of<bool>(json, "residual", where), newest);
  }
  if (type == "ode") {
    NetworkPtr rate = network_from_json(member(json, "rate", where), where, known);
    if (rate->inputs() < rate->outputs()) fail("{}: the rate of an ode network needs its outputs as inputs", where);
    return std::make_shared<OdeNetwork>(std::move(rate), value_of<double>(json, "dt", where, positive),
                                        value_of<int>(json, "steps", where, at_least(1)),
                                        value_of<RungeKutta>(json, "rule", where));
  }
  NetworkPtr other = known ? known(json, where) : nullptr;
  if (other == nullptr) fail("{}: unknown type of network '{}'", where, type);
  return other;
}

ModelPtr load_network_model(const Json& json, const std::string& method, const std::string& where,
                            const NetworkReader& known) {
  if (value_of<std::string>(json, "method", where) != method) {
    fail("{}: the model is '{}', not '{}'", where, json["method"].get<std::string>(), method);
  }
  StepMap map{network_from_json(member(json, "network", where), where, known),
              value_of<Eigen::Index>(json, "history", where, at_least(1))};
  Scaling scaling;
  scaling.states = {vector_of(json, "mean", where), vector_of(json, "scale", where)};
  scaling.controls = {vector_of(json, "control_mean", where), vector_of(json, "control_scale", where)};
  Vector params = vector_of(json, "params", where);
  const Eigen::Index n = map.dimension();
  if (map.num_controls() != scaling.controls.mean.size() || scaling.controls.scale.size() != map.num_controls() ||
      scaling.states.mean.size() != n || scaling.states.scale.size() != n) {
    fail("{}: means and scales do not fit a network of {} inputs and {} outputs", where, map.network->inputs(), n);
  }
  if (params.size() != map.network->num_parameters()) {
    fail("{}: params has {} numbers where the network has {}", where, params.size(), map.network->num_parameters());
  }
  return std::make_unique<NetworkModel>(method, std::move(map), std::move(scaling), std::move(params),
                                        json.contains("training") ? json["training"] : Json());
}

}  // namespace filigree::dynamics
