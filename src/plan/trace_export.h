#pragma once

#include <string>
#include <vector>

#include "base/plot.h"
#include "base/trace.h"
#include "plan/timeline.h"

/// A timeline for the eye: as a trace that Perfetto opens, and as a picture.
namespace filigree::plan {

/// What is shown beside the events. Vectors are by stage, or empty.
struct TimelineView {
  std::string title = {};
  std::string subtitle = {};
  std::vector<double> held_bytes = {};  ///< weights, gradients, optimizer: added to the activations
  double capacity_bytes = 0;            ///< memory of a device; 0: not drawn
};

/// Stage s is process s: its work in row 0, its sends in the rows below, and its memory in GiB as a counter. The timeline
/// must have been simulated with events.
Trace to_trace(const Timeline& timeline, const TimelineView& view = {});

/// A row a stage; below, the memory in GiB of the stage that peaks highest and of up to three others. Bars carry their
/// micro-batch ("3", pairs "5·3": forward and backward). With two chunks a stage these differ in shade.
Gantt to_gantt(const Timeline& timeline, const TimelineView& view = {});

}  // namespace filigree::plan
