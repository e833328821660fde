#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/visit.h"
#include "moe/router.h"
#include "parallel/group.h"

/// Keeping experts equally busy.
namespace filigree::moe {

/// Over which tokens the load of an expert is taken: each sequence by itself, the micro-batch, or also those of the other
/// ranks that share experts (arXiv 2505.04519) or data. With one device the last three are the same.
enum class BalanceScope { sequence, micro_batch, expert_group, data_group };

/// The processes of the scopes that go beyond one.
struct BalanceGroups {
  parallel::Group experts, data;
};

/// E Σ_i f_i p_i with f_i the share of the (token, expert) pairs that went to expert i and p_i the mean of its scores,
/// each token's scores divided by their sum (arXiv 2101.03961 §2.2; DeepSeek-V3 §2.1.2 for sigmoid scores). 1 where all
/// is balanced. `sequences`: how many equal pieces the tokens fall into for the scope `sequence`.
/// f_i is the mean over the processes of the scope, p_i is this process' own.
at::Tensor balance_loss(const Routing& routing, std::int64_t sequences, BalanceScope scope,
                        const BalanceGroups& groups = {});

/// Load in pairs of each expert, int64.
at::Tensor expert_load(const at::Tensor& expert_TK, std::int64_t experts);

/// Standard deviation over mean.
double load_variation(const at::Tensor& count_E);

/// One step of balancing by bias: experts with more than the mean load get `rate` less, the others more
/// (arXiv 2408.15664).
void update_correction(at::Tensor& correction_E, const at::Tensor& count_E, double rate);

}  // namespace filigree::moe

template <>
struct filigree::EnumNames<filigree::moe::BalanceScope> {
  using S = filigree::moe::BalanceScope;
  static constexpr std::array<std::pair<S, std::string_view>, 4> table{{{S::sequence, "sequence"},
                                                                        {S::micro_batch, "micro_batch"},
                                                                        {S::expert_group, "expert_group"},
                                                                        {S::data_group, "data_group"}}};
};
