#include "dynamics/leads.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/cancel.h"
#include "base/error.h"
#include "dynamics/metrics.h"
#include "dynamics/network_model.h"

namespace filigree::dynamics {

using FieldPtr = std::shared_ptr<const EnvironmentField>;

LeadsOptions LeadsOptions::published() {
  LeadsOptions options;
  options.form = LeadsForm::mlp;
  options.hidden = {64, 64, 64};
  options.activation = Activation::swish;
  options.weight_deviation = 0.05;
  options.steps = 1;
  options.rule = RungeKutta::three_eighths;
  options.normalise = false;
  options.omega = 1.0 / 5000;
  options.optimiser = Optimiser::adam;
  options.epochs = 120000;
  return options;
}

LeadsOptions LeadsOptions::for_form(LeadsForm form) {
  if (form == LeadsForm::mlp) return published();
  LeadsOptions options;
  options.form = form;
  if (form == LeadsForm::low_rank) {
    options.epochs = 60;  // perceptrons fit the few samples ever closer and the rest no better
    return options;
  }
  options.normalise = false;
  options.ridge = 1e-9;
  options.omega = 1e-7;
  return options;
}

FieldPtr leads_field(const LeadsOptions& options, Eigen::Index dimension, Eigen::Index environments, Eigen::Index e) {
  const auto network = [&](Eigen::Index outputs) -> NetworkPtr {
    if (options.form == LeadsForm::polynomial || options.form == LeadsForm::low_rank_polynomial) {
      return std::make_shared<PolynomialNetwork>(dimension, outputs, options.degree);
    }
    Mlp::Shape shape;
    shape.widths = {dimension};
    shape.widths.insert(shape.widths.end(), options.hidden.begin(), options.hidden.end());
    shape.widths.push_back(outputs);
    shape.activation = options.activation;
    shape.weight_deviation = options.weight_deviation;
    return std::make_shared<Mlp>(shape);
  };
  EnvironmentField::Parts parts;
  parts.environments = environments;
  if (options.variant != LeadsVariant::one_per_env) parts.shared = network(dimension);
  if (options.variant != LeadsVariant::one_for_all) {
    const bool wanted = options.form == LeadsForm::low_rank || options.form == LeadsForm::low_rank_polynomial;
    const bool low = wanted && options.variant != LeadsVariant::one_per_env;
    parts.rank = low ? options.rank : 0;
    parts.own = network(low ? dimension * options.rank : dimension);
  }
  return std::make_shared<EnvironmentField>(std::move(parts), e);
}

namespace {

constexpr double kOmegaFloor = 1e-5;

double weight_of_omega(const LeadsOptions& options) {
  return options.variant == LeadsVariant::leads ? options.omega : 0.0;
}

/// σ_max(W)² of every layer and weight · its gradient, 2 σ u vᵀ.
double spectral_part(const EnvironmentField& field, const Vector& params, double weight, Vector* gradient) {
  constexpr int kIterations = 5;
  const auto* mlp = dynamic_cast<const Mlp*>(field.parts().own.get());
  if (mlp == nullptr || field.parts().rank > 0) return 0;
  double sum = 0;
  const Eigen::Index begin = field.own_offset();
  for (std::size_t layer = 0; layer < mlp->num_layers(); ++layer) {
    const auto w = mlp->weights(params.segment(begin, field.own_size()), layer);
    Vector u = w.rowwise().norm(),
           v;  // not orthogonal to the first singular vector in practice, and the same each time
    if (!(u.norm() > 0)) continue;
    for (int i = 0; i < kIterations; ++i) {
      v = (w.transpose() * u).normalized();
      u = (w * v).normalized();
    }
    const double sigma = u.dot(w * v);
    sum += sigma * sigma;
    if (gradient == nullptr) continue;
    Eigen::Map<Matrix>(gradient->data() + begin + mlp->offset(layer), w.rows(), w.cols()) +=
        2 * weight * sigma * u * v.transpose();
  }
  return sum;
}

}  // namespace

double leads_omega(const std::vector<FieldPtr>& fields, const std::vector<Matrix>& states, double spectral,
                   const Vector& params, std::pair<double, Vector*> weighted_gradient) {
  const auto [weight, gradient] = weighted_gradient;
  double sum = 0;
  Matrix g;
  for (std::size_t e = 0; e < fields.size(); ++e) {
    const NetworkPtr deviation = fields[e]->deviation();
    if (!deviation) continue;
    const auto tape = deviation->make_tape();
    deviation->forward(params, states[e], g, *tape);
    const Eigen::RowVectorXd scale = (states[e].colwise().norm().array() + kOmegaFloor).inverse();
    const double count = static_cast<double>(g.cols());
    sum += (g.colwise().squaredNorm().array() * scale.array().square()).sum() / count;
    if (gradient != nullptr) {
      const Matrix above = (2 * weight / count) * (g.array().rowwise() * scale.array().square()).matrix();
      deviation->backward(params, *tape, above, *gradient, nullptr);
    }
    if (spectral > 0) sum += spectral * spectral_part(*fields[e], params, weight * spectral, gradient);
  }
  return sum;
}

namespace {

/// The data and fields of one fit.
struct Environments {
  std::vector<FieldPtr> fields;
  std::vector<StepMap> maps;
  std::vector<TrainingRuns> runs;
  std::vector<Matrix> states;  // all samples in columns
  Scaling scaling;
};

Environments set_up(const Dataset& data, const LeadsOptions& options) {
  data.check(2);
  if (data.num_controls() > 0) fail("LEADS has no controls, but the data names {}", data.num_controls());
  int count = 0;
  for (const Trajectory& run : data.runs) {
    if (run.environment < 0) fail("the number of an environment must not be negative: {}", run.environment);
    count = std::max(count, run.environment + 1);
  }
  Environments result;
  result.scaling = scaling_of(data);
  if (!options.normalise) result.scaling.states = Normaliser::identity(data.dimension());
  TrainingRuns runs = normalised_runs(data, result.scaling);
  result.runs.resize(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < runs.size(); ++i) {
    result.runs[static_cast<std::size_t>(data.runs[i].environment)].push_back(std::move(runs[i]));
  }
  for (int e = 0; e < count; ++e) {
    const TrainingRuns& own = result.runs[static_cast<std::size_t>(e)];
    if (own.empty()) fail("there is no run of environment {}, though there are environments up to {}", e, count - 1);
    result.fields.push_back(leads_field(options, data.dimension(), count, e));
    result.maps.push_back(
        {std::make_shared<OdeNetwork>(result.fields.back(), data.dt, options.steps, options.rule), 1});
    Eigen::Index samples = 0;
    for (const TrainingRun& run : own) samples += run.states.cols();
    Matrix& states = result.states.emplace_back(data.dimension(), samples);
    Eigen::Index column = 0;
    for (const TrainingRun& run : own) {
      states.middleCols(column, run.states.cols()) = run.states;
      column += run.states.cols();
    }
  }
  return result;
}

/// Windows that fit `steps` in one run, or the longest that the run allows.
struct WindowGroup {
  std::size_t environment = 0;
  Eigen::Index steps = 0;
  std::vector<Window> windows;
};

std::vector<WindowGroup> window_groups(const Environments& all, Eigen::Index steps) {
  std::vector<WindowGroup> groups;
  for (std::size_t e = 0; e < all.runs.size(); ++e) {
    for (std::size_t run = 0; run < all.runs[e].size(); ++run) {
      const Eigen::Index samples = all.runs[e][run].states.cols();
      WindowGroup& group = groups.emplace_back();
      group.environment = e;
      group.steps = std::min(steps, samples - 1);
      for (Eigen::Index begin = 0; begin + group.steps < samples; ++begin) group.windows.push_back({run, begin});
    }
  }
  return groups;
}

/// Rows √(2 w / count) g_e(x) / (‖x‖ + 1e-5), whose half square sum is w · Ω without its spectral part.
void omega_rows(const Network& deviation, const Matrix& states, double weight, const Vector& params, Vector& r,
                Matrix* jacobian) {
  const Eigen::Index n = states.rows(), count = states.cols();
  Matrix g, jp, jx;
  if (jacobian == nullptr)
    deviation.forward(params, states, g, *deviation.make_tape());
  else
    deviation.jacobian(params, states, g, jp, jx);
  const double factor = std::sqrt(2 * weight / static_cast<double>(count));
  r.resize(n * count);
  for (Eigen::Index s = 0; s < count; ++s) {
    const double scale = factor / (states.col(s).norm() + kOmegaFloor);
    r.segment(s * n, n) = scale * g.col(s);
    if (jacobian != nullptr) jp.middleCols(s * n, n) *= scale;
  }
  if (jacobian != nullptr) *jacobian = jp.transpose();
}

LeastSquares leads_problem(const Environments& all, Eigen::Index steps, const LeadsOptions& options) {
  auto groups = window_groups(all, steps);
  double total = 0;
  for (const WindowGroup& group : groups) {
    total += static_cast<double>(static_cast<Eigen::Index>(group.windows.size()) * all.fields[0]->outputs());
  }
  const double omega = weight_of_omega(options);
  const auto num_groups = static_cast<Eigen::Index>(groups.size());
  const Eigen::Index extra = omega > 0 ? static_cast<Eigen::Index>(all.fields.size()) : 0;
  const auto evaluate = [&all, groups, total, omega, num_groups](Eigen::Index block, const Vector& params, Vector& r,
                                                                 Matrix* jacobian) {
    if (block >= num_groups) {
      const auto e = static_cast<std::size_t>(block - num_groups);
      return omega_rows(*all.fields[e]->deviation(), all.states[e], omega, params, r, jacobian);
    }
    const WindowGroup& group = groups[static_cast<std::size_t>(block)];
    RolloutLoss loss(all.maps[group.environment], group.steps, 1, 0);
    loss.residuals(all.runs[group.environment], group.windows, params, 0.5 * total, r, jacobian);
  };
  return least_squares_in_blocks(all.fields[0]->num_parameters(), num_groups + extra, evaluate, options.threads);
}

double fit_by_least_squares(const Environments& all, const LeadsOptions& options, const TrainingHooks& hooks,
                            Vector& params) {
  LmOptions lm;
  lm.iterations = options.epochs;
  lm.ridge = options.ridge;
  double cost = 0;
  Progress progress(hooks.progress, static_cast<std::int64_t>(options.rollouts.size()), "roll-out lengths");
  for (const int steps : options.rollouts) {
    const LeastSquares problem = leads_problem(all, steps, options);
    // Short roll-outs may leave a field whose long ones diverge; there is nothing to descend from then.
    if (!std::isfinite(problem.accumulate(params, nullptr, nullptr))) break;
    const auto watch = [&](int iteration, const Vector&, double now) {
      return !hooks.watch || hooks.watch(iteration, now, std::numeric_limits<double>::quiet_NaN());
    };
    LmResult result = levenberg_marquardt(problem, params, lm, watch);
    params = result.params;
    cost = result.cost;
    progress.advance();
    if (result.stop == LmStop::cancelled || result.stop == LmStop::callback) break;
  }
  return cost;
}

/// As published: whole trajectories, every interior sample restarts from data with a chance that falls.
double fit_by_adam(const Environments& all, const LeadsOptions& options, const TrainingHooks& hooks, Vector& params) {
  constexpr int kStepsOfAChance = 10;
  Adam adam(params.size(), options.adam, options.epochs);
  Random random = Random(static_cast<std::uint64_t>(options.seed)).fork(1);
  std::vector<WindowGroup> groups;
  std::vector<RolloutLoss> losses;
  for (WindowGroup& group : window_groups(all, std::numeric_limits<Eigen::Index>::max())) {
    losses.emplace_back(all.maps[group.environment], group.steps, 1, 0);
    groups.push_back(std::move(group));
  }
  const double share = 1.0 / static_cast<double>(groups.size()), omega = weight_of_omega(options);
  Vector gradient, part;
  double loss = 0;
  Progress progress(hooks.progress, options.epochs, "epochs");
  for (int epoch = 0; epoch < options.epochs && !cancelled(); ++epoch) {
    const double chance = std::pow(options.teacher_decay, epoch / kStepsOfAChance);
    gradient.setZero(params.size());
    loss = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      loss += share * losses[i](all.runs[groups[i].environment], groups[i].windows, params, &part,
                                [&] { return random.uniform() < chance; });
      gradient += share * part;
    }
    if (omega > 0) leads_omega(all.fields, all.states, options.spectral, params, {omega, &gradient});
    adam.step(params, gradient);
    progress.advance();
    if (hooks.watch && !hooks.watch(epoch + 1, loss, std::numeric_limits<double>::quiet_NaN())) break;
  }
  return loss;
}

}  // namespace

LeadsFit fit_leads(const Dataset& data, const LeadsOptions& options, const TrainingHooks& hooks) {
  const Environments all = set_up(data, options);
  Random random = Random(static_cast<std::uint64_t>(options.seed)).fork(0);
  Vector params = all.fields[0]->initial(random);
  LeadsFit fit;
  fit.parameters = params.size();
  fit.loss = options.optimiser == Optimiser::adam ? fit_by_adam(all, options, hooks, params)
                                                  : fit_by_least_squares(all, options, hooks, params);
  for (std::size_t e = 0; e < all.fields.size(); ++e) {
    EnvironmentField::Parts parts = all.fields[e]->parts();
    parts.environments = 1;
    const auto field = std::make_shared<EnvironmentField>(std::move(parts), 0);
    Json about;
    about["variant"] = std::string(enum_name(options.variant));
    about["form"] = std::string(enum_name(options.form));
    about["environment"] = e;
    about["loss"] = fit.loss;
    StepMap map{std::make_shared<OdeNetwork>(field, data.dt, options.steps, options.rule), 1};
    fit.environments.push_back(
        make_network_model("leads", std::move(map), all.scaling, all.fields[e]->single(params), std::move(about)));
  }
  return fit;
}

double leads_holdout_error(const Dataset& data, const LeadsOptions& options, Eigen::Index known) {
  Dataset begin = data;
  for (Trajectory& run : begin.runs) run.states = run.states.topRows(std::min(known, run.states.rows())).eval();
  const LeadsFit fit = fit_leads(begin, options);
  double sum = 0, count = 0;
  for (const Trajectory& run : data.runs) {
    const Eigen::Index steps = run.states.rows() - known;
    if (steps < 1) continue;
    const Model& model = *fit.environments[static_cast<std::size_t>(run.environment)];
    const Matrix truth = run.states.bottomRows(steps);
    const double size = static_cast<double>(truth.size());
    sum += size * mean_squared_error(model.forecast(run.states.topRows(known), steps), truth);
    count += size;
  }
  if (!(count > 0)) fail("no run has more than the {} samples that the fit may see", known);
  return std::sqrt(sum / count);
}

ModelPtr load_leads(const Json& json, const std::string& where) {
  return load_network_model(json, "leads", where, leads_network_from_json);
}

}  // namespace filigree::dynamics
