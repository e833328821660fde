#pragma once

#include <cstdint>

#include "moe/router.h"

/// Tokens to their experts and back. R rows: one for each (token, expert) pair, all rows of an expert side by side.
namespace filigree::moe {

struct DispatchOptions {
  /// 0: no token is dropped. Else each expert takes at most ceil(capacity_factor · T · K / E) rows, the first ones in the
  /// order of the tokens, and the others are left out (their token keeps its other experts and the shared one).
  double capacity_factor = 0;
};

/// Where every row came from; all that combine() needs.
struct DispatchPlan {
  at::Tensor pair_R;   ///< index t · K + k of each row's pair
  at::Tensor token_R;  ///< t
  at::Tensor row_P;    ///< the row of each pair; undefined where pairs were dropped
  at::Tensor count_E;  ///< rows of each expert, int64, on the tokens' device
  std::int64_t tokens = 0;
  std::int64_t dropped = 0;  ///< pairs left out
};

struct Dispatched {
  at::Tensor x_RD;
  DispatchPlan plan;
};

Dispatched dispatch(const at::Tensor& x_TD, const Routing& routing, std::int64_t experts,
                    const DispatchOptions& options = {});

/// y_TD = Σ of the token's rows, each times its weight.
at::Tensor combine(const at::Tensor& y_RD, const DispatchPlan& plan, const at::Tensor& weight_TK);

}  // namespace filigree::moe
