#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "plan/ablate.h"
#include "plan/explain.h"
#include "plan/search.h"
#include "plan/shape_search.h"
#include "plan/validation.h"
#include "spec/count.h"

/// The program's main job in one go, as `filigree plan demo` runs it: Pangu Ultra MoE on 6,144 Ascend NPUs.
namespace filigree::cli {

/// Everything that the demonstration computes and its page shows.
struct Demo {
  plan::Ablation ablation;         ///< recipes/runs/pangu-ablation.json
  plan::Estimate optimised;        ///< the run after the last switch, with events
  spec::Count parameters;          ///< of its model
  plan::SearchResult search;       ///< of layouts, under the conditions of the optimised run
  std::vector<std::string> fixed;  ///< those conditions, one sentence each
  plan::Explanation explanation;   ///< the published layout (A) and the best found (B); empty where none fits
  plan::ShapeResult shapes;        ///< recipes/shapes/pangu-718b.json
  plan::Validation validation;     ///< recipes/measured, and the run's two published ends
  double seconds = 0;              ///< that all of it took

  const plan::Estimate& baseline() const { return ablation.steps.front().estimate; }
  std::string title() const;  ///< "Pangu Ultra MoE on 6,144 × Ascend 910B"
};

/// A file of the report: a picture where it has a caption.
struct DemoFile {
  std::string name;          ///< "timeline.png"
  std::string content;       ///< bytes
  std::string caption = {};  ///< what to see in it
  std::string alt = {};      ///< what it shows, in words
};

/// The ablation, and its last step once more with every event. The rest is left empty.
Demo ablate_demo(ProgressSink* progress);

/// Adds the search over layouts.
void search_demo(Demo& demo, int threads, ProgressSink* progress);

/// Adds the shapes and the measured runs.
void check_demo(Demo& demo, int threads, ProgressSink* progress);

/// ablation, timeline, memory, pareto, shapes and validation .png. Error where gnuplot is missing or fails.
std::vector<DemoFile> draw_demo(const Demo& demo, ProgressSink* progress);

/// trace.json, which opens in Perfetto, and layouts.json with the best layouts.
std::vector<DemoFile> demo_data(const Demo& demo);

}  // namespace filigree::cli
