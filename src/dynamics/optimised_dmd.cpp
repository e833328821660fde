#include "dynamics/optimised_dmd.h"

#include <algorithm>
#include <cmath>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include "base/error.h"
#include "dynamics/row_qr.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// What one set of rates gives: residual, and the Gauss–Newton system of the projected problem.
struct Projection {
  double squared_residual = 0;
  ComplexMatrix normal;    // JᴴJ
  ComplexVector gradient;  // Jᴴ r
  std::vector<ComplexMatrix> coefficients;
};

/// Adds one run. With Φ = exp(t α), Φ = Q R, B = R⁻¹ Qᴴ X and r = X - Φ B, the Jacobian's column j is the matrix
/// p_j b_jᵀ + q_j w_j with p_j = (I - QQᴴ) ∂Φ_j, q_j the column j of Q R⁻ᴴ, w_j = ∂Φ_jᴴ r. All p are orthogonal to all q
/// and r to Q, so JᴴJ and Jᴴ r need no matrix of the size of J.
void add_run(const ExponentialProblem::Run& run, const ComplexVector& rates, bool derivatives, Projection& out) {
  const ComplexMatrix phi = (run.times.cast<Complex>() * rates.transpose()).array().exp().matrix();
  if (!phi.allFinite()) {
    out.squared_residual = std::numeric_limits<double>::infinity();
    return;
  }
  const Eigen::HouseholderQR<ComplexMatrix> qr(phi);
  const Index rank = rates.size();
  const ComplexMatrix q = qr.householderQ() * ComplexMatrix::Identity(phi.rows(), rank);
  const ComplexMatrix r = qr.matrixQR().topRows(rank).triangularView<Eigen::Upper>();
  if (!(r.diagonal().cwiseAbs().minCoeff() > 1e-300)) {
    out.squared_residual = std::numeric_limits<double>::infinity();
    return;
  }
  const ComplexMatrix b = r.triangularView<Eigen::Upper>().solve(q.adjoint() * run.values.cast<Complex>());
  const ComplexMatrix residual = run.values.cast<Complex>() - phi * b;
  out.squared_residual += residual.squaredNorm();
  out.coefficients.push_back(b);
  if (!derivatives) return;
  const ComplexMatrix slope = run.times.cast<Complex>().asDiagonal() * phi;
  const ComplexMatrix p = slope - q * (q.adjoint() * slope);
  const ComplexMatrix inverse = r.triangularView<Eigen::Upper>().solve(ComplexMatrix::Identity(rank, rank));
  const ComplexMatrix w = slope.adjoint() * residual;
  // q_jᴴ q_k = (R⁻¹ R⁻ᴴ)_jk.
  out.normal += (p.adjoint() * p).cwiseProduct(b.conjugate() * b.transpose()) +
                (inverse * inverse.adjoint()).cwiseProduct(w.conjugate() * w.transpose());
  out.gradient += w.cwiseProduct(b.conjugate()).rowwise().sum();
}

Projection project(const ExponentialProblem& problem, const ComplexVector& rates, bool derivatives) {
  Projection out;
  out.normal = ComplexMatrix::Zero(rates.size(), rates.size());
  out.gradient = ComplexVector::Zero(rates.size());
  for (const ExponentialProblem::Run& run : problem.runs) add_run(run, rates, derivatives, out);
  if (!std::isfinite(out.squared_residual)) out.squared_residual = std::numeric_limits<double>::infinity();
  return out;
}

void constrain(ComplexVector& rates, EigenvalueRule rule) {
  if (rule == EigenvalueRule::any) return;
  for (Complex& rate : rates) {
    rate = {rule == EigenvalueRule::stable ? std::min(0.0, rate.real()) : 0.0, rate.imag()};
  }
}

/// One accepted step, or false where no damping helps.
bool improve(const ExponentialProblem& problem, EigenvalueRule rule, ComplexVector& rates, Projection& at,
             double& damping) {
  Eigen::ArrayXd scale = at.normal.diagonal().real().array().max(0.0).sqrt().min(1.0).max(1e-6).square();
  for (int k = 0; k < 52; ++k) {
    ComplexMatrix system = at.normal;
    system.diagonal().array() += (damping * scale).cast<Complex>();
    const ComplexVector step = Eigen::ColPivHouseholderQR<ComplexMatrix>(system).solve(at.gradient);
    ComplexVector trial = rates + step;
    constrain(trial, rule);
    const double squared = project(problem, trial, false).squared_residual;
    if (squared < at.squared_residual) {
      const double foreseen = step.dot(at.gradient).real() + damping * (step.array().abs2() * scale).sum();
      const double ratio = foreseen > 0 ? (at.squared_residual - squared) / foreseen : 1;
      damping *= std::max(1.0 / 3, 1 - std::pow(2 * std::min(ratio, 1.0) - 1, 3));
      rates = trial;
      at = project(problem, rates, true);
      return true;
    }
    damping *= 2;
  }
  return false;
}

}  // namespace

double ExponentialProblem::squared_norm() const {
  double sum = 0;
  for (const Run& run : runs) sum += run.values.squaredNorm();
  return sum;
}

ExponentialFit fit_coefficients(const ExponentialProblem& problem, const ComplexVector& rates) {
  Projection at = project(problem, rates, false);
  const double size = problem.squared_norm();
  return {rates, std::move(at.coefficients), size > 0 ? std::sqrt(at.squared_residual / size) : 0, 0};
}

ComplexVector exponential_gradient(const ExponentialProblem& problem, const ComplexVector& rates) {
  return project(problem, rates, true).gradient;
}

ExponentialFit fit_exponentials(const ExponentialProblem& problem, const ComplexVector& start,
                                const DmdOptions& options) {
  constexpr double kStall = 1e-12;
  ComplexVector rates = start;
  constrain(rates, options.eigenvalues);
  double longest = 0;
  for (const ExponentialProblem::Run& run : problem.runs) longest = std::max(longest, run.times.maxCoeff());
  // A start that grows beyond all measure over the run would drown the other exponentials.
  for (Complex& rate : rates) rate = {std::min(rate.real(), 20 / longest), rate.imag()};
  const double size = problem.squared_norm();
  Projection at = project(problem, rates, true);
  double damping = 1;
  int iterations = 0;
  while (iterations < options.max_iterations) {
    const double before = at.squared_residual;
    if (std::sqrt(before) <= options.tolerance * std::sqrt(size)) break;
    if (!improve(problem, options.eigenvalues, rates, at, damping)) break;
    ++iterations;
    if (std::sqrt(before) - std::sqrt(at.squared_residual) <= kStall * std::sqrt(before)) break;
  }
  ExponentialFit fit = fit_coefficients(problem, rates);
  fit.iterations = iterations;
  return fit;
}

ComplexVector trapezoid_rates(const ExponentialProblem& problem) {
  const Index n = problem.runs.front().values.cols();
  Index rows = 0;
  for (const ExponentialProblem::Run& run : problem.runs) rows += run.values.rows() - 1;
  Matrix middle(rows, n), slope(rows, n);
  rows = 0;
  for (const ExponentialProblem::Run& run : problem.runs) {
    const Index count = run.values.rows() - 1;
    const auto early = run.values.topRows(count), late = run.values.bottomRows(count);
    const Vector gaps = run.times.tail(count) - run.times.head(count);
    middle.middleRows(rows, count) = 0.5 * (early + late);
    slope.middleRows(rows, count) = gaps.cwiseInverse().asDiagonal() * (late - early);
    rows += count;
  }
  const Matrix a = least_squares(middle, slope);
  return Eigen::EigenSolver<Matrix>(a, false).eigenvalues();
}

}  // namespace filigree::dynamics
