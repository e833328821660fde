#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "base/visit.h"
#include "dynamics/data.h"

/// How many singular values to keep.
namespace filigree::dynamics {

enum class RankRule {
  number,         ///< as many as said; 0 keeps all
  energy,         ///< the fewest whose squares reach a share of the sum of all squares
  gavish_donoho,  ///< above the optimal hard threshold for unknown white noise (Gavish, Donoho 2014)
};

struct RankOptions {
  RankRule rule = RankRule::number;
  int rank = 0;
  double energy = 0.999999;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("rank_rule", self.rule, "how many singular values are kept");
    v.optional("rank", self.rank, "how many, with the rule number; 0: all", non_negative);
    v.optional("energy", self.energy, "share of the sum of squares, with the rule energy", positive_fraction);
  }
};

/// Median of the Marchenko–Pastur distribution with ratio 0 < beta <= 1 and unit variance.
double marchenko_pastur_median(double beta);

/// Threshold / median singular value for a matrix with rows/columns = beta <= 1:
/// λ*(β) / √μ_β with λ* = √(2(β+1) + 8β / ((β+1) + √(β²+14β+1))).
double gavish_donoho_factor(double beta);

/// Its published fit 0.56 β³ - 0.95 β² + 1.82 β + 1.43, which dynamicslab and PyDMD use.
double gavish_donoho_factor_approximate(double beta);

/// How many of `values` (descending) of a matrix of this size lie above the threshold.
Eigen::Index gavish_donoho_rank(const Vector& values, Eigen::Index rows, Eigen::Index columns,
                                bool approximate = false);

/// The rank by the rule, at least 1, at most what is numerically not 0.
Eigen::Index choose_rank(const Vector& values, Eigen::Index rows, Eigen::Index columns, const RankOptions& options);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::RankRule> {
  using E = filigree::dynamics::RankRule;
  static constexpr std::array<std::pair<E, std::string_view>, 3> table{
      {{E::number, "number"}, {E::energy, "energy"}, {E::gavish_donoho, "gavish_donoho"}}};
};
