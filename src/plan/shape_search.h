#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/plot.h"
#include "base/table.h"
#include "plan/search.h"
#include "plan/shapes.h"

/// The best shapes of a model, each in its own best layout.
namespace filigree::plan {

struct ShapeRequest {
  ShapeSpace shapes;  ///< with the layout and the space of layouts that all shapes share
  spec::Cluster cluster;
  spec::Load load = {};
  std::int64_t devices = 0;
  Objective objective = Objective::mfu;
  std::int64_t timelines = 16;  ///< layouts of one shape that run as timelines
  int threads = 0;              ///< 0: one for each core
  ProgressSink* progress = nullptr;
};

struct FoundShape {
  Shape shape;
  Estimate estimate;     ///< of the best layout, by timeline
  bool is_base = false;  ///< has the base's sizes
  bool is_pareto =
      false;  ///< no other shape has as many total and active parameters and as many tokens/s, and one more
  std::int64_t rank_mfu = 0, rank_tokens = 0;  ///< from 1; equal shapes keep the order of the lists
};

struct ShapeResult {
  std::vector<FoundShape> found;  ///< best first by the objective; empty: no shape is within the limits and fits
  std::string name, base;
  Objective objective = Objective::mfu;
  ShapeLimits limits;
  std::int64_t devices = 0, gbs = 0, seq = 0;
  std::int64_t combinations = 0;                 ///< shapes
  std::map<std::string, std::int64_t> rejected;  ///< shapes by reason, those without a layout among them
  SearchCounts layouts;                          ///< of all shapes together
  double seconds = 0;
  std::vector<std::string> assumptions;
  bool cancelled = false;  ///< the best of the shapes seen so far
};

/// For every shape within the limits the best layout (plan/search.h), and the shapes in the order of the objective. The
/// result does not depend on the number of threads. found.size() + rejected = combinations, unless cancelled.
/// Error as search() and Shapes.
ShapeResult search_shapes(const ShapeRequest& request);

/// The shape with the base's sizes, where it is among those found.
const FoundShape* base_shape(const ShapeResult& result);

/// The `top` best shapes, and the base's where it is not among them.
Table shape_table(const ShapeResult& result, std::int64_t top);

/// The best shape of each number of layers, fastest first.
Table layers_table(const ShapeResult& result);

std::string shape_text(const ShapeResult& result, std::int64_t top);
Json shape_json(const ShapeResult& result, const spec::Cluster& cluster, std::int64_t top);

/// Tokens/s per device over active parameters, the base and the Pareto-optimal shapes marked.
Plot shape_plot(const ShapeResult& result);

}  // namespace filigree::plan
