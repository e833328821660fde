#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "plan/estimate.h"
#include "plan/search_space.h"

/// The best layouts of a model on a number of devices, by trying all of them.
namespace filigree::plan {

enum class Objective {
  mfu,     ///< largest model FLOPs utilisation
  tokens,  ///< most tokens a second
  cost     ///< fewest dollars for 10^12 tokens
};

struct SearchRequest {
  spec::Model model;
  spec::Cluster cluster;
  spec::Load load = {};
  std::int64_t devices = 0;
  SearchBase base = {};                  ///< with seq; gbs 0: default_batch
  SearchSpace space = {};                ///< lists left empty are filled by complete_space
  Objective objective = Objective::mfu;  ///< orders shapes; the layouts of one model rank the same by all three
  std::int64_t top = 10;                 ///< layouts to return
  std::int64_t timelines = 256;          ///< of the best by closed form so many, at least `top`, run as timelines
  bool distinct = true;  ///< one layout for each choice of tp, cp, ep, etp, tp_extends_ep, mbs, pp, vpp and schedule
  bool prune = true;     ///< leave out what step_bound (plan/bound.h) rules out; the result is the same without
  int threads = 0;       ///< 0: one for each core
  ProgressSink* progress = nullptr;
};

/// What became of every combination: rejected + repeated + pruned + estimated = combinations, unless cancelled.
struct SearchCounts {
  std::int64_t combinations = 0;
  std::map<std::string, std::int64_t> rejected;  ///< by the first rule broken (spec/check.h)
  std::int64_t repeated = 0;                     ///< the same run as another combination
  std::int64_t pruned = 0;                       ///< cannot be among the best
  std::int64_t estimated = 0;                    ///< by closed form
  std::int64_t unfit = 0;                        ///< of these, do not fit in memory
  std::int64_t timelines = 0;                    ///< run as timelines
  std::int64_t unfit_timelines = 0;              ///< of these, do not fit after all
  double seconds = 0;                            ///< until the closed forms were done
  double timeline_seconds = 0;

  SearchCounts& operator+=(const SearchCounts& other);
};

struct FoundLayout {
  Estimate estimate;                  ///< by timeline
  double closed_form_s = 0;           ///< step by closed form
  std::int64_t closed_form_rank = 0;  ///< from 1
};

/// The fastest layout that needs no more than so much memory.
struct MemoryChoice {
  double peak_memory = 0;  ///< bytes
  double step_s = 0;       ///< by closed form
  spec::Layout layout;
};

struct SearchResult {
  std::int64_t gbs = 0, seq = 0;
  SearchSpace space;                ///< complete
  std::vector<FoundLayout> top;     ///< best first, by timeline; empty: nothing fits
  std::optional<Estimate> nearest;  ///< where nothing fits: what needs the least memory
  std::vector<MemoryChoice> front;  ///< by memory, each faster than all before it (closed form, among those estimated)
  SearchCounts counts;
  bool cancelled = false;  ///< stopped early (base/cancel.h): the best so far
};

/// The sequences of a step where none are given: the smallest multiple of the devices with at least 4 Mi tokens, an
/// assumption that lets batches divide in most ways.
std::int64_t default_batch(std::int64_t devices, std::int64_t seq);

/// Tries every combination of the space (plan/candidates.h):
///
///   1. Sort the parallel degrees by their step_bound, so that good layouts come early.
///   2. Take degrees and settings in waves. Reject what breaks a rule of spec/check.h, pass over what repeats another
///      combination, and leave out degrees and settings whose bound is above the worst of the best known before the wave.
///   3. Estimate the rest by closed form and keep the best that fit.
///   4. Run these as timelines, and order them by that.
///
/// The result does not depend on the number of threads. Memory grows with the number of parallel degrees (16 bytes each)
/// and not with that of combinations.
/// Error where the request cannot be searched: no devices, a base that fixes other devices, a space that lists what the
/// base fixes, a cost objective without a price.
SearchResult search(const SearchRequest& request);

/// Dollars for 10^12 tokens. Error where the cluster states no price.
double dollars_per_tera_token(const Estimate& estimate, const spec::Cluster& cluster);

}  // namespace filigree::plan

template <>
struct filigree::EnumNames<filigree::plan::Objective> {
  using E = filigree::plan::Objective;
  static constexpr std::array<std::pair<E, std::string_view>, 3> table{
      {{E::mfu, "mfu"}, {E::tokens, "tokens"}, {E::cost, "cost"}}};
};
