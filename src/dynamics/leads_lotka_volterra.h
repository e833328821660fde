#pragma once

#include "dynamics/leads.h"
#include "dynamics/published_sets.h"

/// The Lotka–Volterra benchmark of LEADS, scored.
namespace filigree::dynamics {

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

/// Candidates by form: mlp is as published and has one; low_rank varies rank and ridge; the polynomials vary degree and
/// rank or the weight of the regulariser.
std::vector<LeadsOptions> leads_candidates(LeadsForm form, std::int64_t seed);

}  // namespace filigree::dynamics
