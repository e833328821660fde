#include "dynamics/author_bench.h"

#include <cmath>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

double one_step_mse(const AuthorSuite& suite, const Model& model) {
  const Normaliser normaliser = Normaliser::of(suite.train);
  double sum = 0, count = 0;
  for (const Trajectory& run : suite.test.runs) {
    for (Eigen::Index i = 0; i + 1 < run.states.rows(); ++i) {
      const Matrix next = model.forecast(run.states.row(i), 1);
      sum += ((next - run.states.row(i + 1)).array() / normaliser.scale.transpose().array()).square().sum();
      count += static_cast<double>(run.states.cols());
    }
  }
  return sum / count;
}

}  // namespace

AuthorScore score_author_suite(const AuthorSuite& suite, const Model& model) {
  if (model.history() != 1) {
    fail("the roll-outs of this suite start from one state; the {} model needs {}", model.method(), model.history());
  }
  AuthorScore score;
  score.one_step_mse = one_step_mse(suite, model);
  score.rollout_rmse.assign(suite.horizons.size(), 0.0);
  for (const std::int64_t index : suite.rollouts) {
    const Matrix& truth = suite.test.runs[static_cast<std::size_t>(index)].states;
    const Matrix forecast = model.forecast(truth.topRows(1), suite.horizons.back());
    for (std::size_t k = 0; k < suite.horizons.size(); ++k) {
      const Eigen::Index steps = suite.horizons[k];
      const double square = (forecast.topRows(steps) - truth.middleRows(1, steps)).leftCols(suite.scored).squaredNorm();
      score.rollout_rmse[k] += square / static_cast<double>((steps + 1) * suite.scored);
    }
  }
  for (double& value : score.rollout_rmse) value = std::sqrt(value / static_cast<double>(suite.rollouts.size()));
  return score;
}

}  // namespace filigree::dynamics
