#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "frame.h"
#include "plan/estimate.h"
#include "spec/cluster.h"
#include "spec/hf_config.h"
#include "spec/layout.h"
#include "spec/load.h"

/// What the commands of `plan` read from the command line, in one place. Each reader throws UsageError where the words
/// themselves are wrong (a name that does not exist, a text of the wrong form) and Error where a file is.
namespace filigree::cli {

struct PlanInputs {
  std::string model, cluster;
  std::string load = "balanced";
  std::int64_t seed = 0;
  std::int64_t devices = 0;  ///< 0: what the layout says
};

/// Adds --model and --cluster (required), --load, --seed and --devices.
void add_plan_inputs(CLI::App& command, PlanInputs& inputs);

/// The path of a recipe ("models", "clusters", "runs") by name, or of a file. UsageError where there is none.
std::string find_words(std::string_view kind, const std::string& name_or_path);

spec::AnyModel read_model(const std::string& name_or_path);

/// As read_model, where only a language model will do; `command` is named in the message.
spec::Model read_language_model(const std::string& name_or_path, const std::string& command);

spec::Cluster read_cluster(const std::string& name_or_path);
spec::Load read_load(const PlanInputs& inputs);

/// A layout as written: a file or inline text, not yet complete.
spec::Layout read_layout(const std::string& text_or_path);

/// A model on a cluster: what `plan estimate` and `plan explain` put layouts to.
class Subject {
 public:
  explicit Subject(const PlanInputs& inputs);

  const spec::Cluster& cluster() const { return cluster_; }

  /// "deepseekv3 on 1,024 × H100 SXM5".
  std::string title(const plan::Estimate& estimate) const;

  /// The estimate of a layout as written, completed and checked.
  plan::Estimate estimate(const std::string& layout, plan::Detail detail) const;

  const std::string& model_name() const { return name_; }

 private:
  spec::AnyModel model_;
  spec::Cluster cluster_;
  spec::Load load_;
  std::int64_t devices_;
  std::string name_;
};

}  // namespace filigree::cli
