#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "plan/report.h"
#include "plan/shape_search.h"
#include "spec/layout_text.h"

namespace filigree::plan {
namespace {

std::string billions(std::int64_t count) { return fmt::format("{:.1f}", static_cast<double>(count) / 1e9); }

double tokens(const FoundShape& found) { return found.estimate.tokens_per_s_per_device; }

double active_b(const FoundShape& found) { return static_cast<double>(found.shape.count.active) / 1e9; }

/// What the points of the picture cover, so that labels can keep away from one another.
struct PlotScale {
  explicit PlotScale(const std::vector<FoundShape>& found) {
    for (const FoundShape& shape : found) {
      x_low = std::min(x_low, active_b(shape)), x_high = std::max(x_high, active_b(shape));
      y_low = std::min(y_low, tokens(shape)), y_high = std::max(y_high, tokens(shape));
    }
  }
  double x_span() const { return std::max(x_high - x_low, 0.1); }
  bool close(const FoundShape& a, const FoundShape& b) const {
    return std::abs(active_b(a) - active_b(b)) < 0.3 * x_span() &&
           std::abs(tokens(a) - tokens(b)) < 0.05 * (y_high - y_low);
  }

  double x_low = 1e300, x_high = 0, y_low = 1e300, y_high = 0;
};

/// What shapes may differ in; the settings that all share stand elsewhere.
std::string layout_text(const spec::Layout& layout) {
  std::string text = fmt::format("tp{} pp{} vpp{}", layout.tp, layout.pp, layout.vpp);
  if (layout.cp > 1) text += fmt::format(" cp{}", layout.cp);
  if (layout.ep > 1) text += fmt::format(" ep{}", layout.ep);
  if (layout.etp > 1) text += fmt::format(" etp{}", layout.etp);
  text += fmt::format(" mbs{}", layout.mbs);
  if (layout.noop_layers > 0) text += fmt::format(" +{} empty", layout.noop_layers);
  if (!layout.stages.empty()) text += " balanced";
  return text;
}

/// "+3.2 %" against the base, "" without one.
std::string against(const FoundShape& found, const FoundShape* base) {
  if (base == nullptr) return "";
  if (found.is_base) return "base";
  return fmt::format("{:+.1f} %", 100 * (tokens(found) / tokens(*base) - 1));
}

std::vector<std::string> cells(std::size_t rank, const FoundShape& found, const FoundShape* base) {
  const spec::Model& model = found.shape.model;
  const spec::Experts experts = model.experts.value_or(spec::Experts{});
  return {fmt::format("{}{}", rank, found.is_pareto ? " *" : ""),
          std::to_string(model.layers),
          std::to_string(model.hidden),
          std::to_string(experts.routed),
          std::to_string(experts.width),
          billions(found.shape.count.total),
          billions(found.shape.count.active),
          layout_text(found.estimate.layout),
          percent(found.estimate.mfu),
          rate_text(tokens(found)),
          against(found, base)};
}

Table empty_table(const char* first) {
  Table table({first, "layers", "hidden", "experts", "width", "total B", "active B", "best layout", "MFU",
               "tokens/s/device", "speed"});
  table.align(0, Align::left);
  return table;
}

std::string counts_text(const ShapeResult& result) {
  std::string text = fmt::format("{} shapes", text::with_thousands(result.combinations));
  for (const auto& [reason, count] : result.rejected) text += fmt::format(", {} {}", count, reason);
  return text + fmt::format(": {} left, for which {} layouts were tried in {:.1f} s.\n", result.found.size(),
                            text::with_thousands(result.layouts.combinations), result.seconds);
}

Json found_json(const FoundShape& found, const spec::Cluster& cluster) {
  const spec::Model& model = found.shape.model;
  Json json;
  json["name"] = model.name;
  json["layers"] = model.layers;
  json["hidden"] = model.hidden;
  json["heads"] = model.attention.heads;
  if (model.experts) {
    json["experts"] = model.experts->routed;
    json["top_k"] = model.experts->top_k;
    json["width"] = model.experts->width;
  }
  json["dense_width"] = model.dense_width;
  json["total_b"] = static_cast<double>(found.shape.count.total) / 1e9;
  json["active_b"] = static_cast<double>(found.shape.count.active) / 1e9;
  json["base"] = found.is_base;
  json["pareto"] = found.is_pareto;
  json["rank_mfu"] = found.rank_mfu;
  json["rank_tokens"] = found.rank_tokens;
  json["estimate"] = estimate_json(found.estimate, cluster);
  return json;
}

}  // namespace

Table shape_table(const ShapeResult& result, std::int64_t top) {
  const FoundShape* base = base_shape(result);
  Table table = empty_table("rank");
  for (std::size_t i = 0; i < result.found.size(); ++i) {
    const bool among = static_cast<std::int64_t>(i) < top;
    if (!among && !result.found[i].is_base) continue;
    if (!among) table.rule();
    table.row(cells(i + 1, result.found[i], base));
  }
  return table;
}

Table layers_table(const ShapeResult& result) {
  const FoundShape* base = base_shape(result);
  Table table = empty_table("rank");
  std::set<std::int64_t> seen;
  for (std::size_t i = 0; i < result.found.size(); ++i) {
    if (!seen.insert(result.found[i].shape.model.layers).second) continue;
    table.row(cells(i + 1, result.found[i], base));
  }
  return table;
}

std::string shape_text(const ShapeResult& result, std::int64_t top) {
  std::string out = fmt::format("{}: {} devices, {} sequences of {} tokens a step, best first by {}\n", result.name,
                                text::with_thousands(result.devices), text::with_thousands(result.gbs),
                                text::with_thousands(result.seq), enum_name(result.objective));
  if (result.found.empty()) {
    out = fmt::format("{}: no shape is within the limits and has a layout that fits. ", result.name);
    return out + counts_text(result);
  }
  out += "\n" + shape_table(result, top).text() + "\n";
  out += "* no other shape has as many parameters, total and active, and is faster\n";
  out += "\nThe best shape of each number of layers\n\n" + layers_table(result).text() + "\n";
  if (const FoundShape* base = base_shape(result)) {
    out += fmt::format("The shape of {} is number {} of {} by MFU ({}) and number {} by tokens/s.\n", result.base,
                       base->rank_mfu, result.found.size(), percent(base->estimate.mfu), base->rank_tokens);
  }
  out += counts_text(result);
  for (const std::string& assumption : result.assumptions) out += fmt::format("Assumed: {}\n", assumption);
  if (result.cancelled) out += "Stopped early: not all shapes were searched.\n";
  return out;
}

Json shape_json(const ShapeResult& result, const spec::Cluster& cluster, std::int64_t top) {
  Json json;
  json["name"] = result.name;
  json["base"] = result.base;
  json["objective"] = enum_name(result.objective);
  json["devices"] = result.devices;
  json["gbs"] = result.gbs;
  json["seq"] = result.seq;
  json["shapes"] = Json::array();
  for (std::size_t i = 0; i < result.found.size(); ++i) {
    const bool among = static_cast<std::int64_t>(i) < top;
    if (among || result.found[i].is_base) json["shapes"].push_back(found_json(result.found[i], cluster));
  }
  Json& counts = json["counts"];
  counts["shapes"] = result.combinations;
  counts["rejected"] = detail::write_value(result.rejected);
  counts["found"] = result.found.size();
  counts["layouts"] = result.layouts.combinations;
  json["seconds"] = result.seconds;
  json["assumptions"] = result.assumptions;
  json["cancelled"] = result.cancelled;
  return json;
}

Plot shape_plot(const ShapeResult& result) {
  const PlotScale scale(result.found);
  std::vector<const FoundShape*> order;
  if (const FoundShape* base = base_shape(result)) order.push_back(base);
  for (const FoundShape& found : result.found) {
    if (!found.is_base) order.push_back(&found);
  }
  Series rest{.name = "other shapes", .style = SeriesStyle::points, .color = "#b8bec6"};
  Series pareto{.name = "Pareto-optimal in parameters (total and active) and speed", .style = SeriesStyle::points};
  pareto.color = "#0072b2";
  Series base{.name = "the shape of " + result.base, .style = SeriesStyle::points, .color = "#d55e00"};
  std::vector<const FoundShape*> labelled;
  for (const FoundShape* found : order) {
    Series& series = found->is_base ? base : found->is_pareto ? pareto : rest;
    const bool crowded = std::any_of(labelled.begin(), labelled.end(),
                                     [&](const FoundShape* other) { return scale.close(*found, *other); });
    const bool label = found->is_base || (found->is_pareto && !crowded);
    if (label) labelled.push_back(found);
    series.x.push_back(active_b(*found));
    series.y.push_back(tokens(*found));
    series.point_labels.push_back(label ? found->shape.model.name : "");
  }
  Plot plot;
  plot.title = "Shapes in their best layouts: " + result.name;
  plot.subtitle = fmt::format("{} devices, {} shapes within the limits; L layers, h hidden, e experts, w their width",
                              text::with_thousands(result.devices), result.found.size());
  plot.x_label = "active parameters, billions";
  plot.y_label = "tokens/s per device";
  plot.x_range = {scale.x_low - 0.05 * scale.x_span(), scale.x_high + 0.2 * scale.x_span()};
  for (Series* series : {&rest, &pareto, &base}) {
    if (!series->x.empty()) plot.series.push_back(std::move(*series));
  }
  return plot;
}

}  // namespace filigree::plan
