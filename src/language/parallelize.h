#pragma once

#include <array>
#include <set>
#include <string>
#include <vector>

#include "language/model.h"

/// How a model that is written for one device is run: what is recomputed instead of kept. (Placement on several devices
/// will stand here too; the model does not know.)
namespace filigree::language {

/// Parts whose results are not kept for the backward pass but computed again in it: "layer" (memory for one layer's
/// input each), "attention", "feed_forward", "head" (the logits, which are the largest tensor where the vocabulary is).
/// Error, with these names, for another.
std::set<Part> parse_parts(const std::vector<std::string>& names);

/// Runs the chosen parts through tensor::recompute and the others at once. Within a recomputed layer its parts are not
/// recomputed once more.
PartRunner recompute_parts(const std::set<Part>& parts);

/// A runner that calls `observe` with the name of each part ("layer 3, attention") and its result, in order.
PartRunner observe_parts(std::function<void(const std::string&, const at::Tensor&)> observe);

/// Lets `run` run a model, without gradients, through the runner that it gets, and names the first part whose result is not
/// finite: "the result of layer 3, attention"; "" where there is none.
std::string first_bad_result(const std::function<void(const PartRunner&)>& run);

}  // namespace filigree::language

template <>
struct filigree::EnumNames<filigree::language::Part> {
  using P = filigree::language::Part;
  static constexpr std::array<std::pair<P, std::string_view>, 4> table{
      {{P::layer, "layer"}, {P::attention, "attention"}, {P::feed_forward, "feed_forward"}, {P::head, "head"}}};
};
