#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "plan/estimate.h"

/// What the planner says of a training run that was done, beside what was measured.
namespace filigree::plan {

struct Comparison {
  std::string run, model;
  Estimate estimate;
  spec::Cluster cluster;                ///< the run's device, as it was measured when the run began
  std::int64_t steps = 0;               ///< that were measured, without the first tenth
  double measured_s = 0;                ///< median
  double fastest_s = 0, slowest_s = 0;  ///< the tenth and the ninetieth of a hundred

  double error() const { return estimate.step_s / measured_s - 1; }
};

/// Reads the run's resolved.json (batch, sequence, type, recomputation), model.json, device.json and metrics.jsonl.
/// Error where one is missing or says something that the planner cannot have, and for a run without measured steps.
Comparison compare_run(const std::filesystem::path& run);

std::string comparison_text(const Comparison& comparison);
Json comparison_json(const Comparison& comparison);

}  // namespace filigree::plan
