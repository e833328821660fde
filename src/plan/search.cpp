#include "plan/search.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "plan/sweep.h"
#include "plan/workers.h"
#include "spec/check.h"
#include "spec/resolve.h"

namespace filigree::plan {
namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// The base layout with its devices and batch. dp stays open unless it is fixed.
spec::Layout base_layout(const SearchRequest& request) {
  spec::Layout base = request.base.layout;
  if (request.devices < 1) fail("search: the number of devices must be at least 1, got {}", request.devices);
  if (base.devices > 0 && base.devices != request.devices) {
    fail("search: the layout fixes devices={}, but {} devices are asked for; give one of the two", base.devices,
         request.devices);
  }
  base.devices = request.devices;
  if (base.gbs == 0) base.gbs = default_batch(request.devices, base.seq);
  return base;
}

/// Runs the best as timelines, best first by that.
void run_timelines(const SearchRequest& request, const Candidates& candidates, const Estimator& estimator,
                   const std::vector<Ranked>& best, SearchResult& result) {
  std::vector<FoundLayout> found(best.size());
  for_each_index(static_cast<std::int64_t>(best.size()), worker_count(request.threads), [&](std::int64_t i, int) {
    const auto at = static_cast<std::size_t>(i);
    found[at] = {estimator.estimate(candidates.layout(best[at].id), Detail::timeline), best[at].step_s, i + 1};
  });
  result.counts.timelines = static_cast<std::int64_t>(found.size());
  std::stable_sort(found.begin(), found.end(),
                   [](const FoundLayout& a, const FoundLayout& b) { return a.estimate.step_s < b.estimate.step_s; });
  for (FoundLayout& layout : found) {
    if (!layout.estimate.fits) {
      ++result.counts.unfit_timelines;
      if (!result.nearest || layout.estimate.peak_memory < result.nearest->peak_memory)
        result.nearest = layout.estimate;
    } else if (static_cast<std::int64_t>(result.top.size()) < request.top) {
      result.top.push_back(std::move(layout));
    }
  }
}

std::vector<MemoryChoice> memory_front(const Candidates& candidates, const std::vector<Ranked>& by_memory) {
  std::vector<MemoryChoice> front;
  for (const Ranked& found : by_memory) {
    if (found.step_s == 0 || (!front.empty() && found.step_s >= front.back().step_s)) continue;
    front.push_back({found.peak_memory, found.step_s, candidates.layout(found.id)});
  }
  return front;
}

}  // namespace

SearchCounts& SearchCounts::operator+=(const SearchCounts& other) {
  combinations += other.combinations;
  for (const auto& [rule, count] : other.rejected) rejected[rule] += count;
  repeated += other.repeated;
  pruned += other.pruned;
  estimated += other.estimated;
  unfit += other.unfit;
  timelines += other.timelines;
  unfit_timelines += other.unfit_timelines;
  seconds += other.seconds;
  timeline_seconds += other.timeline_seconds;
  return *this;
}

std::int64_t default_batch(std::int64_t devices, std::int64_t seq) {
  constexpr std::int64_t kTokens = std::int64_t{4} << 20;
  const std::int64_t sequences = (kTokens + seq - 1) / seq;
  return spec::saturating_product({(sequences + devices - 1) / devices, devices});
}

double dollars_per_tera_token(const Estimate& estimate, const spec::Cluster& cluster) {
  const double price = cluster.accelerator.price_per_hour;
  if (price <= 0) {
    fail("cluster {}: the price of a device is not known, so a cost cannot be computed; set accelerator.price_per_hour",
         cluster.name);
  }
  return 1e12 / estimate.tokens_per_s_per_device / 3600 * price;
}

SearchResult search(const SearchRequest& request) {
  if (request.top < 1) fail("search: the number of layouts to show must be at least 1, got {}", request.top);
  if (request.objective == Objective::cost) static_cast<void>(dollars_per_tera_token({}, request.cluster));
  const spec::Layout base = base_layout(request);
  const SearchBase settings{base, request.base.fixed};
  const std::int64_t node =
      request.cluster.tiers.empty() ? 1 : std::max<std::int64_t>(1, request.cluster.tiers.front().devices);
  const Candidates candidates(
      complete_space(request.space, {request.model, request.cluster, settings, request.devices}), base, request.model,
      node);
  SearchResult result;
  result.gbs = base.gbs;
  result.seq = base.seq;
  result.space = candidates.space();
  const Estimator estimator(request.model, request.cluster, request.load);

  const Stopwatch closed_forms;
  Sweep sweep(request, candidates, estimator);
  sweep.run();
  result.counts = sweep.counts();
  result.counts.seconds = closed_forms.seconds();
  result.cancelled = sweep.was_cancelled();

  const Stopwatch timelines;
  run_timelines(request, candidates, estimator, sweep.top().ranked(), result);
  result.counts.timeline_seconds = timelines.seconds();
  result.front = memory_front(candidates, sweep.by_memory());
  if (!result.top.empty()) {
    result.nearest.reset();
  } else if (!result.nearest && sweep.nearest().peak_memory > 0) {
    result.nearest = estimator.estimate(candidates.layout(sweep.nearest().id), Detail::timeline);
  }
  return result;
}

}  // namespace filigree::plan
