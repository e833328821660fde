#pragma once

#include "dynamics/leads.h"

/// The Lotka–Volterra benchmark of LEADS: x' = αx − βxy, y' = δxy − γy with β = δ = 0.5 and ten pairs (α, γ)
/// (yuan-yin/LEADS: datasets/__init__.py, datasets/lv.py). 20 samples at dt = 0.5; x0 uniform in [1, 2]².
namespace filigree::dynamics {

struct LeadsSets {
  Dataset training;  ///< one run an environment, all from the same x0
  Dataset test;      ///< 32 runs an environment
};

/// Sets from our own generator of random numbers, integrated to 1e-12.
LeadsSets leads_lotka_volterra_sets(std::int64_t seed);

struct LeadsScore {
  double mse = 0;                    ///< over all test runs, samples (the given first one too) and coordinates
  std::vector<double> environments;  ///< the same, one by one
  LeadsOptions options;              ///< as used
  double holdout = 0;                ///< error that chose them; 0 where there was one candidate
  std::int64_t parameters = 0;
  double seconds = 0;  ///< of choosing and fitting
};

/// Of the candidates, the one with the least leads_holdout_error on the training runs (first 14 samples against the
/// rest) is fitted to all of the training runs and tested.
LeadsScore leads_lotka_volterra_score(const LeadsSets& sets, const std::vector<LeadsOptions>& candidates);
LeadsScore leads_lotka_volterra_score(const LeadsOptions& options, std::int64_t seed);

/// Candidates by form: mlp is as published and has one; low_rank varies rank and ridge; the polynomials vary degree and
/// rank or the weight of the regulariser.
std::vector<LeadsOptions> leads_candidates(LeadsForm form, std::int64_t seed);

}  // namespace filigree::dynamics
