#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/visit.h"
#include "language/model.h"

/// Weights to begin with.
namespace filigree::language {

enum class InitialiseKind {
  tiny,      ///< TinyInit (arXiv 2504.07866 §2.3): every weight sqrt(1 / (2 d L)), d the hidden size, L the layers
  standard,  ///< sqrt(2 / (5 d)), and over sqrt(L) more for projections into the residual stream (the same, its baseline)
};

struct InitialiseOptions {
  InitialiseKind kind = InitialiseKind::tiny;
  /// Depth-scaled sandwich norm (the same, §2.2): the norms after attention and feed-forward begin at c / sqrt(L).
  bool depth_scaled = true;
  double attention_scale = 0.283;
  double feed_forward_scale = 0.432;
  double embedding = 1;  ///< standard deviation of the embedding

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("initialise", self.kind, "tiny or standard");
    v.optional("depth_scaled", self.depth_scaled, "sandwich norms begin at c / sqrt(layers)");
    v.optional("attention_scale", self.attention_scale, "c of the norm after the attention", positive);
    v.optional("feed_forward_scale", self.feed_forward_scale, "c of the norm after the feed-forward", positive);
    v.optional("embedding", self.embedding, "standard deviation of the embedding", positive);
  }
};

/// Draws all weights anew, the same for the same seed whatever their type and device. Norms are 1 but for those above.
/// Where the embedding is also the head it is drawn as a weight, since logits would be too large otherwise.
void initialise(Model& model, const InitialiseOptions& options, std::uint64_t seed);

}  // namespace filigree::language

template <>
struct filigree::EnumNames<filigree::language::InitialiseKind> {
  using K = filigree::language::InitialiseKind;
  static constexpr std::array<std::pair<K, std::string_view>, 2> table{{{K::tiny, "tiny"}, {K::standard, "standard"}}};
};
