#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frame.h"
#include "plan/search.h"
#include "plan_inputs.h"

/// What `filigree plan search` was asked for, over layouts of one model or over shapes and layouts together.
namespace filigree::cli {

struct SearchOptions {
  PlanInputs inputs;  ///< model "" where shapes are given; devices >= 1
  std::string shapes;
  std::string objective = "mfu";
  std::int64_t top = 10;
  std::string layout;             ///< settings that all layouts share; may be ""
  std::string space;              ///< "" for all that complete_space suggests
  std::int64_t gbs = 0, seq = 0;  ///< 0: what the layout says, else an assumption
  int threads = 1;
  std::string plot;
  Output output;
};

/// A request whose model is still empty, and what it takes for granted where nothing was said.
struct PreparedSearch {
  plan::SearchRequest request;
  std::vector<std::string> assumed;  ///< one sentence each
};

/// The request that the options ask for; `experts`: the models have experts. Sequence length, batch and overlaps that the
/// layout does not name are assumed. UsageError where words are wrong, Error where a file is or the two do not go together.
PreparedSearch prepare_search(const SearchOptions& options, bool experts);

/// `plan search --shapes`: shapes of models and their layouts together.
void run_shape_search(const SearchOptions& options);

}  // namespace filigree::cli
