#include "base/error.h"
#include "dynamics/havok.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;
using Rows = std::vector<std::vector<double>>;

Rows rows_of(const Matrix& matrix) {
  Rows rows;
  for (Index i = 0; i < matrix.rows(); ++i) rows.emplace_back(matrix.row(i).begin(), matrix.row(i).end());
  return rows;
}

std::vector<double> list_of(const Vector& vector) { return {vector.begin(), vector.end()}; }

Vector vector_of(const std::vector<double>& list) {
  return Eigen::Map<const Vector>(list.data(), static_cast<Index>(list.size()));
}

/// What to_json() writes.
struct HavokState {
  std::string method;
  std::vector<std::string> names;
  double dt = 1;
  HavokOptions options;
  double threshold = 0;
  std::int64_t optimal_rank = 0, optimal_rank_approximate = 0;
  std::vector<double> singular_values, unexplained;
  Rows modes, regression;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("method", self.method, "havok");
    v.required("names", self.names, "of the coordinates");
    v.required("dt", self.dt, "time between samples", positive);
    v.required("options", self.options, "of the fit");
    v.required("active_threshold", self.threshold, "of active forcing", non_negative);
    v.required("optimal_rank", self.optimal_rank, "by Gavish and Donoho", non_negative);
    v.required("optimal_rank_approximate", self.optimal_rank_approximate, "by their cubic", non_negative);
    v.required("singular_values", self.singular_values, "of the Hankel matrix");
    v.required("unexplained", self.unexplained, "share of variance of each derivative");
    v.required("modes", self.modes, "U: a row for each sample of the window");
    v.required("regression", self.regression, "the operator on all delay coordinates");
  }
};

}  // namespace

Matrix HavokModel::forecast(const Matrix&, Index, const Matrix&) const {
  fail(
      "havok cannot forecast: its linear system is driven by the forcing v{}, whose future the past does not tell; use "
      "it for analysis and alarms, or simulate with a measured forcing",
      rank());
}

Cost HavokModel::cost() const {
  const Index n = rank() - 1;
  return {modes_.size() + n * (n + 1), 2 * n * (n + 2)};
}

std::vector<std::string> HavokModel::describe() const {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{} by {} delay coordinates of {} samples, the last of them the forcing",
                              names_[static_cast<std::size_t>(options_.coordinate)], rank(), options_.window));
  lines.push_back(fmt::format("rank by Gavish and Donoho {} (by their cubic {})", optimal_rank_,
                              optimal_rank_approximate_));
  lines.push_back(fmt::format("forcing is active above {:.6g}", threshold_));
  const double skew = (a_ + a_.transpose()).norm() / (2 * a_.norm());
  lines.push_back(fmt::format("share of A that is not skew-symmetric {:.3g}", skew));
  for (Index i = 0; i < rank(); ++i) {
    lines.push_back(fmt::format("v{}: singular value {:.6g}, unexplained share of the derivative {:.3g}", i + 1,
                                singular_values_(i), unexplained_(i)));
  }
  lines.emplace_back("no forecast without the forcing to come");
  return lines;
}

Json HavokModel::to_json() const {
  HavokState state{method(), names_, dt_, options_, threshold_, optimal_rank_, optimal_rank_approximate_, {}, {}, {}, {}};
  state.singular_values = list_of(singular_values_);
  state.unexplained = list_of(unexplained_);
  state.modes = rows_of(modes_);
  state.regression = rows_of(regression_);
  return filigree::to_json(state);
}

HavokModel havok_from_json(const Json& json, const std::string& where) {
  auto state = from_json<HavokState>(json, where);
  if (state.method != "havok") fail("{}: method is '{}', not 'havok'", where, state.method);
  HavokModel model;
  model.names_ = std::move(state.names);
  model.dt_ = state.dt;
  model.options_ = state.options;
  model.threshold_ = state.threshold;
  model.optimal_rank_ = state.optimal_rank;
  model.optimal_rank_approximate_ = state.optimal_rank_approximate;
  model.singular_values_ = vector_of(state.singular_values);
  model.unexplained_ = vector_of(state.unexplained);
  model.modes_ = matrix_from_json(json["modes"], where, "modes");
  model.regression_ = matrix_from_json(json["regression"], where, "regression");
  const Index rank = model.modes_.cols();
  if (rank < 2 || model.modes_.rows() != state.options.window || model.regression_.rows() != rank ||
      model.regression_.cols() != rank || model.singular_values_.size() < rank || model.unexplained_.size() != rank ||
      static_cast<std::size_t>(state.options.coordinate) >= model.names_.size()) {
    fail("{}: the sizes of modes, regression, singular_values, unexplained and names do not fit one another", where);
  }
  model.a_ = model.regression_.topLeftCorner(rank - 1, rank - 1);
  model.b_ = model.regression_.col(rank - 1).head(rank - 1);
  return model;
}

ModelPtr load_havok(const Json& json, const std::string& where) {
  return std::make_unique<HavokModel>(havok_from_json(json, where));
}

}  // namespace filigree::dynamics
