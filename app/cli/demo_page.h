#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/plot.h"
#include "base/table.h"
#include "plan/ablate.h"
#include "plan/explain.h"
#include "plan/search.h"
#include "plan/validation.h"

/// The report page of `filigree plan demo`.
namespace filigree::cli {

/// Everything the page shows. Parts that were not reached, after Ctrl-C, are left out.
struct Demo {
  std::filesystem::path folder;  ///< holds the pictures
  plan::Ablation ablation;
  plan::Estimate optimised;  ///< the run after the last switch, with events
  std::optional<plan::SearchResult> search;
  std::optional<plan::Explanation> explanation;  ///< the paper's layout (A) and the best found (B)
  std::optional<plan::Validation> validation;
  double seconds = 0;
};

/// The best layouts of a search with what distinguishes them, and the paper's layout below for comparison.
Table best_table(const plan::SearchResult& search, const plan::Estimate& paper);

/// What became of all combinations.
Table outcome_table(const plan::SearchCounts& counts);

/// Rate against memory: what more memory buys, the best layouts found and the paper's.
Plot pareto_plot(const plan::SearchResult& search, const plan::Estimate& paper);

/// Writes index.html into the folder; returns its path.
std::filesystem::path write_page(const Demo& demo);

}  // namespace filigree::cli
