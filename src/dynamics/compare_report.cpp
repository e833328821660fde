#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/table.h"
#include "base/text.h"
#include "dynamics/compare.h"
#include "dynamics/short_number.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;
using Rows = std::vector<const ComparedMethod*>;

constexpr std::size_t kDrawnMethods = 4;
constexpr std::size_t kPhaseMethods = 2;
constexpr Index kLeastDrawnSamples = 200;
constexpr Index kDrawnPoints = 1000;
constexpr double kLeastDrawn = 1e-16;  // below it only rounding errors are left

std::string horizon_name(const Comparison& comparison, std::int64_t horizon) {
  if (!comparison.lyapunov) return fmt::format("{}", horizon);
  return fmt::format("{:.2g} LT", comparison.valid_time(static_cast<double>(horizon)));
}

std::string valid_unit(const Comparison& comparison) { return comparison.lyapunov ? "LT" : "samples"; }

std::string valid_text(const Comparison& comparison, const ComparedMethod& row) {
  const double error = comparison.valid_time(row.valid_error);
  return fmt::format("{}{} ± {}", row.still_valid > 0 ? "≥ " : "", short_number(comparison.valid_time(row.valid)),
                     error < 10 ? fmt::format("{:.1g}", error) : fmt::format("{:.0f}", error));
}

/// One column of figures: what it is called and its value; less is better unless `more` is set.
struct Column {
  std::string name;
  double (*value)(const ComparedMethod& row, std::size_t index);
  std::size_t index = 0;
  bool more = false;
};

std::vector<Column> quality_columns(const Comparison& comparison) {
  std::vector<Column> columns{{"one-step MSE", [](const ComparedMethod& row, std::size_t) { return row.one_step; }}};
  for (std::size_t i = 0; i < comparison.horizons.size(); ++i) {
    columns.push_back({"RMSE to " + horizon_name(comparison, comparison.horizons[i]),
                       [](const ComparedMethod& row, std::size_t index) { return row.rmse[index]; }, i});
  }
  columns.push_back({fmt::format("sMAPE to {}", comparison.smape_horizon),
                     [](const ComparedMethod& row, std::size_t) { return row.smape; }});
  columns.push_back({"valid time", [](const ComparedMethod& row, std::size_t) { return row.valid; }, 0, true});
  return columns;
}

std::vector<Column> cost_columns() {
  return {
      {"parameters", [](const ComparedMethod& row, std::size_t) { return static_cast<double>(row.cost.parameters); }},
      {"operations a step",
       [](const ComparedMethod& row, std::size_t) { return static_cast<double>(row.cost.operations); }},
      {"training time", [](const ComparedMethod& row, std::size_t) { return row.training_seconds; }},
      {"time of a step", [](const ComparedMethod& row, std::size_t) { return row.step_nanoseconds; }}};
}

Rows forecasting_rows(const Comparison& comparison) {
  Rows rows;
  for (const ComparedMethod& row : comparison.rows) {
    if (row.reason.empty()) rows.push_back(&row);
  }
  return rows;
}

/// What methods are ordered by; less is better.
double main_score(const Comparison& comparison, const ComparedMethod& row) {
  return comparison.lyapunov ? -row.valid : row.rmse.back();
}

std::string main_score_text(const Comparison& comparison, const ComparedMethod& row) {
  if (comparison.lyapunov) return "a valid time of " + valid_text(comparison, row) + " LT";
  return fmt::format("an RMSE of {} to {}", short_number(row.rmse.back()),
                     horizon_name(comparison, comparison.horizons.back()));
}

bool is_structured(const ComparedMethod& row) { return row.name.starts_with("stnn"); }
bool is_network(const ComparedMethod& row) {
  return is_structured(row) || row.name == "mlp" || row.name == "neural_ode";
}

/// The row with the best value of the column, or null where no value is finite.
const ComparedMethod* best_of(const Rows& rows, const Column& column) {
  const auto less = [&](const ComparedMethod* a, const ComparedMethod* b) {
    const double x = column.value(*a, column.index), y = column.value(*b, column.index);
    return column.more ? x > y : x < y;
  };
  const ComparedMethod* best = *std::min_element(rows.begin(), rows.end(), less);
  return std::isfinite(column.value(*best, column.index)) ? best : nullptr;
}

/// "Best: sindy in one-step MSE and parameters; dmd in …".
std::string best_sentence(const Comparison& comparison, const Rows& ordered) {
  std::vector<Column> columns = quality_columns(comparison);
  for (const Column& column : cost_columns()) columns.push_back(column);
  std::vector<std::string> parts;
  for (const ComparedMethod* row : ordered) {
    std::vector<std::string> names;
    for (const Column& column : columns) {
      if (best_of(ordered, column) == row) names.push_back(column.name);
    }
    if (!names.empty()) parts.push_back(row->name + " in " + text::join(names, ", "));
  }
  return "Best: " + text::join(parts, "; ") + ".";
}

/// The best method that has fewer parameters and fewer operations than `row`, if it is also better.
const ComparedMethod* simpler_and_better(const Comparison& comparison, const Rows& ordered, const ComparedMethod& row) {
  for (const ComparedMethod* other : ordered) {
    if (!(main_score(comparison, *other) < main_score(comparison, row))) return nullptr;
    if (other->cost.parameters < row.cost.parameters && other->cost.operations < row.cost.operations) return other;
  }
  return nullptr;
}

std::string size_text(const ComparedMethod& row) {
  return fmt::format("{} parameters", text::with_thousands(row.cost.parameters));
}

void structured_findings(const Comparison& comparison, const Rows& ordered, std::vector<std::string>& out) {
  const auto structured =
      std::find_if(ordered.begin(), ordered.end(), [](const auto* row) { return is_structured(*row); });
  if (structured == ordered.end()) return;
  const ComparedMethod& row = **structured;
  if (structured == ordered.begin()) {
    out.push_back(fmt::format("The structured network is the best here: {} with {}.", main_score_text(comparison, row),
                              size_text(row)));
    return;
  }
  const ComparedMethod& best = *ordered.front();
  out.push_back(fmt::format("The structured network is not the best here: {} has {} with {}, {} has {} with {}.",
                            best.name, main_score_text(comparison, best), size_text(best), row.name,
                            main_score_text(comparison, row), size_text(row)));
}

Series curve(std::string name, std::vector<double> x, std::vector<double> y) {
  Series series;
  series.name = std::move(name);
  series.x = std::move(x);
  series.y = std::move(y);
  return series;
}

std::vector<double> column_of(const Matrix& matrix, Index column, Index rows) {
  const auto values = matrix.col(column).head(rows);
  return {values.begin(), values.end()};
}

/// The plane that phase space is drawn in: the first two coordinates, or the only one and its change.
std::pair<std::vector<double>, std::vector<double>> phase_of(const Matrix& states, Index rows) {
  if (states.cols() > 1) return {column_of(states, 0, rows), column_of(states, 1, rows)};
  std::vector<double> x, y;
  for (Index i = 0; i + 1 < rows; ++i) {
    x.push_back(states(i, 0));
    y.push_back(states(i + 1, 0) - states(i, 0));
  }
  return {std::move(x), std::move(y)};
}

std::string time_label(const Comparison& comparison) {
  return comparison.lyapunov ? "Lyapunov times" : comparison.dt == 1 ? "samples" : "time";
}

/// Time of the sample `ahead` of the last known one.
double time_at(const Comparison& comparison, Index ahead) {
  const double time = static_cast<double>(ahead) * comparison.dt;
  return comparison.lyapunov ? time * *comparison.lyapunov : time;
}

/// Samples that are worth drawing: beyond the validity of the best method chaos has nothing to compare.
Index drawn_samples(const Comparison& comparison, const Rows& ordered) {
  if (!comparison.lyapunov) return comparison.truth.rows();
  const auto samples = static_cast<Index>(std::ceil(1.5 * ordered.front()->valid));
  return std::min(comparison.truth.rows(), std::max(kLeastDrawnSamples, samples));
}

Plot growth_plot(const Comparison& comparison, const Rows& ordered) {
  Plot plot;
  plot.title = comparison.title + ": how errors grow";
  plot.subtitle =
      fmt::format("median of {} roll-outs, in standard deviations; valid below the dashed line", comparison.windows);
  plot.x_label = time_label(comparison);
  plot.y_label = "error";
  plot.log_y = true;
  const Index drawn = drawn_samples(comparison, ordered), stride = std::max<Index>(1, drawn / kDrawnPoints);
  for (const ComparedMethod* row : ordered) {
    std::vector<double> x, y;
    for (Index i = 0; i < drawn; i += stride) {
      x.push_back(time_at(comparison, i + 1));
      y.push_back(std::max(row->growth[i], kLeastDrawn));
    }
    plot.series.push_back(curve(row->name, std::move(x), std::move(y)));
  }
  plot.guides.push_back({comparison.limit});
  return plot;
}

}  // namespace

std::vector<const ComparedMethod*> best_first(const Comparison& comparison) {
  Rows rows = forecasting_rows(comparison);
  std::stable_sort(rows.begin(), rows.end(), [&](const auto* a, const auto* b) {
    return main_score(comparison, *a) < main_score(comparison, *b);
  });
  return rows;
}

std::vector<std::string> findings(const Comparison& comparison) {
  const Rows ordered = best_first(comparison);
  if (ordered.empty()) return {"No method could forecast."};
  std::vector<std::string> out{best_sentence(comparison, ordered)};
  structured_findings(comparison, ordered, out);
  for (const ComparedMethod* row : ordered) {
    if (!is_network(*row)) continue;
    const ComparedMethod* other = simpler_and_better(comparison, ordered, *row);
    if (other == nullptr) continue;
    out.push_back(fmt::format("Simpler and better than {} ({}, {}): {} ({}, {}).", row->name, size_text(*row),
                              main_score_text(comparison, *row), other->name, size_text(*other),
                              main_score_text(comparison, *other)));
  }
  return out;
}

Table comparison_table(const Comparison& comparison) {
  std::vector<std::string> header{"method"};
  for (const Column& column : quality_columns(comparison)) header.push_back(column.name);
  header.back() += ", " + valid_unit(comparison);
  for (const char* name : {"parameters", "operations/step", "training s", "ns/step"}) header.emplace_back(name);
  Table table(header);
  for (const ComparedMethod& row : comparison.rows) {
    std::vector<std::string> cells{row.name};
    if (row.reason.empty()) {
      for (const Column& column : quality_columns(comparison))
        cells.push_back(short_number(column.value(row, column.index)));
      cells.back() = valid_text(comparison, row);
    } else {
      cells.resize(header.size() - 4, "-");
    }
    const bool fitted = row.cost.parameters > 0;
    cells.push_back(fitted ? text::with_thousands(row.cost.parameters) : "-");
    cells.push_back(fitted ? text::with_thousands(row.cost.operations) : "-");
    cells.push_back(fitted ? short_number(row.training_seconds) : "-");
    cells.push_back(row.reason.empty() ? short_number(std::round(row.step_nanoseconds)) : "-");
    table.row(std::move(cells));
  }
  for (std::size_t i = 1; i < header.size(); ++i) table.align(i, Align::right);
  return table;
}

std::vector<std::string> comparison_remarks(const Comparison& comparison) {
  std::vector<std::string> lines;
  for (const ComparedMethod& row : comparison.rows) {
    if (!row.reason.empty()) lines.push_back(fmt::format("{} has no forecasts: {}.", row.name, row.reason));
    if (row.diverged > 0) {
      lines.push_back(
          fmt::format("{}: {} of {} roll-outs left all bounds.", row.name, row.diverged, comparison.windows));
    }
  }
  for (std::string& line : findings(comparison)) lines.push_back(std::move(line));
  return lines;
}

std::string comparison_text(const Comparison& comparison) {
  std::string text =
      fmt::format("{}: learned from {} samples in {} run{}, {:.6g} apart; tested by {} roll-outs of {} samples",
                  comparison.title, text::with_thousands(comparison.train_samples), comparison.train_runs,
                  comparison.train_runs == 1 ? "" : "s", comparison.dt, comparison.windows, comparison.longest);
  if (comparison.lyapunov) {
    text += fmt::format(" ({:.1f} Lyapunov times, LT)", comparison.valid_time(static_cast<double>(comparison.longest)));
  }
  text += fmt::format(
      ".\nErrors are in standard deviations of each coordinate; a forecast is valid until its error reaches {}.\n\n",
      comparison.limit);
  text += comparison_table(comparison).text() + "\n";
  for (const std::string& line : comparison_remarks(comparison)) text += line + "\n";
  return text;
}

Json comparison_json(const Comparison& comparison) {
  Json json;
  json["title"] = comparison.title;
  json["names"] = comparison.names;
  json["dt"] = comparison.dt;
  json["lyapunov"] = comparison.lyapunov ? Json(*comparison.lyapunov) : Json(nullptr);
  json["train_runs"] = comparison.train_runs;
  json["train_samples"] = comparison.train_samples;
  json["rollouts"] = comparison.windows;
  json["rollout_samples"] = comparison.longest;
  json["smape_horizon"] = comparison.smape_horizon;
  json["horizons"] = comparison.horizons;
  json["limit"] = comparison.limit;
  json["methods"] = Json::array();
  for (const ComparedMethod& row : comparison.rows) {
    Json one;
    one["method"] = row.name;
    one["reason"] = row.reason.empty() ? Json(nullptr) : Json(row.reason);
    one["parameters"] = row.cost.parameters;
    one["operations_per_step"] = row.cost.operations;
    one["training_seconds"] = row.training_seconds;
    if (row.reason.empty()) {
      one["ns_per_step"] = row.step_nanoseconds;
      one["one_step_mse"] = row.one_step;
      one["rmse"] = row.rmse;
      one["smape"] = row.smape;
      one["valid_samples"] = row.valid;
      one["valid_samples_error"] = row.valid_error;
      if (comparison.lyapunov) one["valid_lyapunov_times"] = comparison.valid_time(row.valid);
      one["still_valid"] = row.still_valid;
      one["diverged"] = row.diverged;
    }
    json["methods"].push_back(std::move(one));
  }
  json["findings"] = findings(comparison);
  return json;
}

ComparisonPlots comparison_plots(const Comparison& comparison) {
  Rows ordered = best_first(comparison);
  if (ordered.empty()) fail("{}: no method could forecast, so there is nothing to draw", comparison.title);
  ComparisonPlots plots;
  plots.growth = growth_plot(comparison, ordered);
  if (ordered.size() > kDrawnMethods) ordered.resize(kDrawnMethods);
  const Index drawn = drawn_samples(comparison, ordered);
  Plot& phase = plots.phase;
  phase.title = comparison.title + ": phase space";
  phase.subtitle = "one test run and forecasts of it";
  phase.x_label = comparison.names.front();
  phase.y_label = comparison.names.size() > 1 ? comparison.names[1] : "change of " + comparison.names.front();
  Plot& rollout = plots.rollout;
  rollout.title = comparison.title + ": a roll-out";
  rollout.subtitle = fmt::format("the {} methods that do best", ordered.size());
  rollout.x_label = time_label(comparison);
  rollout.y_label = comparison.names.front();
  std::vector<double> times;
  for (Index i = 0; i < drawn; ++i) times.push_back(time_at(comparison, i + 1));
  const auto add = [&](const std::string& name, const Matrix& states, bool truth) {
    auto [x, y] = phase_of(states, drawn);
    Series in_plane = curve(name, std::move(x), std::move(y));
    Series over_time = curve(name, times, column_of(states, 0, drawn));
    for (Series* series : {&in_plane, &over_time}) {
      series->dashed = !truth;
      if (truth) series->color = "#999999";
    }
    if (phase.series.size() <= kPhaseMethods) phase.series.push_back(std::move(in_plane));
    rollout.series.push_back(std::move(over_time));
  };
  add("truth", comparison.truth, true);
  for (const ComparedMethod* row : ordered) add(row->name, row->rollout, false);
  return plots;
}

std::vector<std::filesystem::path> write_comparison_plots(const Comparison& comparison,
                                                          const std::filesystem::path& folder) {
  const ComparisonPlots plots = comparison_plots(comparison);
  std::vector<std::pair<std::filesystem::path, std::string>> files;
  for (const auto& [name, plot] :
       {std::pair{"phase.png", &plots.phase}, {"rollout.png", &plots.rollout}, {"growth.png", &plots.growth}}) {
    files.emplace_back(folder / name, draw(*plot, ImageFormat::png));
  }
  std::vector<std::filesystem::path> paths;
  for (const auto& [path, bytes] : files) {
    write_file(path, bytes);
    paths.push_back(path);
  }
  return paths;
}

}  // namespace filigree::dynamics
