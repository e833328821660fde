#pragma once

#include <cstdint>
#include <vector>

#include "base/progress.h"
#include "plan/ranking.h"
#include "plan/search.h"

/// The closed-form part of a search. Private to the plan folder.
namespace filigree::plan {

/// One thread's share: its place in the space and what it has found.
struct SweepWorker {
  SweepWorker(const Candidates& candidates, std::size_t keep, bool distinct, std::size_t buckets);

  /// Everything but the top list, which is merged after every wave.
  void merge_into(SweepWorker& all) const;

  spec::Layout layout;
  EstimateReuse reuse;
  std::int64_t degrees = -1;  // those that `pipelines` and the numbers below hold for
  bool repeats = false;
  std::vector<std::int32_t> pipelines;  // that keep all rules and repeat no other
  std::vector<std::int64_t> broken;     // pipelines by the rule that they break
  std::int32_t lawful = -1;             // the first pipeline that keeps all rules
  std::int64_t repeated = 0;            // pipelines that keep all rules, but repeat another
  std::vector<std::int64_t> rejected;   // combinations by rule, so far
  SearchCounts counts;
  TopList top;
  std::vector<Ranked> by_memory;  // the fastest in each GiB of peak memory; step_s 0: none
  Ranked nearest;                 // of those that do not fit the one with least memory; peak_memory 0: none
};

class Sweep {
 public:
  /// Refers to all of them; `gbs` and `devices` stand in the candidates' base.
  Sweep(const SearchRequest& request, const Candidates& candidates, const Estimator& estimator);

  /// Goes through the space, or returns early when cancelled.
  void run();

  const TopList& top() const { return all_.top; }
  const std::vector<Ranked>& by_memory() const { return all_.by_memory; }
  const Ranked& nearest() const { return all_.nearest; }
  SearchCounts counts() const;
  bool was_cancelled() const { return cancelled_; }

 private:
  void sort_degrees();
  double bound(const spec::Layout& layout) const;
  void visit(std::int64_t item, SweepWorker& worker) const;
  void enter_degrees(std::int64_t degrees, SweepWorker& worker) const;
  void estimate_all(CandidateId id, SweepWorker& worker) const;
  void take(const CandidateId& id, const Estimate& estimate, SweepWorker& worker) const;

  const SearchRequest& request_;
  const Candidates& candidates_;
  const Estimator& estimator_;
  Network network_;
  LayerRuns runs_;
  int workers_ = 1;
  std::vector<std::pair<double, std::int64_t>> order_;  // bound and number of parallel degrees; empty: as numbered
  SweepWorker all_;
  double threshold_ = 0;  // of the best before this wave
  bool cancelled_ = false;
};

}  // namespace filigree::plan
