#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/plot.h"
#include "base/table.h"
#include "plan/ablate.h"
#include "plan/measured.h"

/// Measured runs beside the planner's answers, in words, JSON and a picture.
namespace filigree::plan {

/// One published figure of a run as a whole.
struct Headline {
  std::string name;
  double measured_mfu = 0;
  double computed_mfu = 0;
  std::string note = {};  ///< what was assumed
};

struct Validation {
  std::vector<SetResult> sets;
  std::vector<Headline> headlines;
};

/// The two ends of a run against what was published of them; none where nothing was.
std::vector<Headline> headlines(const Ablation& ablation);

/// Errors of step time and memory, a line a set.
Table validation_table(const Validation& validation);

/// The headlines: measured, computed, difference.
Table headline_table(const Validation& validation);

/// A line a set, then the headlines, then the rows that were not computed with the reason; with `all_rows`, every row.
std::string validation_text(const Validation& validation, bool all_rows);

/// `sets`: name, source, cluster, rows (their number), computed, mean_absolute_error, worst_absolute_error,
/// memory_mean_absolute_error (null where no memory was measured) and `results`, which has every row.
Json validation_json(const Validation& validation);

/// Computed over measured step time, both logarithmic, by set.
Plot validation_plot(const Validation& validation);

}  // namespace filigree::plan
