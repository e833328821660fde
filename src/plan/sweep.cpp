#include "plan/sweep.h"

#include <algorithm>
#include <atomic>
#include <limits>

#include "base/cancel.h"
#include "base/error.h"
#include "base/units.h"
#include "plan/bound.h"
#include "plan/workers.h"
#include "spec/check.h"

namespace filigree::plan {
namespace {

/// Beyond so many parallel degrees they are not sorted, so that memory stays small.
constexpr std::int64_t kSortedDegrees = std::int64_t{1} << 20;
/// Items of a wave: few at first, when each wave lowers the threshold much.
constexpr std::int64_t kFirstWave = 16, kLongestWave = 1024;

std::size_t broken_index(const spec::LayoutRule* rule) {
  return static_cast<std::size_t>(rule - spec::layout_rules().data());
}

bool less_memory(const Ranked& a, const Ranked& b) {
  return a.peak_memory != b.peak_memory ? a.peak_memory < b.peak_memory : a.id < b.id;
}

}  // namespace

SweepWorker::SweepWorker(const Candidates& candidates, std::size_t keep, bool distinct, std::size_t buckets)
    : layout(candidates.base()),
      broken(spec::layout_rules().size()),
      rejected(spec::layout_rules().size()),
      top(keep, distinct),
      by_memory(buckets) {}

void SweepWorker::merge_into(SweepWorker& all) const {
  for (std::size_t rule = 0; rule < rejected.size(); ++rule) all.rejected[rule] += rejected[rule];
  all.counts += counts;
  for (std::size_t i = 0; i < by_memory.size(); ++i) {
    const Ranked& mine = by_memory[i];
    if (mine.step_s > 0 && (all.by_memory[i].step_s == 0 || mine.before(all.by_memory[i]))) all.by_memory[i] = mine;
  }
  if (nearest.peak_memory > 0 && (all.nearest.peak_memory == 0 || less_memory(nearest, all.nearest)))
    all.nearest = nearest;
}

Sweep::Sweep(const SearchRequest& request, const Candidates& candidates, const Estimator& estimator)
    : request_(request),
      candidates_(candidates),
      estimator_(estimator),
      network_(resolve_network(estimator.cluster())),
      runs_(layer_runs(estimator.model())),
      workers_(worker_count(request.threads)),
      all_(candidates, static_cast<std::size_t>(std::max(request.timelines, request.top)), request.distinct,
           static_cast<std::size_t>(estimator.cluster().accelerator.memory_gib) + 1) {}

double Sweep::bound(const spec::Layout& layout) const {
  const spec::Cluster& cluster = estimator_.cluster();
  const Rates rates = resolve_rates(cluster.accelerator, layout);
  const LayerContext context{estimator_.model(), layout, rates, network_, 1, 1, cluster.host_gb_s * 1e9};
  // Sums in another order than the estimate's differ in their last digits.
  return step_bound(context, runs_, 1e-3 * cluster.step_overhead_ms) * (1 - 1e-9);
}

void Sweep::sort_degrees() {
  if (candidates_.num_degrees() > kSortedDegrees) return;
  order_.resize(static_cast<std::size_t>(candidates_.num_degrees()));
  std::vector<spec::Layout> layouts(static_cast<std::size_t>(workers_), candidates_.base());
  for (spec::Layout& layout : layouts) {
    // The least computation that any settings can have.
    layout.recompute.clear();
    layout.swap.clear();
  }
  for_each_index(candidates_.num_degrees(), workers_, [&](std::int64_t i, int worker) {
    spec::Layout& layout = layouts[static_cast<std::size_t>(worker)];
    candidates_.set_degrees(i, layout);
    order_[static_cast<std::size_t>(i)] = {bound(layout), i};
  });
  std::sort(order_.begin(), order_.end());
}

void Sweep::run() {
  if (request_.prune) sort_degrees();
  const std::int64_t items = candidates_.num_degrees() * static_cast<std::int64_t>(candidates_.settings().size());
  const auto each = static_cast<std::int64_t>(candidates_.pipelines().size() * candidates_.states().size());
  Progress progress(request_.progress, items * each, "layouts");
  std::vector<SweepWorker> workers(static_cast<std::size_t>(workers_), all_);
  std::int64_t wave = kFirstWave;
  for (std::int64_t begin = 0; begin < items && !cancelled_; begin += wave, wave = std::min(2 * wave, kLongestWave)) {
    threshold_ = all_.top.threshold();
    std::atomic<bool> stop{false};
    const std::int64_t count = std::min(wave, items - begin);
    for_each_index(count, workers_, [&](std::int64_t i, int worker) {
      if (cancelled()) stop = true;
      if (stop) return;
      visit(begin + i, workers[static_cast<std::size_t>(worker)]);
      progress.advance(each);
    });
    cancelled_ = stop;
    for (SweepWorker& worker : workers) all_.top.merge(worker.top);
  }
  for (const SweepWorker& worker : workers) worker.merge_into(all_);
}

void Sweep::enter_degrees(std::int64_t degrees, SweepWorker& w) const {
  w.degrees = degrees;
  w.layout = candidates_.base();
  w.layout.recompute.clear();
  w.layout.swap.clear();
  candidates_.set_degrees(degrees, w.layout);
  w.repeats = candidates_.repeats(w.layout);
  w.pipelines.clear();
  std::fill(w.broken.begin(), w.broken.end(), 0);
  w.repeated = 0;
  w.lawful = -1;
  const std::vector<PipelineChoice>& pipelines = candidates_.pipelines();
  for (std::size_t i = 0; i < pipelines.size(); ++i) {
    candidates_.set_pipeline(static_cast<std::int32_t>(i), w.layout);
    if (const spec::LayoutRule* rule = spec::broken_rule(w.layout, estimator_.model())) {
      ++w.broken[broken_index(rule)];
      continue;
    }
    if (w.lawful < 0) w.lawful = static_cast<std::int32_t>(i);
    if (pipelines[i].repeated) {
      ++w.repeated;
    } else {
      w.pipelines.push_back(static_cast<std::int32_t>(i));
    }
  }
}

void Sweep::visit(std::int64_t item, SweepWorker& w) const {
  const auto num_settings = static_cast<std::int64_t>(candidates_.settings().size());
  const auto states = static_cast<std::int64_t>(candidates_.states().size());
  const std::int64_t place = item / num_settings;
  CandidateId id;
  id.degrees = order_.empty() ? place : order_[static_cast<std::size_t>(place)].second;
  id.settings = static_cast<std::int32_t>(item % num_settings);
  if (id.degrees != w.degrees) enter_degrees(id.degrees, w);
  candidates_.set_settings(id.settings, w.layout);
  for (std::size_t rule = 0; rule < w.broken.size(); ++rule) w.rejected[rule] += w.broken[rule] * states;
  if (w.lawful < 0) return;

  // Rules that look at settings do so whatever the pipeline.
  candidates_.set_pipeline(w.lawful, w.layout);
  const auto combinations = static_cast<std::int64_t>(w.pipelines.size()) * states;
  if (const spec::LayoutRule* rule = spec::broken_rule(w.layout, estimator_.model())) {
    w.rejected[broken_index(rule)] += combinations + w.repeated * states;
    return;
  }
  w.counts.repeated += w.repeated * states;
  if (w.repeats || candidates_.repeats(w.layout, id.settings)) {
    w.counts.repeated += combinations;
  } else if (request_.prune && bound(w.layout) > threshold_) {
    w.counts.pruned += combinations;
  } else {
    estimate_all(id, w);
  }
}

void Sweep::estimate_all(CandidateId id, SweepWorker& w) const {
  for (const std::int32_t pipeline : w.pipelines) {
    id.pipeline = pipeline;
    candidates_.set_pipeline(pipeline, w.layout);
    for (std::size_t state = 0; state < candidates_.states().size(); ++state) {
      id.state = static_cast<std::int32_t>(state);
      candidates_.set_state(id.state, w.layout);
      take(id, estimator_.estimate(w.layout, Detail::closed_form, w.reuse), w);
    }
  }
}

void Sweep::take(const CandidateId& id, const Estimate& estimate, SweepWorker& w) const {
  ++w.counts.estimated;
  const Ranked found{estimate.step_s, estimate.peak_memory, id, candidates_.frame(id)};
  if (!estimate.fits) {
    ++w.counts.unfit;
    if (w.nearest.peak_memory == 0 || less_memory(found, w.nearest)) w.nearest = found;
    return;
  }
  w.top.offer(found);
  const auto bucket = static_cast<std::size_t>(found.peak_memory / kGib);
  Ranked& fastest = w.by_memory[std::min(bucket, w.by_memory.size() - 1)];
  if (fastest.step_s == 0 || found.before(fastest)) fastest = found;
}

SearchCounts Sweep::counts() const {
  SearchCounts counts = all_.counts;
  counts.combinations = candidates_.size();
  const auto rules = spec::layout_rules();
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    if (all_.rejected[rule] > 0) counts.rejected[std::string(rules[rule].name)] += all_.rejected[rule];
  }
  return counts;
}

}  // namespace filigree::plan
