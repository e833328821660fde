#include "demo_page.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/build_info.h"
#include "base/html.h"
#include "base/progress.h"
#include "base/text.h"
#include "plan/report.h"
#include "spec/layout_text.h"

namespace filigree::cli {
namespace {

using plan::Estimate;
using plan::percent;

template <class Enum>
std::string names(const std::vector<Enum>& list) {
  std::vector<std::string> words;
  for (const Enum value : list) words.emplace_back(enum_name(value));
  return words.empty() ? "none" : text::join(words, "+");
}

std::string degrees(const spec::Layout& l) {
  std::string out = fmt::format("tp{} pp{} vpp{} ep{} dp{} mbs{}", l.tp, l.pp, l.vpp, l.ep, l.dp, l.mbs);
  if (l.tp_extends_ep) out += " ep×tp";
  if (l.etp > 1) out += fmt::format(" etp{}", l.etp);
  if (l.cp > 1) out += fmt::format(" cp{}", l.cp);
  return out;
}

void add_layout_row(Table& table, std::string rank, const Estimate& e) {
  const spec::Layout& l = e.layout;
  table.row({std::move(rank), degrees(l), std::string(enum_name(l.schedule)), names(l.recompute), names(l.swap),
             std::string(enum_name(l.dispatcher)), percent(e.mfu), plan::rate_text(e.tokens_per_s_per_device),
             plan::time_text(e.step_s), fmt::format("{:.1f}", plan::gib(e.peak_memory))});
}

std::string devices_text(const Demo& demo) {
  return fmt::format("{} × {}", text::with_thousands(demo.optimised.layout.devices),
                     demo.ablation.cluster.accelerator.name);
}

void add_summary(Html& page, const Demo& demo) {
  const auto& published = demo.ablation.run.published;
  const Estimate& e = demo.optimised;
  std::vector<HtmlCard> cards{
      {"MFU", percent(e.mfu), published ? "published: " + percent(published->optimised_mfu) : ""},
      {"before the optimisations", percent(demo.ablation.steps.front().estimate.mfu),
       published ? "published: " + percent(published->baseline_mfu) : ""},
      {"tokens a second", plan::rate_text(e.tokens_per_s), plan::rate_text(e.tokens_per_s_per_device) + " a device"},
      {"step", plan::time_text(e.step_s),
       plan::rate_text(static_cast<double>(e.layout.gbs * e.layout.seq)) + " tokens"},
      {"memory", fmt::format("{:.1f} GiB", plan::gib(e.peak_memory)),
       fmt::format("of {:.1f} on the fullest device", plan::gib(e.memory_capacity))}};
  if (demo.search && !demo.search->top.empty()) {
    cards.push_back({"best layout found", percent(demo.search->top.front().estimate.mfu),
                     fmt::format("of {} combinations", text::with_thousands(demo.search->counts.combinations))});
  }
  page.cards(cards);
  page.paragraph(plan::describe_limit(e, demo.ablation.cluster));
  page.paragraph(plan::mfu_definition(e.layout, demo.ablation.cluster) + ".");
}

void add_ablation(Html& page, const Demo& demo) {
  page.section("What each optimisation gains");
  page.image(demo.folder / "ablation.png", "MFU from the baseline to the optimised run, one switch after another.",
             "Waterfall of MFU from the baseline through each optimisation");
  page.table(plan::ablation_table(demo.ablation),
             "Gain: tokens a second over the line before. Load: the fullest expert rank over the mean.");
  if (demo.ablation.run.published) page.paragraph("Published figures: " + demo.ablation.run.published->source + ".");
  page.subsection("What is assumed");
  page.list(demo.ablation.run.assumptions);
  if (!demo.ablation.variations.empty()) {
    page.table(plan::variation_table(demo.ablation), "How much the answer moves when an assumption does.");
  }
}

void add_step(Html& page, const Demo& demo) {
  page.section("One step of the optimised run");
  page.image(
      demo.folder / "timeline.png",
      "Every stage's work over one step, and the memory of some stages. The file step.trace.json beside this page "
      "opens in Perfetto (ui.perfetto.dev).",
      "Timeline of all pipeline stages with forward, backward and paired passes");
  page.table(plan::part_table(demo.optimised), "Where the step goes on its slowest stage.");
  page.section("Memory");
  page.image(demo.folder / "memory.png", "Memory of a device of each stage at its peak.",
             "Stacked bars of memory by stage and kind");
}

void add_search(Html& page, const Demo& demo) {
  const plan::SearchResult& search = *demo.search;
  page.section("The best layouts");
  page.paragraph(fmt::format(
      "For the same model, batch, load and software, {} combinations of parallel degrees, schedules, splits of the "
      "layers, recomputation, swapping and dispatchers were gone through in {}; the best were run as timelines.",
      text::with_thousands(search.counts.combinations),
      duration_text(search.counts.seconds + search.counts.timeline_seconds)));
  if (search.top.empty()) {
    page.note("No layout fits into memory.");
  } else {
    page.table(best_table(search, demo.optimised));
    page.image(demo.folder / "pareto.png", "What more memory buys: nothing below the line was found.",
               "Tokens a second a device against memory, with the best layouts and the published one");
  }
  if (demo.explanation) {
    page.subsection("Why the best is faster than the published layout");
    page.paragraph("A is the published layout, B the best found. " + plan::explain_summary(*demo.explanation));
    page.table(plan::explain_table(*demo.explanation));
    page.paragraph("Differences of a few per cent are within what the planner can tell apart (see the last section).");
  }
  page.subsection("What became of all combinations");
  page.table(outcome_table(search.counts));
}

void add_validation(Html& page, const plan::Validation& validation) {
  page.section("How far to trust this");
  page.paragraph(
      "The same formulas against published runs, each machine with one hardware file. The Ascend figures have "
      "only the two published MFUs to be held against.");
  page.table(plan::validation_table(validation), "Error of the step time: computed over measured.");
  page.table(plan::headline_table(validation));
}

void add_commands(Html& page) {
  page.section("Do it yourself");
  page.code(
      "filigree plan ablate --plot ablation.png\n"
      "filigree plan search --model pangu-ultra-moe --cluster ascend-910b --devices 6144 --plot pareto.png\n"
      "filigree plan estimate --model pangu-ultra-moe --cluster ascend-910b --devices 6144 \\\n"
      "    --layout tp=8,pp=16,vpp=2,ep=4,tp_extends_ep=true,mbs=2,noop_layers=2 --plot step.png\n"
      "filigree plan validate --rows");
}

}  // namespace

Table best_table(const plan::SearchResult& search, const Estimate& paper) {
  Table table({"", "degrees", "schedule", "recomputed", "swapped", "dispatcher", "MFU", "tokens/s a device", "step",
               "memory, GiB"});
  for (std::size_t i = 0; i < search.top.size(); ++i) {
    add_layout_row(table, fmt::format("{}", i + 1), search.top[i].estimate);
  }
  table.rule();
  add_layout_row(table, "published", paper);
  return table;
}

Table outcome_table(const plan::SearchCounts& counts) {
  Table table({"combinations", ""});
  table.align(1, Align::left);
  const auto row = [&](std::int64_t count, const std::string& what) {
    if (count > 0) table.row({text::with_thousands(count), what});
  };
  std::vector<std::pair<std::string, std::int64_t>> rules(counts.rejected.begin(), counts.rejected.end());
  std::stable_sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [rule, count] : rules) row(count, "cannot exist: " + rule);
  row(counts.repeated, "the same run as another combination");
  row(counts.pruned, "provably slower than the best");
  row(counts.unfit, "do not fit in memory");
  row(counts.estimated - counts.unfit, "fit, and were estimated");
  table.rule();
  row(counts.combinations, "in all");
  return table;
}

Plot pareto_plot(const plan::SearchResult& search, const Estimate& paper) {
  const double tokens = static_cast<double>(search.gbs * search.seq) / static_cast<double>(paper.layout.devices);
  Plot plot;
  plot.title = "What memory buys";
  plot.subtitle = "the fastest layout for each amount of memory, by closed form, and the best by timeline";
  plot.x_label = "memory of the fullest device, GiB";
  plot.y_label = "tokens/s a device";
  plot.y_range.low = 0;
  plot.x_range = {.low = 0, .high = 1.15 * plan::gib(paper.memory_capacity)};  // leaves room for the limit's name
  Series front{.name = "fastest for its memory", .style = SeriesStyle::steps};
  for (const plan::MemoryChoice& choice : search.front) {
    front.x.push_back(plan::gib(choice.peak_memory));
    front.y.push_back(tokens / choice.step_s);
  }
  if (!front.x.empty()) {
    front.x.push_back(plan::gib(paper.memory_capacity));
    front.y.push_back(front.y.back());
    plot.series.push_back(std::move(front));
  }
  Series best{.name = "best ten", .style = SeriesStyle::points};
  for (const plan::FoundLayout& found : search.top) {
    best.x.push_back(plan::gib(found.estimate.peak_memory));
    best.y.push_back(found.estimate.tokens_per_s_per_device);
  }
  plot.series.push_back(std::move(best));
  plot.series.push_back({.name = "published layout",
                         .x = {plan::gib(paper.peak_memory)},
                         .y = {paper.tokens_per_s_per_device},
                         .style = SeriesStyle::points});
  plot.guides.push_back({.at = plan::gib(paper.memory_capacity), .text = "device memory", .vertical = true});
  return plot;
}

std::filesystem::path write_page(const Demo& demo) {
  Html page(fmt::format("Pangu Ultra MoE on {}", devices_text(demo)),
            fmt::format("planned with filigree {} in {}", build_info::version, duration_text(demo.seconds)));
  add_summary(page, demo);
  add_ablation(page, demo);
  add_step(page, demo);
  if (demo.search) add_search(page, demo);
  if (demo.validation) add_validation(page, *demo.validation);
  add_commands(page);
  const std::filesystem::path path = demo.folder / "index.html";
  page.write(path);
  return path;
}

}  // namespace filigree::cli
