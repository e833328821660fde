#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/plot.h"
#include "base/table.h"
#include "plan/estimate.h"

/// Why one layout is faster than another, term by term.
namespace filigree::plan {

/// One part of both steps (plan/report.h: step_parts), seconds on each layout's slowest stage.
struct ExplainedTerm {
  std::string name;
  double a = 0;
  double b = 0;
  double difference() const { return b - a; }
};

struct Explanation {
  Estimate a, b;
  /// B's seconds are multiplied by this: device-seconds for a token decide, so where the layouts differ in tokens a step
  /// or in devices, B is scaled to A's work on A's devices. 1 where they do not.
  double scale = 1;
  std::vector<ExplainedTerm> terms;  ///< largest difference first; both columns add up to the steps, B's scaled
  double difference = 0;             ///< scale · b.step_s - a.step_s: the sum of the terms' differences
};

Explanation explain(Estimate a, Estimate b);

/// One sentence: which is faster, by how much, and the terms that decide.
std::string explain_summary(const Explanation& explanation);

/// The terms that differ, and the sum of all.
Table explain_table(const Explanation& explanation);

std::string explain_text(const Explanation& explanation);
Json explain_json(const Explanation& explanation);

/// From A's step to B's.
Waterfall explain_plot(const Explanation& explanation);

}  // namespace filigree::plan
