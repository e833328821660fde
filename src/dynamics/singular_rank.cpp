#include "dynamics/singular_rank.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"

namespace filigree::dynamics {

double marchenko_pastur_median(double beta) {
  FILIGREE_ASSERT(beta > 0 && beta <= 1);
  const double low = std::pow(1 - std::sqrt(beta), 2), high = std::pow(1 + std::sqrt(beta), 2);
  // With x = m - h cos(a) the square roots at both ends of the density become sin²(a), and the midpoint rule converges
  // fast; at beta = 1 the pole at 0 is cancelled by sin² too.
  const double middle = 0.5 * (low + high), half = 0.5 * (high - low);
  const auto share_below = [&](double x) {
    const double end = std::acos(std::clamp((middle - x) / half, -1.0, 1.0));
    constexpr int kParts = 2000;
    double sum = 0;
    for (int i = 0; i < kParts; ++i) {
      const double a = end * (i + 0.5) / kParts;
      sum += std::pow(half * std::sin(a), 2) / (middle - half * std::cos(a));
    }
    return sum * end / kParts / (2 * std::numbers::pi * beta);
  };
  double a = low, b = high;
  for (int i = 0; i < 60; ++i) {
    const double x = 0.5 * (a + b);
    (share_below(x) < 0.5 ? a : b) = x;
  }
  return 0.5 * (a + b);
}

double gavish_donoho_factor(double beta) {
  const double root = std::sqrt(beta * beta + 14 * beta + 1);
  return std::sqrt(2 * (beta + 1) + 8 * beta / ((beta + 1) + root)) / std::sqrt(marchenko_pastur_median(beta));
}

double gavish_donoho_factor_approximate(double beta) {
  return ((0.56 * beta - 0.95) * beta + 1.82) * beta + 1.43;
}

Eigen::Index gavish_donoho_rank(const Vector& values, Eigen::Index rows, Eigen::Index columns, bool approximate) {
  FILIGREE_ASSERT(values.size() > 0);
  const double beta = static_cast<double>(std::min(rows, columns)) / static_cast<double>(std::max(rows, columns));
  const Eigen::Index half = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values(half) : 0.5 * (values(half - 1) + values(half));
  const double least = (approximate ? gavish_donoho_factor_approximate(beta) : gavish_donoho_factor(beta)) * median;
  return (values.array() > least).count();
}

Eigen::Index choose_rank(const Vector& values, Eigen::Index rows, Eigen::Index columns, const RankOptions& options) {
  const double zero = values(0) * std::numeric_limits<double>::epsilon() * static_cast<double>(values.size());
  const Eigen::Index most = std::max<Eigen::Index>(1, (values.array() > zero).count());
  Eigen::Index rank = most;
  switch (options.rule) {
    case RankRule::number:
      if (options.rank > 0) rank = options.rank;
      break;
    case RankRule::energy: {
      double sum = 0;
      const double wanted = options.energy * values.squaredNorm();
      for (rank = 0; rank < most && sum < wanted; ++rank) sum += values(rank) * values(rank);
      break;
    }
    case RankRule::gavish_donoho: rank = gavish_donoho_rank(values, rows, columns); break;
  }
  return std::clamp<Eigen::Index>(rank, 1, most);
}

}  // namespace filigree::dynamics
