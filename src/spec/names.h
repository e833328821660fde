#pragma once

#include <string>
#include <string_view>

/// Names of models as tables of measurements write them.
namespace filigree::spec {

/// The recipe that a name in a table means: upper and lower case, spaces, underscores, dots and dashes do not matter, nor
/// does a remark in brackets; Llama 3.1 is Llama 3.
///
///     "LLAMA3.1_405B" → "llama3-405b"    "DeepSeekV3 (dropless)" → "deepseekv3"    "Kimi K2" → "kimi-k2"
///
/// A name that no recipe matches comes back in lower case with dashes for separators.
std::string recipe_name(std::string_view table_name);

}  // namespace filigree::spec
