#include "dynamics/leads_lotka_volterra.h"

#include <array>
#include <chrono>
#include <limits>

#include <boost/numeric/odeint/integrate/integrate_adaptive.hpp>
#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>

#include "base/error.h"
#include "dynamics/metrics.h"

namespace filigree::dynamics {
namespace {

using State = std::array<double, 2>;

struct Environment {
  double alpha, gamma;
};
constexpr std::array<Environment, 10> kEnvironments{{{0.5, 0.5},
                                                     {0.25, 0.5},
                                                     {0.75, 0.5},
                                                     {1.0, 0.5},
                                                     {0.5, 0.25},
                                                     {0.5, 0.75},
                                                     {0.5, 1.0},
                                                     {0.25, 0.25},
                                                     {0.75, 0.75},
                                                     {1.0, 1.0}}};
constexpr double kInteraction = 0.5, kStep = 0.5;
constexpr Eigen::Index kSamples = 20, kKnown = 14;
constexpr int kTestRuns = 32;

Trajectory simulate(const Environment& environment, State x, int number) {
  namespace odeint = boost::numeric::odeint;
  constexpr double kTolerance = 1e-12;
  Trajectory run{.states = Matrix(kSamples, 2), .environment = number};
  const auto rate = [&](const State& s, State& ds, double) {
    ds[0] = environment.alpha * s[0] - kInteraction * s[0] * s[1];
    ds[1] = kInteraction * s[0] * s[1] - environment.gamma * s[1];
  };
  for (Eigen::Index i = 0; i < kSamples; ++i) {
    run.states.row(i) << x[0], x[1];
    odeint::integrate_adaptive(odeint::make_controlled<odeint::runge_kutta_fehlberg78<State>>(kTolerance, kTolerance),
                               rate, x, 0.0, kStep, kStep / 10);
  }
  return run;
}

}  // namespace

LeadsSets leads_lotka_volterra_sets(std::int64_t seed) {
  LeadsSets sets;
  const Random random(static_cast<std::uint64_t>(seed));
  for (Dataset* data : {&sets.training, &sets.test}) {
    data->names = {"prey", "predators"};
    data->dt = kStep;
    const bool test = data == &sets.test;
    for (int e = 0; e < static_cast<int>(kEnvironments.size()); ++e) {
      Random start = random.fork(test ? static_cast<std::uint64_t>(e) + 1 : 0);
      for (int i = 0; i < (test ? kTestRuns : 1); ++i) {
        const double x = start.uniform(1, 2), y = start.uniform(1, 2);
        data->runs.push_back(simulate(kEnvironments[static_cast<std::size_t>(e)], {x, y}, e));
      }
    }
  }
  return sets;
}

LeadsScore leads_lotka_volterra_score(const LeadsSets& sets, const std::vector<LeadsOptions>& candidates) {
  FILIGREE_ASSERT(!candidates.empty());
  const auto begin = std::chrono::steady_clock::now();
  LeadsScore score;
  score.options = candidates.front();
  if (candidates.size() > 1) {
    score.holdout = std::numeric_limits<double>::infinity();
    for (const LeadsOptions& options : candidates) {
      const double error = leads_holdout_error(sets.training, options, kKnown);
      if (!(error < score.holdout)) continue;
      score.holdout = error;
      score.options = options;
    }
  }
  const LeadsFit fit = fit_leads(sets.training, score.options);
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

LeadsScore leads_lotka_volterra_score(const LeadsOptions& options, std::int64_t seed) {
  return leads_lotka_volterra_score(leads_lotka_volterra_sets(seed), {options});
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
