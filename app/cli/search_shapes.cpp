#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/overrides.h"
#include "base/plot.h"
#include "plan/shape_search.h"
#include "search_command.h"

namespace filigree::cli {
namespace {

bool is_file(const std::string& path) {
  std::error_code code;
  return std::filesystem::is_regular_file(path, code);
}

/// Empties the lists of settings that the command line fixes.
struct Emptier {
  template <class T>
  void optional(std::string_view name, T& list, std::string_view, Bounds = any_value) {
    if (base.fixes(std::string(name))) list.clear();
  }
  const plan::SearchBase& base;
};

/// The file's lists with what the command line overrules.
plan::ShapeSpace read_shapes(const SearchOptions& options) {
  plan::ShapeSpace shapes = plan::load_shapes(find_words("shapes", options.shapes));
  if (!options.layout.empty()) {
    read_layout(options.layout);  // refuses unknown keys as wrong usage
    plan::SearchBase given = plan::parse_base(options.layout);
    Emptier emptier{given};
    plan::SearchSpace::visit(shapes.space, emptier);
    if (is_file(options.layout)) {
      shapes.layout = given.layout;
      shapes.fixed = given.fixed;
    } else {
      apply_overrides(shapes.layout, parse_pairs(options.layout, "layout"), "layout");
      shapes.fixed.insert(shapes.fixed.end(), given.fixed.begin(), given.fixed.end());
    }
  }
  if (is_file(options.space)) {
    shapes.space = plan::parse_space(options.space);
  } else if (!options.space.empty()) {
    try {
      apply_overrides(shapes.space, parse_pairs(options.space, "search space"), "search space");
    } catch (const Error& error) {
      throw UsageError(error.what());
    }
  }
  if (options.gbs > 0) shapes.layout.gbs = options.gbs;
  if (options.seq > 0) shapes.layout.seq = options.seq;
  return shapes;
}

}  // namespace

void run_shape_search(const SearchOptions& options) {
  plan::ShapeRequest request;
  request.shapes = read_shapes(options);
  request.cluster = read_cluster(options.inputs.cluster);
  request.load = read_load(options.inputs);
  request.devices = options.inputs.devices;
  request.objective = enum_from_name<plan::Objective>(options.objective).value_or(plan::Objective::mfu);
  request.threads = options.threads;
  TerminalProgress progress(stderr);
  request.progress = &progress;
  const plan::ShapeResult result = plan::search_shapes(request);
  if (!options.plot.empty() && !result.found.empty()) {
    render(plan::shape_plot(result), options.plot);
    report_written(options.plot);
  }
  if (options.output.as_json()) return emit(options.output, plan::shape_json(result, request.cluster, options.top));
  emit(options.output, plan::shape_text(result, options.top));
}

}  // namespace filigree::cli
