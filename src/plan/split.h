#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/search_space.h"

/// How a search deals layers out to pipeline chunks.
namespace filigree::plan {

/// What a split sets in a layout.
struct SplitChoice {
  std::vector<std::int64_t> stages;
  std::int64_t noop_layers = 0;
};

/// The split for a layout's pp, vpp, schedule and seq; nothing where it is the same as Split::even.
///
/// Balanced: let x layers stand on the first chunk and y on the last, the others as even as can be between them, short
/// chunks first towards the end. Of all x and y not above the even share take those whose fullest stage has the fewest
/// forward operations, embedding 0, head and multi-token prediction counted where they stand; of equals the one with the
/// least sum of squares. For 61 layers, one multi-token-prediction module (with its head as heavy as several layers) and
/// 32 chunks that is 1 layer less at the end and 2 elsewhere.
std::optional<SplitChoice> choose_split(Split split, const spec::Layout& layout, const spec::Model& model);

}  // namespace filigree::plan
