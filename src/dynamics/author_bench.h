#pragma once

#include <string>
#include <vector>

#include "dynamics/model.h"
#include "dynamics/published_sets.h"

namespace filigree::dynamics {

/// How a model does on one of the StNN co-author's sets, measured as published (LeviLingsch/StNN: stnn_bench/metrics.py):
/// one-step errors in units of the training deviation over the whole test set, roll-outs from the first sample of chosen
/// test runs, in physical units over steps 0 … horizon.
struct AuthorScore {
  double one_step_mse = 0;
  std::vector<double> rollout_rmse;  ///< at each of the suite's horizons
};

/// Error where the model needs more than one sample of history: these roll-outs start from one state.
AuthorScore score_author_suite(const AuthorSuite& suite, const Model& model);

}  // namespace filigree::dynamics
