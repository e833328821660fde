#include "dynamics/leads_lotka_volterra.h"

#include <chrono>
#include <limits>

#include "base/error.h"
#include "dynamics/metrics.h"

namespace filigree::dynamics {
namespace {

/// Of the 20 samples of a training run, those that candidates are fitted to; the rest is forecast to choose among them.
constexpr Eigen::Index kKnown = 14;

}  // namespace

LeadsScore leads_lotka_volterra_score(const LeadsSets& sets, const std::vector<LeadsOptions>& candidates) {
  FILIGREE_ASSERT(!candidates.empty());
  const auto begin = std::chrono::steady_clock::now();
  LeadsScore score;
  score.options = candidates.front();
  if (candidates.size() > 1) {
    score.holdout = std::numeric_limits<double>::infinity();
    for (const LeadsOptions& options : candidates) {
      const double error = leads_holdout_error(sets.train, options, kKnown);
      if (!(error < score.holdout)) continue;
      score.holdout = error;
      score.options = options;
    }
  }
  const LeadsFit fit = fit_leads(sets.train, score.options);
  score.parameters = fit.parameters;
  score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::vector<double> counts(fit.environments.size());
  score.environments.resize(fit.environments.size());
  for (const Trajectory& run : sets.test.runs) {
    const auto e = static_cast<std::size_t>(run.environment);
    Matrix forecast(run.states.rows(), run.states.cols());
    forecast.topRows(1) = run.states.topRows(1);
    forecast.bottomRows(run.states.rows() - 1) =
        fit.environments[e]->forecast(run.states.topRows(1), run.states.rows() - 1);
    score.environments[e] += mean_squared_error(forecast, run.states);
    counts[e] += 1;
  }
  double sum = 0, count = 0;
  for (std::size_t e = 0; e < counts.size(); ++e) {
    sum += score.environments[e];
    count += counts[e];
    score.environments[e] /= counts[e];
  }
  score.mse = sum / count;
  return score;
}

std::vector<LeadsOptions> leads_candidates(LeadsForm form, std::int64_t seed) {
  LeadsOptions options = LeadsOptions::for_form(form);
  options.seed = seed;
  std::vector<LeadsOptions> candidates;
  if (form == LeadsForm::polynomial) {
    for (const int degree : {2, 3}) {
      for (const double omega : {1e-7, 1e-9, 1e-11}) {
        options.degree = degree;
        options.omega = omega;
        candidates.push_back(options);
      }
    }
  } else if (form == LeadsForm::low_rank_polynomial) {
    for (const int degree : {2, 3}) {
      for (const int rank : {1, 2, 3}) {
        options.degree = degree;
        options.rank = rank;
        candidates.push_back(options);
      }
    }
  } else if (form == LeadsForm::low_rank) {
    for (const int rank : {2, 3}) {
      for (const double ridge : {1e-6, 1e-7}) {
        options.rank = rank;
        options.ridge = ridge;
        candidates.push_back(options);
      }
    }
  } else {
    candidates.push_back(options);
  }
  return candidates;
}

}  // namespace filigree::dynamics
