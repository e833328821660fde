#pragma once

#include <utility>
#include <vector>

#include "dynamics/data.h"

/// The nearest of stored vectors, by looking at all of them.
namespace filigree::dynamics {

class Nearest {
 public:
  /// vectors: in columns
  explicit Nearest(const Matrix& vectors) : vectors_(vectors.transpose()), squares_(vectors_.rowwise().squaredNorm()) {}

  Eigen::Index count() const { return vectors_.rows(); }
  Matrix vectors() const { return vectors_.transpose(); }
  Vector vector(Eigen::Index i) const { return vectors_.row(i).transpose(); }

  /// Work space of one search, and its result: (squared distance, number), the first `count` being the nearest in no
  /// order, the entry after them the next nearest.
  struct Search {
    Vector products;
    std::vector<std::pair<double, Eigen::Index>> found;
  };
  /// 1 <= count < this->count()
  void find(const Vector& point, Eigen::Index count, Search& search) const;

 private:
  Matrix vectors_;  // in rows, so that the product with a point runs over contiguous columns
  Vector squares_;
};

}  // namespace filigree::dynamics
