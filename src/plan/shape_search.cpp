#include "plan/shape_search.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

#include "base/cancel.h"
#include "plan/workers.h"
#include "spec/hf_config.h"

namespace filigree::plan {
namespace {

SearchRequest layout_request(const ShapeRequest& request, const spec::Model& model) {
  SearchRequest layouts;
  layouts.model = model;
  layouts.cluster = request.cluster;
  layouts.load = request.load;
  layouts.devices = request.devices;
  layouts.base = {request.shapes.layout, request.shapes.fixed};
  layouts.space = request.shapes.space;
  layouts.objective = request.objective;
  layouts.top = 1;
  layouts.timelines = request.timelines;
  layouts.threads = 1;  // shapes are shared out to the threads
  return layouts;
}

/// Better by the objective, for shapes of one cluster: dollars for a token fall as tokens/s rise.
double merit(const Estimate& estimate, Objective objective) {
  return objective == Objective::mfu ? estimate.mfu : estimate.tokens_per_s_per_device;
}

bool dominates(const FoundShape& a, const FoundShape& b) {
  const double ta = a.estimate.tokens_per_s_per_device, tb = b.estimate.tokens_per_s_per_device;
  const spec::Count &ca = a.shape.count, &cb = b.shape.count;
  return ta >= tb && ca.total >= cb.total && ca.active >= cb.active &&
         (ta > tb || ca.total > cb.total || ca.active > cb.active);
}

void mark_pareto(std::vector<FoundShape>& found) {
  for (FoundShape& shape : found) {
    shape.is_pareto =
        std::none_of(found.begin(), found.end(), [&](const FoundShape& other) { return dominates(other, shape); });
  }
}

void set_ranks(std::vector<FoundShape>& found, Objective objective, std::int64_t FoundShape::*rank) {
  std::vector<std::size_t> order(found.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return merit(found[a].estimate, objective) > merit(found[b].estimate, objective);
  });
  for (std::size_t i = 0; i < order.size(); ++i) found[order[i]].*rank = static_cast<std::int64_t>(i) + 1;
}

/// The layout search of every shape; nothing where it was cancelled before its turn.
std::vector<std::optional<SearchResult>> search_layouts(const ShapeRequest& request, const std::vector<Shape>& shapes) {
  std::vector<std::optional<SearchResult>> results(shapes.size());
  const auto count = static_cast<std::int64_t>(shapes.size());
  Progress progress(request.progress, count, "shapes");
  for_each_index(count, worker_count(request.threads), [&](std::int64_t i, int) {
    if (cancelled()) return;
    const auto at = static_cast<std::size_t>(i);
    results[at] = search(layout_request(request, shapes[at].model));
    progress.advance();
  });
  return results;
}

void take(std::vector<Shape> shapes, std::vector<std::optional<SearchResult>> results, const spec::Model& base,
          ShapeResult& out) {
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    out.cancelled |= !results[i] || results[i]->cancelled;
    if (!results[i]) continue;
    SearchResult& result = *results[i];
    out.layouts += result.counts;
    out.gbs = result.gbs, out.seq = result.seq;
    if (result.top.empty()) {
      if (!result.cancelled) ++out.rejected[result.nearest ? "no layout fits in memory" : "no layout can exist"];
      continue;
    }
    FoundShape found;
    found.is_base = same_shape(shapes[i].model, base);
    found.shape = std::move(shapes[i]);
    found.estimate = std::move(result.top.front().estimate);
    out.found.push_back(std::move(found));
  }
}

}  // namespace

ShapeResult search_shapes(const ShapeRequest& request) {
  const auto begin = std::chrono::steady_clock::now();
  const spec::Model base = spec::load_language_model(request.shapes.base);
  const Shapes shapes(request.shapes, base);
  AdmittedShapes kept = admitted(shapes);
  ShapeResult result;
  result.name = request.shapes.name;
  result.base = base.name;
  result.objective = request.objective;
  result.limits = request.shapes.limits;
  result.devices = request.devices;
  result.assumptions = request.shapes.assumptions;
  result.combinations = kept.combinations;
  result.rejected = std::move(kept.rejected);
  result.cancelled = kept.combinations < shapes.size();
  std::vector<std::optional<SearchResult>> layouts = search_layouts(request, kept.shapes);
  take(std::move(kept.shapes), std::move(layouts), base, result);
  mark_pareto(result.found);
  set_ranks(result.found, Objective::mfu, &FoundShape::rank_mfu);
  set_ranks(result.found, Objective::tokens, &FoundShape::rank_tokens);
  const auto rank = request.objective == Objective::mfu ? &FoundShape::rank_mfu : &FoundShape::rank_tokens;
  std::sort(result.found.begin(), result.found.end(),
            [rank](const FoundShape& a, const FoundShape& b) { return a.*rank < b.*rank; });
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

const FoundShape* base_shape(const ShapeResult& result) {
  const auto at =
      std::find_if(result.found.begin(), result.found.end(), [](const FoundShape& found) { return found.is_base; });
  return at == result.found.end() ? nullptr : &*at;
}

}  // namespace filigree::plan
