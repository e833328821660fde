#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/plot.h"
#include "base/progress.h"
#include "base/table.h"
#include "base/visit.h"
#include "plan/estimate.h"

/// What each optimisation of a run gains: from a baseline they are switched on one after another.
namespace filigree::plan {

/// Keys of a layout with the values they get, as on the command line: {"overlap": "gradients+experts", "fused": "true"}.
using LayoutKeys = std::map<std::string, std::string>;

/// One switch. It stays on for the steps after it.
struct AblationSwitch {
  std::string name;
  LayoutKeys set;
  std::string load;  ///< "" leaves the load as it is (plan/load_text.h)

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "what is switched on");
    v.optional("set", self.set, "keys of the layout that change");
    v.optional("load", self.load, "load of the experts from here on");
  }
};

/// A setting that is not known for sure: the whole chain is computed again with it.
struct AblationVariation {
  std::string name;
  LayoutKeys set;
  std::string load;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "what differs");
    v.optional("set", self.set, "keys of the baseline that differ; the switches come after them");
    v.optional("load", self.load, "load of the baseline");
  }
};

/// What was published about the run's two ends.
struct PublishedRun {
  double baseline_mfu = 0;
  double optimised_mfu = 0;
  std::string source;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("baseline_mfu", self.baseline_mfu, "before the switches", positive_fraction);
    v.required("optimised_mfu", self.optimised_mfu, "after the last", positive_fraction);
    v.required("source", self.source, "where the figures come from");
  }
};

/// A file of recipes/runs. In the file, values of `layout` and `set` may also be numbers, true or false, and lists.
struct AblationRun {
  std::string name;
  std::string model, cluster;
  std::int64_t devices = 0;
  std::string load = "balanced";
  LayoutKeys layout;
  std::vector<AblationSwitch> steps;
  std::vector<AblationVariation> variations;
  std::vector<std::string> assumptions;
  std::optional<PublishedRun> published;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("name", self.name, "shown to people");
    v.required("model", self.model, "a model recipe or file");
    v.required("cluster", self.cluster, "a cluster recipe or file");
    v.required("devices", self.devices, "devices in all", at_least(1));
    v.optional("load", self.load, "load of the experts: balanced, uniform, zipf:0.5, dirichlet:5, trace:FILE");
    v.required("layout", self.layout, "the baseline");
    v.required("steps", self.steps, "the switches, in order");
    v.optional("variations", self.variations, "settings to vary");
    v.optional("assumptions", self.assumptions, "what no source states");
    v.optional("published", self.published, "what was measured");
  }
};

/// Reads a run. Error on unknown or missing keys and where there is no step.
AblationRun load_ablation(const std::filesystem::path& path);

/// The baseline or the run after one switch.
struct AblationStep {
  std::string name;
  std::string load;
  Estimate estimate;
};

struct VariationResult {
  std::string name;
  Estimate baseline, optimised;
};

struct Ablation {
  AblationRun run;
  spec::Model model;
  spec::Cluster cluster;
  std::vector<AblationStep> steps;  ///< the baseline first
  std::vector<VariationResult> variations;
};

/// Computes the chain and its variations. Error, with the name of the step, for a layout that cannot exist.
Ablation ablate(const AblationRun& run, ProgressSink* progress = nullptr);

Table ablation_table(const Ablation& ablation);
Table variation_table(const Ablation& ablation);
std::string ablation_text(const Ablation& ablation);
Json ablation_json(const Ablation& ablation);

/// MFU from the baseline to the last switch.
Waterfall ablation_plot(const Ablation& ablation);

}  // namespace filigree::plan
