#include "dynamics/sindy_solve.h"

#include <cmath>

#include <Eigen/Cholesky>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;
using Support = std::vector<Index>;

Support support_of(const Eigen::Ref<const Vector>& x) {
  Support support;
  for (Index i = 0; i < x.size(); ++i) {
    if (x(i) != 0) support.push_back(i);
  }
  return support;
}

Vector solve_on(const Regression& problem, const Support& support, Index target, double ridge) {
  Vector x = Vector::Zero(problem.features());
  const Vector values = problem.solve(support, target, ridge);
  for (std::size_t i = 0; i < support.size(); ++i) x(support[i]) = values(static_cast<Index>(i));
  return x;
}

SparseRound round_of(const Regression& problem, const Matrix& x, double ridge) {
  SparseRound round;
  for (Index t = 0; t < x.cols(); ++t) round.squared_error += problem.squared_error(x.col(t), t);
  round.penalty = ridge * x.squaredNorm();
  round.terms = (x.array() != 0).count();
  return round;
}

void unbias(const Regression& problem, Matrix& x) {
  for (Index t = 0; t < x.cols(); ++t) x.col(t) = solve_on(problem, support_of(x.col(t)), t, 0);
}

void solve_stlsq(const Regression& problem, const SparseOptions& options, SparseResult& result) {
  const Index features = problem.features(), targets = problem.targets();
  std::vector<Support> active(static_cast<std::size_t>(targets));
  for (Support& support : active) {
    for (Index i = 0; i < features; ++i) support.push_back(i);
  }
  Matrix before = Matrix::Zero(features, targets);
  Matrix& x = result.coefficients;
  bool settled = false;
  for (int k = 0; k < options.max_iterations && !settled; ++k) {
    x = Matrix::Zero(features, targets);
    Index left = 0;
    for (Index t = 0; t < targets; ++t) {
      Support& support = active[static_cast<std::size_t>(t)];
      x.col(t) = solve_on(problem, support, t, options.ridge);
      std::erase_if(support, [&](Index i) { return !(std::abs(x(i, t)) >= options.threshold); });
      for (Index i = 0; i < features; ++i) {
        if (!(std::abs(x(i, t)) >= options.threshold)) x(i, t) = 0;
      }
      left += static_cast<Index>(support.size());
    }
    result.history.push_back(round_of(problem, x, options.ridge));
    settled = left == features * targets || ((x.array() != 0) == (before.array() != 0)).all();
    before = x;
  }
  if (!settled) {
    result.warnings.push_back(
        fmt::format("the terms still changed after {} rounds of thresholding", options.max_iterations));
  }
  if (options.unbias) unbias(problem, x);
}

void solve_brunton(const Regression& problem, const SparseOptions& options, SparseResult& result) {
  constexpr int kRounds = 10;
  Support all;
  for (Index i = 0; i < problem.features(); ++i) all.push_back(i);
  Matrix& x = result.coefficients;
  x.resize(problem.features(), problem.targets());
  for (Index t = 0; t < x.cols(); ++t) x.col(t) = solve_on(problem, all, t, 0);
  for (int k = 0; k < kRounds; ++k) {
    x = (x.array().abs() < options.threshold).select(0.0, x);
    unbias(problem, x);
    result.history.push_back(round_of(problem, x, 0));
  }
}

/// min |Θ w - y|² / 2 + |w - u|² / (2 ν) + λ |u|_0 by turns in w and u; the threshold √(2 λ ν) is given instead of λ.
/// The problem is divided by its rows, so that ν means the same for any amount of data.
void solve_sr3(const Regression& problem, const SparseOptions& options, SparseResult& result) {
  const Index features = problem.features();
  const double rows = static_cast<double>(std::max<Index>(1, problem.rows));
  Matrix system = problem.r.transpose() * problem.r / rows;
  system.diagonal().array() += 1 / options.relaxation;
  const Eigen::LLT<Matrix> factor(system);
  const Matrix pull = problem.r.transpose() * problem.rhs / rows;
  Support all;
  for (Index i = 0; i < features; ++i) all.push_back(i);
  Matrix& u = result.coefficients;
  u.resize(features, problem.targets());
  for (Index t = 0; t < u.cols(); ++t) u.col(t) = solve_on(problem, all, t, 0);
  bool settled = false;
  for (int k = 0; k < 50 * options.max_iterations && !settled; ++k) {
    const Matrix w = factor.solve(pull + u / options.relaxation);
    const Matrix next = (w.array().abs() > options.threshold).select(w, 0.0);
    settled = (next - u).norm() <= 1e-10 * std::max(1.0, u.norm());
    u = next;
    if (k < 100) result.history.push_back(round_of(problem, u, 0));
  }
  if (!settled) {
    result.warnings.push_back(fmt::format("sr3 did not settle within {} rounds", 50 * options.max_iterations));
  }
  if (options.unbias) unbias(problem, u);
}

}  // namespace

SparseResult solve_sparse(const Regression& problem, const SparseOptions& options,
                          const std::vector<std::string>& targets) {
  SparseResult result;
  Regression scaled = problem;
  Vector norms = Vector::Ones(problem.features());
  if (options.normalise) {
    norms = problem.column_norms();
    for (double& norm : norms) norm = norm > 0 ? norm : 1;
    scaled.r = problem.r * norms.cwiseInverse().asDiagonal();
  }
  switch (options.method) {
    case SparseMethod::stlsq: solve_stlsq(scaled, options, result); break;
    case SparseMethod::brunton: solve_brunton(scaled, options, result); break;
    case SparseMethod::sr3: solve_sr3(scaled, options, result); break;
  }
  result.coefficients = norms.cwiseInverse().asDiagonal() * result.coefficients;
  for (Index t = 0; t < result.coefficients.cols(); ++t) {
    if ((result.coefficients.col(t).array() != 0).any()) continue;
    result.warnings.push_back(fmt::format("the threshold {} left no term in the equation of {}", options.threshold,
                                          targets[static_cast<std::size_t>(t)]));
  }
  return result;
}

}  // namespace filigree::dynamics
