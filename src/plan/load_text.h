#pragma once

#include <string>

#include "spec/load.h"

/// Router loads as people write them.
namespace filigree::plan {

/// "balanced", "uniform", "zipf:0.5" (exponent), "dirichlet:5" (concentration) or "trace:counts.csv". Error for anything
/// else; whether a trace can be read shows when it is used.
spec::Load parse_load(const std::string& text);

/// The text that parse_load reads back.
std::string load_text(const spec::Load& load);

}  // namespace filigree::plan
