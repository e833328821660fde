#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/plot.h"
#include "base/text.h"
#include "demo.h"
#include "plan/report.h"

namespace filigree::cli {
namespace {

using plan::gib;
using plan::percent;

std::string draw_timeline(const Demo& demo) {
  const plan::Estimate& e = demo.optimised;
  plan::TimelineView view = plan::timeline_view(e, "One step of the optimised run");
  view.subtitle = fmt::format("{} stages, {} micro-batches: {}; a stage waits {} of the time on average", e.layout.pp,
                              e.micro_batches, plan::time_text(e.step_s), percent(e.bubble_fraction));
  return draw(plan::to_gantt(e.timeline, view), ImageFormat::png);
}

std::string draw_memory(const Demo& demo) {
  return draw(plan::memory_chart(demo.optimised, "Memory of the optimised run by stage"), ImageFormat::png);
}

/// Takes kinds that no bar has out of the legend.
void drop_unused(BarChart& chart) {
  for (std::size_t kind = chart.kinds.size(); kind-- > 0;) {
    const auto at = static_cast<std::ptrdiff_t>(kind);
    const bool used =
        std::any_of(chart.rows.begin(), chart.rows.end(), [&](const auto& row) { return row.parts[kind] > 0; });
    if (used) continue;
    chart.kinds.erase(chart.kinds.begin() + at);
    for (auto& row : chart.rows) row.parts.erase(row.parts.begin() + at);
  }
}

/// The ends as computed and as published, and between them what each switch adds.
std::string draw_ablation(const Demo& demo) {
  BarChart chart;
  chart.title = "What each optimisation gains";
  chart.subtitle = "MFU after each one is switched on, and the change in points";
  chart.x_label = "MFU, %";
  chart.kinds = {{"computed", "#5B6672"}, {"more", "#009E73"}, {"less", "#D55E00"}, {"published", "#56B4E9"}};
  const std::vector<plan::AblationStep>& steps = demo.ablation.steps;
  const double first = 100 * steps.front().estimate.mfu, last = 100 * steps.back().estimate.mfu;
  const auto& published = demo.ablation.run.published;
  const auto add_end = [&](const std::string& name, double computed, double measured) {
    chart.rows.push_back({name, {computed, 0, 0, 0}, fmt::format("{:.1f}", computed)});
    if (published) chart.rows.push_back({name + ", published", {0, 0, 0, measured}, fmt::format("{:.1f}", measured)});
  };
  add_end("baseline", first, published ? 100 * published->baseline_mfu : 0);
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const double before = 100 * steps[i - 1].estimate.mfu, after = 100 * steps[i].estimate.mfu;
    chart.rows.push_back({steps[i].name,
                          {0, std::max(after - before, 0.0), std::max(before - after, 0.0), 0},
                          fmt::format("{:.1f}  ({:+.1f})", after, after - before),
                          std::min(before, after)});
  }
  add_end("all switched on", last, published ? 100 * published->optimised_mfu : 0);
  drop_unused(chart);
  return draw(chart, ImageFormat::png);
}

Series points(const std::string& name) { return {.name = name, .style = SeriesStyle::points}; }

/// What more memory buys, the best layouts and the published one.
std::string draw_pareto(const Demo& demo) {
  const plan::Estimate& run = demo.optimised;
  const double capacity = gib(run.memory_capacity);
  const double tokens = static_cast<double>(demo.search.gbs * demo.search.seq);
  Plot plot;
  plot.title = "What memory buys";
  plot.subtitle = "fastest layout that needs no more than so much memory (closed form), and the best by timeline";
  plot.x_label = "memory of the fullest device, GiB";
  plot.y_label = "tokens/s a device";
  plot.y_range.low = 0;
  plot.x_range = {.low = 0, .high = 1.2 * capacity};
  Series front{.name = "fastest for its memory", .style = SeriesStyle::steps};
  for (const plan::MemoryChoice& choice : demo.search.front) {
    front.x.push_back(gib(choice.peak_memory));
    front.y.push_back(tokens / choice.step_s / static_cast<double>(run.layout.devices));
  }
  if (!front.x.empty()) {
    front.x.push_back(capacity);
    front.y.push_back(front.y.back());
    plot.series.push_back(std::move(front));
  }
  Series best = points(fmt::format("best {}", demo.search.top.size()));
  for (const plan::FoundLayout& found : demo.search.top) {
    best.x.push_back(gib(found.estimate.peak_memory));
    best.y.push_back(found.estimate.tokens_per_s_per_device);
  }
  if (!best.x.empty()) plot.series.push_back(std::move(best));
  Series published = points("published layout");
  published.x = {gib(run.peak_memory)};
  published.y = {run.tokens_per_s_per_device};
  plot.series.push_back(std::move(published));
  plot.guides.push_back({.at = capacity, .text = "device memory", .vertical = true});
  return draw(plot, ImageFormat::png);
}

std::string draw_shapes(const Demo& demo) { return draw(plan::shape_plot(demo.shapes), ImageFormat::png); }

std::string draw_validation(const Demo& demo) { return draw(plan::validation_plot(demo.validation), ImageFormat::png); }

struct Drawing {
  DemoFile file;
  std::function<std::string(const Demo&)> draw;
};

std::vector<Drawing> drawings(const Demo& demo) {
  const plan::Estimate& e = demo.optimised;
  std::vector<Drawing> list{
      {{"ablation.png", "", "MFU from the baseline to the optimised run, one switch after another.",
        "Bars of MFU from the baseline over each optimisation to the optimised run"},
       draw_ablation},
      {{"timeline.png", "",
        fmt::format(
            "Above, what every stage does over the step; white is waiting, most of it for stage {}, which takes "
            "longest. Below, the memory of some stages. trace.json beside this page shows the same in Perfetto.",
            e.slowest_stage),
        "Forward, backward and paired passes of all pipeline stages over time, and memory curves below"},
       draw_timeline},
      {{"memory.png", "",
        fmt::format("A device of each stage when it holds most. The axis ends at the {:.1f} GiB that a device has.",
                    gib(std::max(e.memory_capacity, e.peak_memory))),
        "Stacked bars of weights, gradients, optimizer state, activations and buffers by stage"},
       draw_memory},
      {{"pareto.png", "",
        "The line is by closed form, the points by timeline, which finds a little more waiting. Published layout: as "
        "computed, not as measured.",
        "Tokens a second a device over memory, with the best layouts and the published one"},
       draw_pareto}};
  if (!demo.shapes.found.empty()) {
    list.push_back({{"shapes.png", "", "Each point is one shape of model in its own best layout.",
                     "Tokens a second a device over active parameters of the shapes"},
                    draw_shapes});
  }
  list.push_back({{"validation.png", "", "Every measured run against what the same formulas compute for it.",
                   "Computed over measured step times of all sets, near the diagonal"},
                  draw_validation});
  return list;
}

}  // namespace

std::vector<DemoFile> draw_demo(const Demo& demo, ProgressSink* sink) {
  std::vector<Drawing> list = drawings(demo);
  Progress progress(sink, static_cast<std::int64_t>(list.size()), "pictures");
  std::vector<DemoFile> files;
  for (Drawing& drawing : list) {
    if (cancelled()) break;
    drawing.file.content = drawing.draw(demo);
    files.push_back(std::move(drawing.file));
    progress.advance();
  }
  return files;
}

}  // namespace filigree::cli
