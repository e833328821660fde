#include "dynamics/nearest.h"

#include <algorithm>

namespace filigree::dynamics {

void Nearest::find(const Vector& point, Eigen::Index count, Search& search) const {
  search.products.noalias() = vectors_ * point;
  search.found.resize(static_cast<std::size_t>(vectors_.rows()));
  const double square = point.squaredNorm();
  for (Eigen::Index i = 0; i < vectors_.rows(); ++i) {
    search.found[static_cast<std::size_t>(i)] = {std::max(0.0, squares_[i] - 2 * search.products[i] + square), i};
  }
  // Pairs compare by distance, then by number, so that ties break alike everywhere.
  std::nth_element(search.found.begin(), search.found.begin() + count, search.found.end());
}

}  // namespace filigree::dynamics
