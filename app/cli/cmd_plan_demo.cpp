#include <chrono>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/plot.h"
#include "base/text.h"
#include "commands.h"
#include "demo_page.h"
#include "frame.h"
#include "plan/load_text.h"
#include "plan/report.h"
#include "plan_inputs.h"
#include "spec/layout_text.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string output = "out";
  int threads = 1;
};

void draw(const auto& picture, const fs::path& path) {
  render(picture, path);
  report_written(path);
}

/// The run after the last switch once more, with every event: its pictures.
plan::Estimate show_step(const plan::Ablation& ablation, const fs::path& folder) {
  const plan::AblationStep& last = ablation.steps.back();
  const plan::Estimator estimator(ablation.model, ablation.cluster, plan::parse_load(last.load));
  const plan::Estimate estimate = estimator.estimate(last.estimate.layout, plan::Detail::events);
  const plan::TimelineView view = plan::timeline_view(estimate, "One step of Pangu Ultra MoE");
  plan::to_trace(estimate.timeline, view).write(folder / "step.trace.json");
  report_written(folder / "step.trace.json");
  draw(plan::to_gantt(estimate.timeline, view), folder / "timeline.png");
  draw(plan::memory_chart(estimate, "Memory by stage"), folder / "memory.png");
  return estimate;
}

/// All layouts with the batch, the load and the software of the optimised run.
plan::SearchResult search(const plan::Ablation& ablation, int threads, ProgressSink* progress) {
  const plan::AblationStep& last = ablation.steps.back();
  const spec::Layout& l = last.estimate.layout;
  plan::SearchRequest request;
  request.model = ablation.model;
  request.cluster = ablation.cluster;
  request.load = plan::parse_load(last.load);
  request.devices = l.devices;
  spec::Layout base;
  base.gbs = l.gbs;
  base.seq = l.seq;
  base.overlap = l.overlap;
  base.fused = l.fused;
  base.expert_placement = l.expert_placement;
  request.base = plan::parse_base(spec::short_text(base));
  request.space.zero = {l.zero};
  request.space.offload_optimizer = {l.offload_optimizer};
  request.threads = threads;
  request.progress = progress;
  return plan::search(request);
}

Json search_json(const plan::SearchResult& result, const spec::Cluster& cluster) {
  Json list = Json::array();
  for (const plan::FoundLayout& found : result.top) list.push_back(plan::estimate_json(found.estimate, cluster));
  return list;
}

plan::Validation validate() {
  plan::Validation validation;
  for (const plan::MeasuredSet& set : plan::load_measured(recipes_folder() / "measured")) {
    validation.sets.push_back(plan::validate(set));
  }
  return validation;
}

void run(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  TerminalProgress progress(stderr);
  Demo demo;
  demo.folder = options.output;
  demo.ablation = plan::ablate(plan::load_ablation(find_recipe("runs", "pangu-ablation")), &progress);
  draw(plan::ablation_plot(demo.ablation), demo.folder / "ablation.png");
  emit({}, plan::ablation_text(demo.ablation) + "\n");
  demo.optimised = show_step(demo.ablation, demo.folder);
  if (!cancelled()) {
    demo.search = search(demo.ablation, options.threads, &progress);
    write_file(demo.folder / "layouts.json", to_text(search_json(*demo.search, demo.ablation.cluster)));
    draw(pareto_plot(*demo.search, demo.optimised), demo.folder / "pareto.png");
    emit({}, fmt::format("The best layouts of {} combinations\n{}\n",
                         text::with_thousands(demo.search->counts.combinations),
                         best_table(*demo.search, demo.optimised).text()));
    if (!demo.search->top.empty()) {
      demo.explanation = plan::explain(demo.optimised, demo.search->top.front().estimate);
    }
  }
  if (!cancelled()) {
    demo.validation = validate();
    demo.validation->headlines = plan::headlines(demo.ablation);
  }
  demo.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const fs::path page = write_page(demo);
  emit({}, fmt::format("The report is {}, beside its pictures.\n", page.string()));
}

}  // namespace

void setup_plan_demo(CLI::App& plan) {
  CLI::App* command = add_command(plan, {"demo", "Plan Pangu Ultra MoE on 6,144 Ascend NPUs and write a report page.",
                                         "filigree plan demo --output out"});
  const auto options = std::make_shared<Options>();
  command->add_option("-o,--output", options->output, "the folder for pictures and page")
      ->type_name("DIR")
      ->capture_default_str();
  add_threads(*command, options->threads);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
