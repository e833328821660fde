#pragma once

#include <span>
#include <string>
#include <string_view>

#include "spec/layout.h"
#include "spec/model.h"

/// Which layouts can exist for a model.
namespace filigree::spec {

/// One thing that a layout must keep. Both functions take a complete layout (spec/resolve.h).
struct LayoutRule {
  std::string_view name;  ///< for counting rejected layouts by reason
  bool (*broken)(const Layout& layout, const Model& model);
  std::string (*sentence)(const Layout& layout, const Model& model);  ///< of a broken rule: what is wrong, what to do
};

/// All rules, in the order in which they are tried: each may take the ones before it as kept.
std::span<const LayoutRule> layout_rules();

/// The first broken rule, or nullptr. Allocates nothing: a search may call it for every candidate.
const LayoutRule* broken_rule(const Layout& layout, const Model& model);

/// Error with the sentence of the first broken rule. Completes a copy of the layout before.
void check(const Layout& layout, const Model& model);

}  // namespace filigree::spec
