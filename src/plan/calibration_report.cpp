#include "plan/calibration_report.h"

#include <algorithm>
#include <map>

#include "base/table.h"

namespace filigree::plan {
namespace {

std::string percent_text(double fraction, bool sign = false) {
  const double value = 100 * fraction;
  if (std::abs(value) < 0.05) return "0.0 %";
  return sign ? fmt::format("{:+.1f} %", value) : fmt::format("{:.1f} %", value);
}

bool any_holdout(const Calibration& calibration) {
  return std::any_of(calibration.families.begin(), calibration.families.end(),
                     [](const TimingFamily& family) { return family.holdout.rows > 0; });
}

Table family_table(const Calibration& calibration) {
  const bool holdout = any_holdout(calibration);
  std::vector<std::string> header{"operator", "rows", "before: mean", "worst", "after: mean", "worst"};
  if (holdout) header.insert(header.end(), {"held out", "mean", "worst"});
  Table table(header);
  for (const TimingFamily& family : calibration.families) {
    std::vector<std::string> cells{family.name + (family.remark.empty() ? "" : " *"),
                                   fmt::format("{}", family.rows - family.holdout.rows),
                                   percent_text(family.before.mean),
                                   percent_text(family.before.worst, true),
                                   percent_text(family.after.mean),
                                   percent_text(family.after.worst, true)};
    const TimingError& out = family.holdout;
    if (holdout && out.rows == 0) cells.insert(cells.end(), {"0", "–", "–"});
    if (holdout && out.rows > 0) {
      cells.insert(cells.end(), {fmt::format("{}", out.rows), percent_text(out.mean), percent_text(out.worst, true)});
    }
    table.row(std::move(cells));
  }
  return table;
}

/// The families that share a remark, one line a remark.
std::string remarks(const Calibration& calibration) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const TimingFamily& family : calibration.families) {
    if (family.remark.empty()) continue;
    const auto line = std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == family.remark; });
    if (line == lines.end()) {
      lines.emplace_back(family.remark, family.name);
    } else {
      line->second += "; " + family.name;
    }
  }
  std::string text;
  for (const auto& [remark, names] : lines) text += fmt::format("* {}: {}\n", names, remark);
  return text.empty() ? text : "\n" + text;
}

std::string curve_text(const spec::MatrixCurve& c) {
  return fmt::format("max {:.4g}, k_fill {:.4g}, tile {:.4g}, row_tile {:.4g}, memory {:.4g}", c.max, c.k_fill, c.tile,
                     c.row_tile, c.memory);
}

Table figure_table(const Calibration& calibration) {
  const spec::Accelerator& a = calibration.cluster.accelerator;
  Table table({"figure", "value"});
  table.align(1, Align::left);
  for (const auto& [dtype, curve] : a.matrix) table.row({"matrix." + dtype, curve_text(curve)});
  for (const auto& [dtype, curve] : a.grouped) table.row({"grouped." + dtype, curve_text(curve)});
  const spec::AttentionCurve& c = a.attention;
  table.row({"attention", fmt::format("forward {:.4g}, backward {:.4g}, forward_fill {:.4g}, backward_fill {:.4g}, "
                                      "causal_tail {:.4g}",
                                      c.forward, c.backward, c.forward_fill, c.backward_fill, c.causal_tail)});
  table.row({"memory_efficiency", fmt::format("{:.4g}", a.memory_efficiency)});
  table.row({"kernel_us", fmt::format("{:.4g}", a.kernel_us)});
  table.row({"host_us", fmt::format("{:.4g}", a.host_us)});
  table.row({"host_gb_s", fmt::format("{:.4g}", calibration.cluster.host_gb_s)});
  return table;
}

/// One colour an operator and dtype, without the size of heads; all that only move bytes together.
std::string plot_name(const TimingFamily& family) {
  if (family.kind == OperatorKind::memory) return "memory-bound";
  if (family.kind == OperatorKind::transfer) return "to and from the host";
  return family.name.substr(0, family.name.find(','));
}

}  // namespace

std::string calibration_text(const Calibration& calibration) {
  return family_table(calibration).text() + remarks(calibration) + "\n" + figure_table(calibration).text();
}

Json calibration_json(const Calibration& calibration) {
  Json json;
  json["cluster"] = calibration.cluster.name;
  json["families"] = Json::array();
  for (const TimingFamily& family : calibration.families) {
    const bool out = family.holdout.rows > 0;
    Json entry;
    entry["name"] = family.name;
    entry["rows"] = family.rows;
    entry["fitted"] = family.fitted;
    entry["remark"] = family.remark;
    entry["mean_error_before"] = family.before.mean;
    entry["worst_error_before"] = family.before.worst;
    entry["mean_error"] = family.after.mean;
    entry["worst_error"] = family.after.worst;
    entry["holdout_rows"] = family.holdout.rows;
    entry["holdout_mean_error"] = out ? Json(family.holdout.mean) : Json(nullptr);
    entry["holdout_worst_error"] = out ? Json(family.holdout.worst) : Json(nullptr);
    json["families"].push_back(std::move(entry));
  }
  json["accelerator"] = to_json(calibration.cluster.accelerator);
  json["host_gb_s"] = calibration.cluster.host_gb_s;
  return json;
}

Plot calibration_plot(const Calibration& calibration) {
  Plot plot;
  plot.title = "Operators: computed against measured";
  plot.subtitle = calibration.cluster.accelerator.name;
  plot.x_label = "measured, µs";
  plot.y_label = "computed / measured";
  plot.log_x = true;
  plot.height = 560;
  plot.guides.push_back({1.0, {}, false});
  std::map<std::string, std::size_t> places;
  for (const TimingFamily& family : calibration.families) {
    if (!family.fitted) continue;
    const auto [place, is_new] = places.emplace(plot_name(family), plot.series.size());
    if (is_new) plot.series.push_back({.name = place->first, .style = SeriesStyle::points});
    Series& series = plot.series[place->second];
    for (std::size_t i = 0; i < family.measured.size(); ++i) {
      series.x.push_back(1e6 * family.measured[i]);
      series.y.push_back(family.computed[i] / family.measured[i]);
    }
  }
  return plot;
}

}  // namespace filigree::plan
