#include "demo.h"

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/file.h"
#include "base/text.h"
#include "plan/load_text.h"
#include "plan/report.h"
#include "spec/layout_text.h"

namespace filigree::cli {
namespace {

/// What the optimised run does that a search leaves as it is: how much it trains on at once, and its software.
plan::SearchRequest search_request(const plan::Ablation& ablation) {
  const plan::AblationStep& run = ablation.steps.back();
  const spec::Layout& l = run.estimate.layout;
  plan::SearchRequest request;
  request.model = ablation.model;
  request.cluster = ablation.cluster;
  request.load = plan::parse_load(run.load);
  request.devices = l.devices;
  spec::Layout base;
  base.gbs = l.gbs;
  base.seq = l.seq;
  base.overlap = l.overlap;
  base.fused = l.fused;
  base.expert_placement = l.expert_placement;
  request.base = plan::parse_base(spec::short_text(base));
  request.space.cp = {l.cp};
  request.space.zero = {l.zero};
  request.space.offload_optimizer = {l.offload_optimizer};
  request.space.swap = {"none", "permute", "experts"};
  return request;
}

std::vector<std::string> fixed_sentences(const plan::Ablation& ablation) {
  const plan::AblationStep& run = ablation.steps.back();
  const spec::Layout& l = run.estimate.layout;
  std::vector<std::string> overlaps;
  for (const spec::Overlap overlap : l.overlap) overlaps.emplace_back(enum_name(overlap));
  return {fmt::format("{} sequences of {} tokens a step.", text::with_thousands(l.gbs), text::with_thousands(l.seq)),
          fmt::format("Load of the experts: {}{}.", run.load,
                      l.expert_placement ? ", experts re-placed by measured load" : ""),
          fmt::format("Communication that hides behind work: {}; {} operators.", text::join(overlaps, ", "),
                      l.fused ? "fused" : "separate"),
          fmt::format("ZeRO stage {}, no context parallelism, optimizer state on the device.", l.zero)};
}

plan::Validation validate(const plan::Ablation& ablation, ProgressSink* sink) {
  plan::Validation validation;
  const std::vector<plan::MeasuredSet> sets = plan::load_measured(recipes_folder() / "measured");
  Progress progress(sink, static_cast<std::int64_t>(sets.size()), "measured runs");
  for (const plan::MeasuredSet& set : sets) {
    if (cancelled()) break;
    validation.sets.push_back(plan::validate(set));
    progress.advance();
  }
  validation.headlines = plan::headlines(ablation);
  return validation;
}

plan::ShapeResult search_shapes(const Demo& demo, int threads, ProgressSink* progress) {
  plan::ShapeRequest request;
  request.shapes = plan::load_shapes(find_recipe("shapes", "pangu-718b"));
  request.cluster = demo.ablation.cluster;
  request.devices = demo.optimised.layout.devices;
  request.threads = threads;
  request.progress = progress;
  return plan::search_shapes(request);
}

}  // namespace

std::string Demo::title() const {
  return fmt::format("Pangu Ultra MoE on {} × {}", text::with_thousands(optimised.layout.devices),
                     ablation.cluster.accelerator.name);
}

Demo ablate_demo(ProgressSink* progress) {
  Demo demo;
  demo.ablation = plan::ablate(plan::load_ablation(find_recipe("runs", "pangu-ablation")), progress);
  demo.parameters = spec::count(demo.ablation.model);
  const plan::AblationStep& last = demo.ablation.steps.back();
  const plan::Estimator estimator(demo.ablation.model, demo.ablation.cluster, plan::parse_load(last.load));
  demo.optimised = estimator.estimate(last.estimate.layout, plan::Detail::events);
  return demo;
}

void search_demo(Demo& demo, int threads, ProgressSink* progress) {
  plan::SearchRequest request = search_request(demo.ablation);
  request.threads = threads;
  request.progress = progress;
  demo.search = plan::search(request);
  demo.fixed = fixed_sentences(demo.ablation);
  if (!demo.search.top.empty()) {
    demo.explanation = plan::explain(demo.optimised, demo.search.top.front().estimate);
  }
}

void check_demo(Demo& demo, int threads, ProgressSink* progress) {
  demo.shapes = search_shapes(demo, threads, progress);
  demo.validation = validate(demo.ablation, progress);
}

std::vector<DemoFile> demo_data(const Demo& demo) {
  const plan::TimelineView view = plan::timeline_view(demo.optimised, demo.title());
  Json layouts = Json::array();
  for (const plan::FoundLayout& found : demo.search.top) {
    layouts.push_back(plan::estimate_json(found.estimate, demo.ablation.cluster));
  }
  return {{"trace.json", plan::to_trace(demo.optimised.timeline, view).text()}, {"layouts.json", to_text(layouts)}};
}

}  // namespace filigree::cli
