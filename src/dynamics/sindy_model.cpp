#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "dynamics/sindy.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// A formula of several parts needs parentheses as a factor.
std::string factor_text(const std::string& feature) {
  const bool parts = feature.find_first_of("+-*/") != std::string::npos;
  return parts ? "(" + feature + ")" : feature;
}

std::string term_text(double coefficient, const std::string& feature, bool first, int digits) {
  std::string text = first ? (coefficient < 0 ? "-" : "") : (coefficient < 0 ? " - " : " + ");
  text += fmt::format("{:.{}g}", std::abs(coefficient), digits);
  if (feature != "1") text += " " + factor_text(feature);
  return text;
}

std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

void SindyModel::set_coefficients(Matrix coefficients) {
  coefficients_ = std::move(coefficients);
  std::vector<bool> used(static_cast<std::size_t>(library_.size()));
  for (std::size_t f = 0; f < used.size(); ++f) used[f] = (coefficients_.row(static_cast<Index>(f)).array() != 0).any();
  used = library_.with_factors(used);
  active_.clear();
  active_.push_back(library_.only(used));
  active_coefficients_.resize(coefficients_.cols(), active_.front().size());
  Index column = 0;
  for (std::size_t f = 0; f < used.size(); ++f) {
    if (used[f]) active_coefficients_.col(column++) = coefficients_.row(static_cast<Index>(f)).transpose();
  }
}

void SindyModel::measure_cost(const Dataset& data) {
  if (options_.form == SindyForm::map) return;
  // A few samples tell how many evaluations the step control needs.
  const Trajectory& run = data.runs.front();
  const Index steps = std::min<Index>(20, run.states.rows() - 1);
  const Matrix controls = data.num_controls() > 0 ? Matrix(run.controls.topRows(steps + 1)) : Matrix();
  const SampledFlow flow = forecast_flow(run.states.row(0).transpose(), steps, controls);
  evaluations_ = static_cast<double>(flow.evaluations) / static_cast<double>(steps);
}

std::vector<std::string> SindyModel::equations(int digits) const {
  std::vector<std::string> lines;
  for (Index t = 0; t < coefficients_.cols(); ++t) {
    const std::string& name = names_[static_cast<std::size_t>(t)];
    std::string line = name + (options_.form == SindyForm::map ? "[k+1] = " : "' = ");
    bool first = true;
    for (Index f = 0; f < coefficients_.rows(); ++f) {
      if (coefficients_(f, t) == 0) continue;
      line += term_text(coefficients_(f, t), library_.names()[static_cast<std::size_t>(f)], first, digits);
      first = false;
    }
    lines.push_back(first ? line + "0" : line);
  }
  return lines;
}

Matrix SindyModel::forecast(const Matrix& past, Index steps, const Matrix& controls) const {
  check_forecast(past, steps, static_cast<Index>(names_.size()));
  const Index wanted = static_cast<Index>(control_names_.size());
  if (wanted > 0 && steps > 0 && (controls.cols() != wanted || controls.rows() < steps)) {
    fail("the sindy model needs {} rows of {} controls for {} steps, there are {} rows of {}", steps, wanted, steps,
         controls.rows(), controls.cols());
  }
  const Vector start = past.row(past.rows() - 1).transpose();
  const Matrix driving = wanted > 0 ? controls : Matrix();
  if (options_.form == SindyForm::map) return forecast_map(start, steps, driving);
  return forecast_flow(start, steps, driving).states;
}

Matrix SindyModel::forecast_map(const Vector& start, Index steps, const Matrix& controls) const {
  const Index n = start.size();
  Matrix states = Matrix::Constant(steps, n, std::numeric_limits<double>::quiet_NaN());
  Vector inputs(n + controls.cols()), features(active_.front().size());
  inputs.head(n) = start;
  for (Index i = 0; i < steps; ++i) {
    if (controls.cols() > 0) inputs.tail(controls.cols()) = controls.row(i).transpose();
    active_.front().evaluate(inputs.data(), features.data());
    inputs.head(n).noalias() = active_coefficients_ * features;
    if (!inputs.head(n).allFinite()) break;
    states.row(i) = inputs.head(n).transpose();
  }
  return states;
}

SampledFlow SindyModel::forecast_flow(const Vector& start, Index steps, const Matrix& controls) const {
  const Index n = start.size();
  Vector inputs(n + controls.cols()), features(active_.front().size());
  const Field field = [&](const std::vector<double>& x, std::vector<double>& derivative, double t) {
    inputs.head(n) = Eigen::Map<const Vector>(x.data(), n);
    if (controls.cols() > 0) interpolate_rows(controls, t / dt_, inputs.data() + n);
    active_.front().evaluate(inputs.data(), features.data());
    Eigen::Map<Vector>(derivative.data(), n).noalias() = active_coefficients_ * features;
  };
  return sample_flow(field, start, {options_.tolerance, dt_, steps});
}

Cost SindyModel::cost() const {
  const Index terms = (coefficients_.array() != 0).count();
  const double evaluation = static_cast<double>(active_.front().operations() + 2 * terms);
  // Beside the field, a Dormand–Prince stage combines at most six earlier ones: about 10 operations a coordinate.
  const double own = options_.form == SindyForm::map ? 0 : 10.0 * static_cast<double>(names_.size());
  return {terms, std::llround(evaluations_ * (evaluation + own))};
}

std::vector<std::string> SindyModel::describe() const {
  std::vector<std::string> lines = equations();
  lines.push_back(fmt::format("form {}, optimizer {}, threshold {:g}, {} of {} terms", enum_name(options_.form),
                              enum_name(options_.sparse.method), options_.sparse.threshold,
                              (coefficients_.array() != 0).count(), coefficients_.size()));
  for (const std::string& warning : report_.warnings) lines.push_back("warning: " + warning);
  return lines;
}

namespace {

/// What to_json() writes beside the matrix.
struct SindyState {
  std::string method;
  std::vector<std::string> names, control_names;
  double dt = 1;
  double evaluations = 1;
  SindyOptions options;
  std::vector<std::vector<double>> coefficients;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("method", self.method, "sindy");
    v.required("names", self.names, "of the coordinates");
    v.required("control_names", self.control_names, "of the controls");
    v.required("dt", self.dt, "time between samples", positive);
    v.required("evaluations", self.evaluations, "of the right-hand side for one sample", positive);
    v.required("options", self.options, "of the fit");
    v.required("coefficients", self.coefficients, "a row for each feature, a column for each coordinate");
  }
};

}  // namespace

Json SindyModel::to_json() const {
  SindyState state{method(), names_, control_names_, dt_, evaluations_, options_, {}};
  for (Index f = 0; f < coefficients_.rows(); ++f) {
    state.coefficients.emplace_back(coefficients_.row(f).begin(), coefficients_.row(f).end());
  }
  return filigree::to_json(state);
}

SindyModel sindy_from_json(const Json& json, const std::string& where) {
  const auto state = from_json<SindyState>(json, where);
  if (state.method != "sindy") fail("{}: method is '{}', not 'sindy'", where, state.method);
  Dataset names;
  names.names = state.names;
  names.control_names = state.control_names;
  names.dt = state.dt;
  SindyModel model(names, state.options, Library(state.options.library, joined(state.names, state.control_names)));
  Matrix coefficients = matrix_from_json(json["coefficients"], where, "coefficients");
  if (coefficients.rows() != model.library_.size() || coefficients.cols() != names.dimension()) {
    fail("{}: coefficients has {} rows of {} where the library has {} features and the model {} coordinates", where,
         coefficients.rows(), coefficients.cols(), model.library_.size(), names.dimension());
  }
  model.set_coefficients(std::move(coefficients));
  model.evaluations_ = state.evaluations;
  return model;
}

ModelPtr load_sindy(const Json& json, const std::string& where) {
  return std::make_unique<SindyModel>(sindy_from_json(json, where));
}

}  // namespace filigree::dynamics
