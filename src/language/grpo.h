#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/visit.h"

/// The arithmetic of group relative policy optimisation (arXiv 2402.03300 §4.1), and of its variants DAPO
/// (arXiv 2503.14476) and Dr. GRPO (arXiv 2503.20783).
///
/// Each of several prompts gets G answers. B answers, T tokens each, V vocabulary.
namespace filigree::language {

/// How the tokens of all answers are averaged.
enum class LossAverage {
  sequence,  ///< 1/B Σ_i 1/|o_i| Σ_t: each answer counts the same (GRPO)
  token,     ///< 1/Σ|o_i| Σ_i Σ_t: each token counts the same (DAPO)
  length,    ///< 1/(B L) Σ_i Σ_t with L the longest answer allowed (Dr. GRPO)
};

struct GrpoOptions {
  std::int64_t group = 8;     ///< G
  double clip_low = 0.2;      ///< ratios below 1 - clip_low are clipped,
  double clip_high = 0.2;     ///< and above 1 + clip_high (DAPO: 0.28)
  double kl_weight = 0;       ///< β of the divergence from the reference
  bool divide_by_std = true;  ///< advantages over the group's standard deviation; not in Dr. GRPO
  LossAverage average = LossAverage::sequence;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("group", self.group, "answers to each prompt", at_least(2));
    v.optional("clip_low", self.clip_low, "probability ratios below 1 - this are clipped", fraction);
    v.optional("clip_high", self.clip_high, "probability ratios above 1 + this are clipped", non_negative);
    v.optional("kl_weight", self.kl_weight, "weight of the divergence from the model at the start", non_negative);
    v.optional("divide_by_std", self.divide_by_std, "rewards of a group over their standard deviation");
    v.optional("average", self.average, "of the loss over sequence, token or length");
  }
};

/// Step 1: the advantage of each answer in its group of G neighbours, (r - mean r) / std r with the standard deviation of
/// the G numbers themselves (over G, not G - 1); without the division where it is not wanted. 0 in a group of equal rewards.
/// One example: rewards 1 0 0 1 give 1 -1 -1 1.
std::vector<double> group_advantages(const std::vector<double>& reward, const GrpoOptions& options);

/// How many groups have different rewards; the others teach nothing.
std::int64_t informative_groups(const std::vector<double>& reward, std::int64_t group);

/// Step 2: what each token counts in the average; mask_BT is 1 where the token is of an answer. `longest`: L. The totals are
/// of the whole step, so that the losses of its micro-batches add up to that of all answers at once.
struct StepTotals {
  std::int64_t answers = 0, tokens = 0, longest = 0;
};
at::Tensor token_weights(const at::Tensor& mask_BT, LossAverage average, const StepTotals& totals);

/// log softmax(logits / temperature) of the tokens, (N) of (N, V), in float32 at least.
at::Tensor token_log_probs(const at::Tensor& logits_NV, const at::Tensor& token_N, double temperature = 1);

/// Entropy of softmax(logits / temperature) in nats, (N); without a graph.
at::Tensor token_entropy(const at::Tensor& logits_NV, double temperature = 1);

/// All (B, T); what lies outside the weights does not matter.
struct PolicyBatch {
  at::Tensor log_prob_BT;            ///< of the model that is trained
  at::Tensor old_log_prob_BT;        ///< of the model that drew the answers
  at::Tensor reference_log_prob_BT;  ///< of the reference; undefined where kl_weight is 0
  at::Tensor advantage_B;
  at::Tensor weight_BT;  ///< of token_weights()
};

struct PolicyLoss {
  at::Tensor loss;     ///< to be made less
  double clipped = 0;  ///< weighted part of the tokens whose ratio is clipped away
  double kl = 0;       ///< weighted divergence from the reference
};

/// With π the model, π' the one that drew, π* the reference and A the advantage, for every token:
///
///   3. ratio r = π / π'
///   4. surrogate s = min(r A, clip(r, 1 - clip_low, 1 + clip_high) A)
///   5. divergence d = π*/π - log(π*/π) - 1 ≥ 0, an unbiased estimate of KL(π, π*) (eq. 4)
///   6. loss = -Σ weight (s - β d)   (eq. 3)
PolicyLoss policy_loss(const PolicyBatch& batch, const GrpoOptions& options);

}  // namespace filigree::language

template <>
struct filigree::EnumNames<filigree::language::LossAverage> {
  using A = filigree::language::LossAverage;
  static constexpr std::array<std::pair<A, std::string_view>, 3> table{
      {{A::sequence, "sequence"}, {A::token, "token"}, {A::length, "length"}}};
};
