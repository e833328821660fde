#include "plan/validation.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/table.h"
#include "plan/report.h"

namespace filigree::plan {
namespace {

std::string signed_percent(double fraction) { return fmt::format("{:+.1f} %", 100 * fraction); }

bool computed(const RowResult& result) { return result.row.reason.empty(); }

std::size_t num_computed(const SetResult& set) { return set.rows.size() - set.skipped; }

Table row_table(const SetResult& set) {
  const bool memory = set.memory_mean_absolute_error.has_value();
  std::vector<std::string> header{"line", "run", "measured, ms", "computed, ms", "difference"};
  if (memory) header.insert(header.end(), {"measured, GiB", "computed, GiB", "memory difference"});
  Table table(std::move(header));
  for (const RowResult& result : set.rows) {
    if (!computed(result)) continue;
    std::vector<std::string> cells{fmt::format("{}", result.row.line), result.row.label, ms_text(result.row.step_s),
                                   ms_text(result.computed_s), signed_percent(result.error)};
    if (memory) {
      const bool has = result.memory_error.has_value();
      cells.push_back(has ? fmt::format("{:.2f}", *result.row.memory_gib) : "");
      cells.push_back(has ? fmt::format("{:.2f}", *result.computed_gib) : "");
      cells.push_back(has ? signed_percent(*result.memory_error) : "");
    }
    table.row(std::move(cells));
  }
  return table;
}

/// Rows without an answer, with the reason of each.
std::string skipped_text(const SetResult& set) {
  std::string out;
  for (const RowResult& result : set.rows) {
    if (computed(result)) continue;
    out += fmt::format("  {} line {} ({}): {}\n", set.name, result.row.line, result.row.label, result.row.reason);
  }
  return out;
}

Json row_json(const RowResult& result) {
  Json json;
  json["line"] = result.row.line;
  json["label"] = result.row.label;
  json["measured_ms"] = 1e3 * result.row.step_s;
  if (!computed(result)) {
    json["reason"] = result.row.reason;
    return json;
  }
  json["computed_ms"] = 1e3 * result.computed_s;
  json["error"] = result.error;
  if (result.memory_error) {
    json["measured_gib"] = *result.row.memory_gib;
    json["computed_gib"] = *result.computed_gib;
    json["memory_error"] = *result.memory_error;
  }
  return json;
}

Json optional_json(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

std::vector<Headline> headlines(const Ablation& ablation) {
  if (!ablation.run.published) return {};
  const PublishedRun& published = *ablation.run.published;
  const auto headline = [&](std::string_view end, double measured, const AblationStep& step) {
    return Headline{fmt::format("{} × {}, {}", ablation.model.name, ablation.cluster.accelerator.name, end), measured,
                    step.estimate.mfu};
  };
  std::vector<Headline> both{headline("baseline", published.baseline_mfu, ablation.steps.front()),
                             headline("optimised", published.optimised_mfu, ablation.steps.back())};
  both.back().note = "settings that are not published are assumed: see filigree plan ablate";
  return both;
}

Table validation_table(const Validation& validation) {
  Table table({"set", "machine", "rows", "computed", "mean |error|", "worst", "memory, mean |error|"});
  for (const SetResult& set : validation.sets) {
    const bool any = num_computed(set) > 0;
    table.row({set.name, set.cluster, fmt::format("{}", set.rows.size()), fmt::format("{}", num_computed(set)),
               any ? percent(set.mean_absolute_error) : "", any ? percent(set.worst_absolute_error) : "",
               set.memory_mean_absolute_error ? percent(*set.memory_mean_absolute_error) : ""});
  }
  return table;
}

Table headline_table(const Validation& validation) {
  Table table({"published run", "measured MFU", "computed MFU", "difference"});
  for (const Headline& headline : validation.headlines) {
    table.row({headline.name, percent(headline.measured_mfu), percent(headline.computed_mfu),
               fmt::format("{:+.1f} points", 100 * (headline.computed_mfu - headline.measured_mfu))});
  }
  return table;
}

std::string validation_text(const Validation& validation, bool all_rows) {
  std::string out;
  if (all_rows) {
    for (const SetResult& set : validation.sets) {
      out += fmt::format("{} ({}) on {}\n{}\n", set.name, set.source, set.cluster, row_table(set).text());
    }
  }
  out += "Error of the step time (computed / measured - 1), and of the memory of the fullest device\n";
  out += validation_table(validation).text();
  if (!validation.headlines.empty()) {
    out += "\n" + headline_table(validation).text();
    for (const Headline& headline : validation.headlines) {
      if (!headline.note.empty()) out += headline.note + "\n";
    }
  }
  std::string skipped;
  for (const SetResult& set : validation.sets) skipped += skipped_text(set);
  if (!skipped.empty()) out += "\nNot computed\n" + skipped;
  return out;
}

Json validation_json(const Validation& validation) {
  Json json;
  json["sets"] = Json::array();
  for (const SetResult& set : validation.sets) {
    Json entry;
    entry["name"] = set.name;
    entry["source"] = set.source;
    entry["cluster"] = set.cluster;
    entry["rows"] = set.rows.size();
    entry["computed"] = num_computed(set);
    entry["mean_absolute_error"] = set.mean_absolute_error;
    entry["worst_absolute_error"] = set.worst_absolute_error;
    entry["memory_mean_absolute_error"] = optional_json(set.memory_mean_absolute_error);
    entry["results"] = Json::array();
    for (const RowResult& result : set.rows) entry["results"].push_back(row_json(result));
    json["sets"].push_back(std::move(entry));
  }
  json["headlines"] = Json::array();
  for (const Headline& headline : validation.headlines) {
    Json entry;
    entry["name"] = headline.name;
    entry["measured_mfu"] = headline.measured_mfu;
    entry["computed_mfu"] = headline.computed_mfu;
    entry["note"] = headline.note;
    json["headlines"].push_back(std::move(entry));
  }
  return json;
}

Plot validation_plot(const Validation& validation) {
  Plot plot;
  plot.title = "Step time: computed against measured";
  plot.subtitle = "every published run; on the line they agree";
  plot.x_label = "measured, ms";
  plot.y_label = "computed, ms";
  plot.log_x = plot.log_y = true;
  plot.width = 800;
  plot.height = 720;
  double low = 1e300, high = 0;
  for (const SetResult& set : validation.sets) {
    Series series{.name = fmt::format("{}: mean {}", set.name, percent(set.mean_absolute_error)),
                  .style = SeriesStyle::points};
    for (const RowResult& result : set.rows) {
      if (!computed(result)) continue;
      series.x.push_back(1e3 * result.row.step_s);
      series.y.push_back(1e3 * result.computed_s);
      low = std::min({low, series.x.back(), series.y.back()});
      high = std::max({high, series.x.back(), series.y.back()});
    }
    if (!series.x.empty()) plot.series.push_back(std::move(series));
  }
  if (high > 0) {
    plot.series.push_back({.name = "equal", .x = {low, high}, .y = {low, high}, .dashed = true, .color = "#5B6672"});
  }
  return plot;
}

}  // namespace filigree::plan
