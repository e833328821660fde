#pragma once

#include <functional>
#include <span>
#include <vector>

/// Minimising a function of a few variables that has no gradient.
namespace filigree::plan {

struct MinimiseOptions {
  double step = 0.3;        ///< size of the first simplex along each variable
  double tolerance = 1e-7;  ///< stop when values at the corners differ by no more
  int evaluations = 4000;   ///< of one start
  int restarts = 3;         ///< fresh simplices, each half as large, around the best point: a flat one may have stuck
};

/// The point with the least value found by the simplex method (Nelder, Mead: A simplex method for function minimization,
/// 1965), from `start`. Deterministic. `function` may return infinity outside of where it is defined.
std::vector<double> minimise(const std::function<double(std::span<const double>)>& function, std::vector<double> start,
                             const MinimiseOptions& options = {});

}  // namespace filigree::plan
