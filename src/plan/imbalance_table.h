#pragma once

#include <cstdint>
#include <vector>

#include "plan/load.h"

/// Imbalance for a search that asks a hundred thousand times a second: a table made once for a model and a load.
namespace filigree::plan {

/// Imbalance::mean_max for every number of ranks that divides the experts, by tokens and number of layers.
///
///   1. Draw 16 micro-batches for each layer (for a trace up to 64, spread over its steps) and keep the same draws for
///      all that follows.
///   2. Let each grow over 1, 2, 4, … 2^21 tokens and without end: token by token while counts are small, then from the
///      same normal numbers, at last its popularity alone.
///   3. Keep the mean of largest / mean rank load over the first 1, 2, … layers, by number of ranks and tokens.
///   4. Between two of those numbers of tokens interpolate linearly in tokens^-1/2, as which the noise falls.
///
/// Within 2 % of imbalance() from 64 tokens on. Never changes after construction, so that threads may share it.
class ImbalanceTable {
 public:
  ImbalanceTable(const Popularity& popularity, bool placement);

  std::int64_t layers() const { return layers_; }

  /// For the first `layers` layers, at most layers(). Error where the ranks do not divide the experts.
  double mean_max(std::int64_t ranks, std::int64_t tokens, std::int64_t layers) const;

 private:
  std::int64_t experts_, layers_;
  std::vector<std::int64_t> divisors_;       // numbers of ranks
  std::vector<std::int32_t> slot_of_ranks_;  // position in divisors_, -1 for none
  std::vector<float> values_;                // slot, tokens, layers - 1; empty for a balanced load
};

/// imbalance(load, group, placement).mean_max from tables that are made when first asked for and kept for the process:
/// with 256 experts some 30 ms, twice that with placement; some 20 ns after that. The numbers depend on the arguments
/// alone, not on earlier calls or threads. Error as for imbalance(). A trace is read once: later changes of the file are
/// not seen.
double quick_imbalance(const spec::Load& load, const ExpertGroup& group, bool placement);

}  // namespace filigree::plan
