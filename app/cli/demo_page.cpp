#include "demo_page.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/html.h"
#include "base/text.h"
#include "plan/report.h"
#include "spec/layout_text.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;
using plan::Estimate;
using plan::percent;

/// The page under construction, and where its pictures come from.
struct Writer {
  const Demo& demo;
  const std::vector<DemoFile>& files;
  const fs::path& folder;
  Html& page;

  void picture(const std::string& name) {
    for (const DemoFile& file : files) {
      if (file.name == name) page.image(folder / name, file.caption, file.alt);
    }
  }
};

template <class Enum>
std::string names(const std::vector<Enum>& list) {
  std::vector<std::string> words;
  for (const Enum value : list) words.emplace_back(enum_name(value));
  return words.empty() ? "none" : text::join(words, " + ");
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

/// What it means that a combination breaks a rule of spec/check.h.
std::string reason(const std::string& rule) {
  static const std::vector<std::pair<std::string, std::string>> known{
      {"devices", "the parallel degrees do not make up the devices"},
      {"pipeline over layers", "more chunks of the pipeline than layers"},
      {"schedule", "the schedule does not run with so many stages or chunks, or with this overlap"},
      {"heads", "attention heads do not divide over tensor parallelism"},
      {"feed-forward width", "the feed-forward width does not divide over tensor parallelism"},
      {"experts", "experts do not divide over their ranks"},
      {"shared experts", "shared experts do not divide over tensor parallelism"},
      {"expert groups", "the devices of a stage do not divide into expert groups"},
      {"batch", "the batch does not divide into micro-batches, or these over the stages"},
      {"sequence", "the sequence does not divide over its ranks"},
      {"swap", "the same part both swapped and recomputed"}};
  for (const auto& [name, words] : known) {
    if (name == rule) return "cannot exist: " + words;
  }
  return "cannot exist: " + rule;
}

/// The ablation's table with what was published beside its two ends.
Table ablation_with_published(const Demo& demo) {
  const Table own = plan::ablation_table(demo.ablation);
  const auto& published = demo.ablation.run.published;
  std::vector<std::string> header = own.header();
  header.insert(header.begin() + 2, "published");
  Table table(std::move(header));
  for (std::size_t i = 0; i < own.num_rows(); ++i) {
    std::vector<std::string> cells = own.rows()[i];
    std::string beside;
    if (published && i == 0) beside = percent(published->baseline_mfu);
    if (published && i + 1 == own.num_rows()) beside = percent(published->optimised_mfu);
    cells.insert(cells.begin() + 2, beside);
    table.row(std::move(cells));
  }
  return table;
}

std::string billions(std::int64_t count) { return fmt::format("{:.1f} B", static_cast<double>(count) / 1e9); }

void add_summary(Writer& out) {
  const Demo& demo = out.demo;
  const auto& published = demo.ablation.run.published;
  const auto beside = [&](double mfu) { return published ? "published: " + percent(mfu) : std::string(); };
  const Estimate& e = demo.optimised;
  std::vector<HtmlCard> cards{
      {"MFU, optimised run", percent(e.mfu), beside(published ? published->optimised_mfu : 0)},
      {"MFU, baseline", percent(demo.baseline().mfu), beside(published ? published->baseline_mfu : 0)},
      {"tokens a second", plan::rate_text(e.tokens_per_s), plan::rate_text(e.tokens_per_s_per_device) + " a device"},
      {"step", plan::time_text(e.step_s),
       plan::rate_text(static_cast<double>(e.layout.gbs * e.layout.seq)) + " tokens"},
      {"memory", fmt::format("{:.1f} GiB", plan::gib(e.peak_memory)),
       fmt::format("of {:.1f}, fullest device", plan::gib(e.memory_capacity))},
      {"parameters", billions(demo.parameters.total), billions(demo.parameters.active) + " active"}};
  if (!demo.search.top.empty()) {
    cards.push_back({"best layout found", percent(demo.search.top.front().estimate.mfu),
                     fmt::format("of {} combinations", text::with_thousands(demo.search.counts.combinations))});
  }
  out.page.cards(cards);
  out.page.paragraph(
      fmt::format("The optimised run: {}. {}", degrees(e.layout), plan::describe_limit(e, demo.ablation.cluster)));
  out.page.note(plan::mfu_definition(e.layout, demo.ablation.cluster) + ". All MFUs on this page are defined so.");
}

void add_ablation(Writer& out) {
  const Demo& demo = out.demo;
  out.page.section("What each optimisation gains");
  out.page.table(ablation_with_published(demo),
                 "MFU as computed. Gain: tokens a second over the line before. Load: the fullest expert rank over the "
                 "mean.");
  if (demo.ablation.run.published) out.page.paragraph("Published: " + demo.ablation.run.published->source + ".");
  out.picture("ablation.png");
  out.page.section("What is assumed");
  out.page.list(demo.ablation.run.assumptions);
  if (!demo.ablation.variations.empty()) {
    out.page.table(plan::variation_table(demo.ablation), "How much the answer moves when an assumption does.");
  }
}

void add_step(Writer& out) {
  out.page.section("One step of the optimised run");
  out.picture("timeline.png");
  out.page.table(plan::part_table(out.demo.optimised), "Where the step goes on its slowest stage.");
  out.picture("memory.png");
}

void add_search(Writer& out) {
  const Demo& demo = out.demo;
  const plan::SearchCounts& counts = demo.search.counts;
  out.page.section("The best layouts");
  out.page.paragraph(
      fmt::format("All {} combinations of parallel degrees, schedule, split of the layers, recomputation, swapping and "
                  "dispatcher were gone through in {:.1f} s; the best {} then ran as timelines, which order the table. "
                  "All of them share:",
                  text::with_thousands(counts.combinations), counts.seconds + counts.timeline_seconds,
                  text::with_thousands(counts.timelines)));
  out.page.list(demo.fixed);
  if (demo.search.top.empty()) {
    out.page.note("No layout fits in memory.");
  } else {
    out.page.table(best_table(demo), "ep×tp: experts are spread over tp·ep ranks. Memory of the fullest device, GiB.");
  }
  out.picture("pareto.png");
  if (!demo.explanation.terms.empty()) {
    out.page.subsection("Why the best is faster than the published layout");
    out.page.paragraph("A is the published layout, B the best found. " + plan::explain_summary(demo.explanation));
    out.page.table(
        plan::explain_table(demo.explanation),
        fmt::format("Of each layout's slowest stage, A's stage {} and B's stage {}, which may hold different layers.",
                    demo.explanation.a.slowest_stage, demo.explanation.b.slowest_stage));
    out.page.paragraph(
        "Read this as where to look, not as a promise: the planner cannot tell layouts apart that differ by a few per "
        "cent, memory near the limit leaves no room for fragments, and nothing was measured on these devices but the "
        "two "
        "published figures.");
  }
  out.page.subsection("What became of all combinations");
  out.page.table(outcome_table(counts));
}

void add_shapes(Writer& out) {
  const plan::ShapeResult& shapes = out.demo.shapes;
  if (shapes.found.empty()) return;
  constexpr std::int64_t kShown = 10;
  out.page.section("The shape of the model");
  std::string place;
  if (const plan::FoundShape* base = plan::base_shape(shapes)) {
    place = fmt::format(" The shape of {} is number {} by MFU and number {} by tokens a second.", shapes.base,
                        base->rank_mfu, base->rank_tokens);
  }
  out.page.paragraph(
      fmt::format("Layers, hidden size, experts and their width were varied around the model, and of {} shapes the {} "
                  "within the limits on parameters were each put into their best layout.{}",
                  text::with_thousands(shapes.combinations), shapes.found.size(), place));
  out.page.table(plan::shape_table(shapes, kShown), "Speed: tokens a second against the base.");
  out.picture("shapes.png");
  out.page.list(shapes.assumptions);
}

void add_validation(Writer& out) {
  out.page.section("How far to trust this");
  out.page.paragraph(
      "The same formulas against published runs of other machines, each with one hardware file and no setting of its "
      "own "
      "for any row. For the Ascend machine only the two MFUs are published, and its efficiencies are assumed.");
  out.page.table(plan::validation_table(out.demo.validation),
                 "Error of the step time, computed over measured, and of the memory of the fullest device.");
  if (!out.demo.validation.headlines.empty()) out.page.table(plan::headline_table(out.demo.validation));
  out.picture("validation.png");
}

void add_commands(Writer& out) {
  const plan::AblationRun& run = out.demo.ablation.run;
  const std::string subject = fmt::format("--model {} --cluster {} --devices {}", run.model, run.cluster, run.devices);
  out.page.section("How to go on");
  out.page.paragraph("The program is build/release/bin/filigree. Every command explains itself with --help.");
  out.page.code(
      fmt::format("# The optimised run again, as a picture\n"
                  "filigree plan estimate {0} --load {1} \\\n    --layout {2} \\\n    --plot step.png\n\n"
                  "# The best layouts for other sequences\n"
                  "filigree plan search {0} --seq 4096 --gbs 12288 --plot pareto.png\n\n"
                  "# The same chain of optimisations with another batch\n"
                  "filigree plan ablate --layout gbs=12288 --plot gains.png\n\n"
                  "# Other shapes of the model\n"
                  "filigree plan search --shapes pangu-718b --cluster {3} --devices {4} --plot shapes.png\n\n"
                  "# Every measured run beside its computed one\n"
                  "filigree plan validate --rows",
                  subject, out.demo.ablation.steps.back().load, spec::short_text(out.demo.optimised.layout),
                  run.cluster, run.devices));
  out.page.paragraph(
      "Beside this page: trace.json opens in Perfetto (ui.perfetto.dev) and has every event of the step; "
      "layouts.json has the best layouts in full.");
}

}  // namespace

Table best_table(const Demo& demo) {
  Table table(
      {"", "degrees", "schedule", "recomputed", "swapped", "dispatcher", "MFU", "tokens/s a device", "step", "memory"});
  for (std::size_t i = 0; i < demo.search.top.size(); ++i) {
    add_layout_row(table, fmt::format("{}", i + 1), demo.search.top[i].estimate);
  }
  table.rule();
  add_layout_row(table, "published", demo.optimised);
  return table;
}

Table outcome_table(const plan::SearchCounts& counts) {
  Table table({"combinations", "what became of them"});
  table.align(1, Align::left);
  const auto row = [&](std::int64_t count, const std::string& what) {
    if (count > 0) table.row({text::with_thousands(count), what});
  };
  std::vector<std::pair<std::string, std::int64_t>> rules(counts.rejected.begin(), counts.rejected.end());
  std::stable_sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [rule, count] : rules) row(count, reason(rule));
  row(counts.repeated, "the same run as another combination");
  row(counts.pruned, "cannot be among the best: even a bound on their step is slower");
  row(counts.unfit, "do not fit in memory");
  row(counts.estimated - counts.unfit, "fit in memory and were estimated");
  table.rule();
  row(counts.combinations, "in all");
  return table;
}

void add_demo(Html& page, const Demo& demo, const std::vector<DemoFile>& files, const fs::path& folder) {
  Writer out{demo, files, folder, page};
  add_summary(out);
  add_ablation(out);
  add_step(out);
  add_search(out);
  add_shapes(out);
  add_validation(out);
  add_commands(out);
}

}  // namespace filigree::cli
