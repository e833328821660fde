#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/visit.h"
#include "nn/parameters.h"

/// Which experts a token goes to, and how much each counts.
namespace filigree::moe {

enum class Scoring { sigmoid, softmax };

struct RouterOptions {
  std::int64_t top_k = 1;
  Scoring scoring = Scoring::sigmoid;
  bool normalise = true;        ///< weights of the chosen sum to `scale`
  double scale = 1;             ///< factor on the weights
  std::int64_t groups = 1;      ///< DeepSeek-V3: experts stand in groups,
  std::int64_t top_groups = 1;  ///< of which the best are looked at; 1 of 1: no groups
  bool correction = false;      ///< a bias on the scores for the choice alone (arXiv 2408.15664)
};

/// T tokens, K chosen experts, E experts. Scores in float32 with their graph.
struct Routing {
  at::Tensor score_TE;   ///< after sigmoid or softmax
  at::Tensor weight_TK;  ///< float32
  at::Tensor expert_TK;  ///< int64, the best first
};

/// One example, with K = 2, sigmoid, normalise and scale 2.5: logits (2, -1, 0) give scores (0.881, 0.269, 0.5), experts
/// (0, 2) and weights 2.5 · (0.881, 0.5) / 1.381 = (1.595, 0.905).
struct Router {
  RouterOptions options;
  at::Tensor weight_ED;
  at::Tensor correction_E;  ///< float32, not trained by gradients; undefined unless options.correction

  Router() = default;
  Router(std::int64_t hidden, std::int64_t experts, const RouterOptions& options, const at::TensorOptions& tensor);

  /// All in float32, whatever x's dtype.
  Routing operator()(const at::Tensor& x_TD) const;
  void list(nn::Parameters& out, const std::string& prefix);
};

}  // namespace filigree::moe

template <>
struct filigree::EnumNames<filigree::moe::Scoring> {
  static constexpr std::array<std::pair<filigree::moe::Scoring, std::string_view>, 2> table{
      {{filigree::moe::Scoring::sigmoid, "sigmoid"}, {filigree::moe::Scoring::softmax, "softmax"}}};
};
