#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/plot.h"
#include "base/table.h"
#include "plan/estimate.h"
#include "plan/trace_export.h"

/// An estimate in words, tables and JSON. What limits a step in one sentence is describe_limit in plan/estimate.h.
namespace filigree::plan {

/// Which FLOPs over which peak: the definition that every MFU shown has.
std::string mfu_definition(const spec::Layout& layout, const spec::Cluster& cluster);

/// One part of a step on its slowest stage.
struct StepPart {
  std::string_view name;
  double seconds = 0;
};

/// The step as parts that add up to step_s, always the same ones in the same order: the modules, sends between stages,
/// waiting for other stages, and what comes once a step. Exchange that stays exposed only while the pipeline fills and
/// drains counts as expert communication.
std::vector<StepPart> step_parts(const Estimate& estimate);

/// The parts that take time, largest first, with their shares of the step.
Table part_table(const Estimate& estimate);

/// Memory of every stage in GiB by kind, against the capacity.
Table memory_table(const Estimate& estimate);

/// For scripts: step_ms, tokens_per_s_per_device, mfu, mfu_definition, bubble_fraction, exposed_comm_fraction,
/// peak_memory_gib (by stage), memory_gib (by stage and kind), fits, limit, modules_ms, layout, …
Json estimate_json(const Estimate& estimate, const spec::Cluster& cluster);

/// A few lines and the two tables, for people.
std::string estimate_text(const Estimate& estimate, const spec::Cluster& cluster);

/// Memory of every stage as stacked bars.
BarChart memory_chart(const Estimate& estimate, const std::string& title);

/// What trace_export needs beside the events.
TimelineView timeline_view(const Estimate& estimate, const std::string& title);

double gib(double bytes);

/// "4,812 ms", "12.35 s": milliseconds up to ten seconds.
std::string time_text(double seconds);

/// Milliseconds without their unit, for columns: "1,234", "56.7".
std::string ms_text(double seconds);

/// "0.305" as "30.5 %".
std::string percent(double fraction);

/// "1.46 M", "152": three digits.
std::string rate_text(double value);

}  // namespace filigree::plan
