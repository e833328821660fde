#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/plot.h"
#include "plan/search.h"

/// The result of a search in words, JSON and a picture.
namespace filigree::plan {

/// One sentence: what comes nearest to fitting, and by how much it does not.
std::string nothing_fits(const SearchResult& result, const SearchRequest& request);

/// "12,345 combinations: 4,212 do not fit in memory, …", one line a family.
std::string counts_text(const SearchCounts& counts);

/// For people: the best layouts, what was tried and left out, and what was `assumed` (one sentence each).
std::string search_text(const SearchResult& result, const SearchRequest& request,
                        const std::vector<std::string>& assumed);

/// For scripts: top, counts, seconds, estimates_per_s, space, assumed.
Json search_json(const SearchResult& result, const SearchRequest& request, const std::vector<std::string>& assumed);

/// Memory against tokens a second and device: the fastest layout that needs no more than so much memory.
Plot search_plot(const SearchResult& result, const SearchRequest& request);

}  // namespace filigree::plan
