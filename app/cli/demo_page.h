#pragma once

#include <filesystem>
#include <vector>

#include "base/html.h"
#include "base/table.h"
#include "demo.h"

/// The demonstration for people: tables, and the report page.
namespace filigree::cli {

/// The best layouts of the search with what distinguishes them, and the published layout below for comparison.
Table best_table(const Demo& demo);

/// What became of all combinations.
Table outcome_table(const plan::SearchCounts& counts);

/// Adds the planner's demonstration to the page; the pictures among `files` stand in the folder already.
void add_demo(Html& page, const Demo& demo, const std::vector<DemoFile>& files, const std::filesystem::path& folder);

}  // namespace filigree::cli
