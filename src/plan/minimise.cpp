#include "plan/minimise.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace filigree::plan {
namespace {

using Point = std::vector<double>;
using Function = std::function<double(std::span<const double>)>;

struct Corner {
  Point point;
  double value = 0;
};

/// One simplex, moved until it is small or the evaluations are used up.
class Simplex {
 public:
  Simplex(const Function& function, const Corner& start, double step) : function_(function) {
    corners_.push_back(start);
    for (std::size_t i = 0; i < start.point.size(); ++i) {
      Point moved = start.point;
      moved[i] += step;
      corners_.push_back(at(std::move(moved)));
    }
  }

  Corner run(const MinimiseOptions& options) {
    while (used_ < options.evaluations) {
      std::stable_sort(corners_.begin(), corners_.end(),
                       [](const Corner& a, const Corner& b) { return a.value < b.value; });
      if (corners_.back().value - corners_.front().value <=
          options.tolerance * (1e-3 + std::abs(corners_.front().value)))
        break;
      move();
    }
    return *std::min_element(corners_.begin(), corners_.end(),
                             [](const Corner& a, const Corner& b) { return a.value < b.value; });
  }

 private:
  Corner at(Point point) {
    ++used_;
    const double value = function_(point);
    return {std::move(point), value};
  }

  /// The point at `factor` times the way from the worst corner through the centre of the others.
  Corner along(double factor) {
    const Point& worst = corners_.back().point;
    Point point(worst.size());
    for (std::size_t i = 0; i < point.size(); ++i) {
      double centre = 0;
      for (std::size_t c = 0; c + 1 < corners_.size(); ++c) centre += corners_[c].point[i];
      centre /= static_cast<double>(corners_.size() - 1);
      point[i] = worst[i] + factor * (centre - worst[i]);
    }
    return at(std::move(point));
  }

  void move() {
    Corner& worst = corners_.back();
    const double second = corners_[corners_.size() - 2].value;
    Corner reflected = along(2);
    if (reflected.value < corners_.front().value) {
      Corner expanded = along(3);
      worst = expanded.value < reflected.value ? std::move(expanded) : std::move(reflected);
    } else if (reflected.value < second) {
      worst = std::move(reflected);
    } else {
      Corner contracted = along(reflected.value < worst.value ? 1.5 : 0.5);
      if (contracted.value < std::min(reflected.value, worst.value)) {
        worst = std::move(contracted);
      } else {
        shrink();
      }
    }
  }

  void shrink() {
    for (std::size_t c = 1; c < corners_.size(); ++c) {
      Point point = corners_[c].point;
      for (std::size_t i = 0; i < point.size(); ++i) point[i] = 0.5 * (point[i] + corners_[0].point[i]);
      corners_[c] = at(std::move(point));
    }
  }

  const Function& function_;
  std::vector<Corner> corners_;
  int used_ = 0;
};

}  // namespace

std::vector<double> minimise(const Function& function, std::vector<double> start, const MinimiseOptions& options) {
  if (start.empty()) return start;
  const double value = function(start);
  Corner best{std::move(start), value};
  double step = options.step;
  for (int i = 0; i <= options.restarts; ++i) {
    best = Simplex(function, best, step).run(options);
    step *= -0.5;  // the other side of the point
  }
  return best.point;
}

}  // namespace filigree::plan
