#include "dynamics/dmd.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>

#include "base/error.h"
#include "base/random.h"
#include "dynamics/dmd_snapshots.h"
#include "dynamics/optimised_dmd.h"
#include "dynamics/row_qr.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;
using Svd = Eigen::BDCSVD<Matrix>;

struct Fitted {
  DmdOperator linear;   // decode has all rows, not the newest sample's alone
  DmdSpectrum spectrum;
};

Svd svd_of(const Matrix& rows) { return Svd(rows, Eigen::ComputeThinU | Eigen::ComputeThinV); }

void note_values(const Vector& values, const Snapshots& s, DmdSpectrum& spectrum) {
  spectrum.singular_values = values;
  spectrum.rows = s.before.cols();
  spectrum.columns = s.pairs;
}

Index rank_of(const Vector& values, const Snapshots& s, const DmdOptions& options) {
  if (values.size() == 0 || !(values(0) > 0)) fail("dmd needs data that is not zero throughout");
  return choose_rank(values, s.before.cols(), s.pairs, options.rank);
}

/// Rows are snapshots, so that with X = beforeᵀ = V Σ Uᵀ the roles of U and V are those of the papers swapped.
Fitted fit_plain(const Snapshots& s, const DmdOptions& options) {
  const Svd svd = svd_of(s.before);
  const Index rank = rank_of(svd.singularValues(), s, options);
  const Matrix basis = svd.matrixV().leftCols(rank);
  const Vector inverse = svd.singularValues().head(rank).cwiseInverse();
  const Matrix ahead = s.after.transpose() * svd.matrixU().leftCols(rank) * inverse.asDiagonal();  // X' V Σ⁻¹
  Fitted result;
  result.linear = {basis.transpose(), basis.transpose() * ahead, Matrix(rank, 0), basis, false};
  if (options.variant == DmdVariant::exact) {
    result.linear.decode = ahead;
    result.linear.decode_first = true;
  }
  note_values(svd.singularValues(), s, result.spectrum);
  return result;
}

/// Both snapshots are projected on the leading directions that they share, then as ever.
Fitted fit_total(Snapshots s, const DmdOptions& options) {
  Matrix both(s.before.rows(), 2 * s.before.cols());
  both << s.before, s.after;
  const Svd svd = svd_of(both);
  const Index rank = std::min(rank_of(svd.singularValues(), s, options), s.before.cols());
  const Matrix kept = svd.matrixU().leftCols(rank);
  s.before = kept * (kept.transpose() * s.before);
  s.after = kept * (kept.transpose() * s.after);
  DmdOptions inner = options;
  inner.rank = {RankRule::number, static_cast<int>(rank), 1};
  return fit_plain(s, inner);
}

/// √(F B⁻¹) with the roots that lie nearest to the forward operator's own eigenvalues.
Matrix forward_backward_root(const Matrix& forward, const Matrix& backward) {
  const Matrix product = Eigen::ColPivHouseholderQR<Matrix>(backward.transpose()).solve(forward.transpose()).transpose();
  const Eigen::EigenSolver<Matrix> eigen(product);
  const ComplexMatrix w = eigen.eigenvectors();
  const Eigen::ColPivHouseholderQR<ComplexMatrix> inverse(w);
  const ComplexVector own = inverse.solve(forward.cast<Complex>() * w).diagonal();
  ComplexVector roots = eigen.eigenvalues().array().sqrt();
  for (Index i = 0; i < roots.size(); ++i) {
    if ((std::conj(own(i)) * roots(i)).real() < 0) roots(i) = -roots(i);
  }
  // W diag W⁻¹ by solving from the right.
  const ComplexMatrix left = w * roots.asDiagonal();
  const ComplexMatrix root =
      Eigen::ColPivHouseholderQR<ComplexMatrix>(w.transpose()).solve(left.transpose()).transpose();
  return root.real();
}

Fitted fit_forward_backward(const Snapshots& s, const DmdOptions& options) {
  const Svd svd = svd_of(s.before);
  const Index rank = rank_of(svd.singularValues(), s, options);
  const Matrix basis = svd.matrixV().leftCols(rank);
  const Matrix before = s.before * basis, after = s.after * basis;
  const Matrix forward = least_squares(before, after).transpose(), backward = least_squares(after, before).transpose();
  Fitted result;
  result.linear = {basis.transpose(), forward_backward_root(forward, backward), Matrix(rank, 0), basis, false};
  note_values(svd.singularValues(), s, result.spectrum);
  return result;
}

/// Proctor, Brunton, Kutz: Dynamic mode decomposition with control, 2016, unknown B.
Fitted fit_control(const Snapshots& s, const DmdOptions& options) {
  const Index n = s.before.cols(), controls = s.controls.cols();
  Matrix both(s.before.rows(), n + controls);
  both << s.before, s.controls;
  const Svd svd = svd_of(both), out = svd_of(s.after);
  RankOptions wide = options.rank;
  if (wide.rule == RankRule::number && wide.rank > 0) wide.rank += static_cast<int>(controls);
  const Index p = choose_rank(svd.singularValues(), n + controls, s.pairs, wide);
  const Index rank = rank_of(out.singularValues(), s, options);
  const Matrix basis = out.matrixV().leftCols(rank);
  const Matrix ahead = basis.transpose() * s.after.transpose() * svd.matrixU().leftCols(p) *
                       svd.singularValues().head(p).cwiseInverse().asDiagonal();
  const Matrix whole = ahead * svd.matrixV().leftCols(p).transpose();
  Fitted result;
  result.linear = {basis.transpose(), whole.leftCols(n) * basis, whole.rightCols(controls), basis, false};
  note_values(out.singularValues(), s, result.spectrum);
  return result;
}

ExponentialProblem exponential_problem(const Dataset& data, const DmdOptions& options, const Matrix& basis) {
  ExponentialProblem problem;
  for (const Trajectory& run : data.runs) {
    const Matrix values = stacked_samples(run.states, options.delays) * basis;
    problem.runs.push_back({Vector::LinSpaced(values.rows(), 0, static_cast<double>(values.rows() - 1) * data.dt), values});
  }
  return problem;
}

/// A subset of every run's samples, at least as many as there are exponentials and one more.
ExponentialProblem subset(const ExponentialProblem& problem, Index rank, double share, Random random) {
  ExponentialProblem result;
  for (const ExponentialProblem::Run& run : problem.runs) {
    std::vector<Index> order(static_cast<std::size_t>(run.times.size()));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
    random.shuffle(order);
    const Index wanted = std::llround(share * static_cast<double>(order.size()));
    order.resize(static_cast<std::size_t>(std::clamp<Index>(wanted, std::min(rank + 1, run.times.size()), run.times.size())));
    std::sort(order.begin(), order.end());
    result.runs.push_back({run.times(order), run.values(order, Eigen::indexing::all)});
  }
  return result;
}

/// `rates` in the order in which each lies nearest to one of `reference`.
ComplexVector matched(const ComplexVector& rates, const ComplexVector& reference) {
  ComplexVector result(rates.size());
  std::vector<bool> taken(static_cast<std::size_t>(rates.size()), false);
  for (Index i = 0; i < rates.size(); ++i) {
    Index best = -1;
    for (Index j = 0; j < rates.size(); ++j) {
      if (taken[static_cast<std::size_t>(j)]) continue;
      if (best < 0 || std::abs(rates(j) - reference(i)) < std::abs(rates(best) - reference(i))) best = j;
    }
    taken[static_cast<std::size_t>(best)] = true;
    result(i) = rates(best);
  }
  return result;
}

/// Mean and deviation of the rates over random subsets.
void bag(const ExponentialProblem& problem, const DmdOptions& options, ComplexVector& rates, Vector& deviation) {
  const ComplexVector reference = rates;
  ComplexVector sum = ComplexVector::Zero(rates.size());
  Eigen::ArrayXd squares = Eigen::ArrayXd::Zero(rates.size());
  int good = 0;
  for (int trial = 0; trial < options.trials; ++trial) {
    Random random = Random(static_cast<std::uint64_t>(options.seed)).fork(static_cast<std::uint64_t>(trial));
    const ExponentialFit fit =
        fit_exponentials(subset(problem, rates.size(), options.trial_share, random), reference, options);
    if (!std::isfinite(fit.relative_residual)) continue;
    const ComplexVector difference = matched(fit.rates, reference) - reference;
    sum += difference;
    squares += difference.array().abs2();
    ++good;
  }
  if (good == 0) fail("no subset of the bagged fit could be fitted: give larger subsets or a smaller rank");
  const ComplexVector mean = sum / good;
  rates = reference + mean;
  deviation = (squares / good - mean.array().abs2()).max(0.0).sqrt();
}

/// The direction that the rows of all runs for one rate share best.
ComplexMatrix common_modes(const ExponentialFit& fit) {
  const Index rank = fit.rates.size(), n = fit.coefficients.front().cols();
  ComplexMatrix modes(n, rank);
  for (Index j = 0; j < rank; ++j) {
    ComplexMatrix rows(static_cast<Index>(fit.coefficients.size()), n);
    for (std::size_t i = 0; i < fit.coefficients.size(); ++i) rows.row(static_cast<Index>(i)) = fit.coefficients[i].row(j);
    const Eigen::JacobiSVD<ComplexMatrix, Eigen::FullPivHouseholderQRPreconditioner> svd(rows, Eigen::ComputeFullV);
    modes.col(j) = svd.matrixV().col(0).conjugate();
  }
  return modes;
}

Fitted fit_optimised(const Dataset& data, const Snapshots& s, const DmdOptions& options) {
  const Svd svd = svd_of(s.before);
  const Index rank = rank_of(svd.singularValues(), s, options);
  for (std::size_t i = 0; i < data.runs.size(); ++i) {
    const Index count = data.runs[i].states.rows() - options.delays + 1;
    if (count <= rank) fail("run {} gives {} snapshots; a fit of {} exponentials needs more than that", i + 1, count, rank);
  }
  const Matrix basis = svd.matrixV().leftCols(rank);
  const ExponentialProblem problem = exponential_problem(data, options, basis);
  ExponentialFit fit = fit_exponentials(problem, trapezoid_rates(problem), options);
  Fitted result;
  if (options.variant == DmdVariant::bagged) {
    ComplexVector rates = fit.rates;
    bag(problem, options, rates, result.spectrum.rate_deviation);
    fit = fit_coefficients(problem, rates);
  }
  if (!std::isfinite(fit.relative_residual)) fail("the exponentials could not be fitted: give a smaller rank");
  const ComplexMatrix modes = common_modes(fit);
  const ComplexVector factors = (fit.rates * data.dt).array().exp();
  const ComplexMatrix step = Eigen::ColPivHouseholderQR<ComplexMatrix>(modes.transpose())
                                 .solve((modes * factors.asDiagonal()).transpose())
                                 .transpose();
  if (!step.allFinite()) fail("two exponentials of the fit are the same: give a smaller rank");
  result.linear = {basis.transpose(), step.real(), Matrix(rank, 0), basis, false};
  result.spectrum.rates = fit.rates;
  result.spectrum.relative_residual = fit.relative_residual;
  note_values(svd.singularValues(), s, result.spectrum);
  return result;
}

Fitted fit_variant(const Dataset& data, const Snapshots& s, const DmdOptions& options) {
  switch (options.variant) {
    case DmdVariant::exact:
    case DmdVariant::projected: return data.num_controls() > 0 ? fit_control(s, options) : fit_plain(s, options);
    case DmdVariant::total: return fit_total(s, options);
    case DmdVariant::forward_backward: return fit_forward_backward(s, options);
    case DmdVariant::optimised:
    case DmdVariant::bagged: break;
  }
  return fit_optimised(data, s, options);
}

template <class Columns>
void reorder(Columns& values, const std::vector<Index>& order) {
  if (values.size() == 0) return;
  const Columns old = values;
  for (std::size_t i = 0; i < order.size(); ++i) values(static_cast<Index>(i)) = old(order[i]);
}

/// Eigenvalues and modes of the operator, largest amplitude first.
void finish_spectrum(Fitted& fitted, const Vector& first, double dt) {
  DmdSpectrum& out = fitted.spectrum;
  const Eigen::EigenSolver<Matrix> eigen(fitted.linear.step);
  const ComplexMatrix w = eigen.eigenvectors();
  out.eigenvalues = eigen.eigenvalues();
  // The optimised fits know the rates beyond the branch of the logarithm; in the order of the eigenvalues.
  if (out.rates.size() > 0) {
    const ComplexVector rates = out.rates, expected = (rates * dt).array().exp();
    const Vector deviation = out.rate_deviation;
    for (Index i = 0; i < rates.size(); ++i) {
      Index best = 0;
      (expected.array() - out.eigenvalues(i)).abs().minCoeff(&best);
      out.rates(i) = rates(best);
      if (deviation.size() > 0) out.rate_deviation(i) = deviation(best);
    }
  } else {
    // A mode that is gone after one sample has no finite rate.
    out.rates = out.eigenvalues.unaryExpr([&](Complex e) { return std::abs(e) < 1e-300 ? Complex(-690.0) : std::log(e); }) / dt;
  }
  out.modes = fitted.linear.decode * w;
  const ComplexVector start = fitted.linear.encode * first;
  ComplexVector b = Eigen::ColPivHouseholderQR<ComplexMatrix>(w).solve(start);
  out.amplitudes.resize(b.size());
  for (Index i = 0; i < b.size(); ++i) {
    const double length = out.modes.col(i).norm(), lead = std::abs(out.eigenvalues(i));
    // The exact modes stand one sample ahead.
    const double scale = fitted.linear.decode_first ? (lead > 0 ? 1 / lead : 0) : 1;
    out.amplitudes(i) = std::abs(b(i)) * length * scale;
    if (length > 0) out.modes.col(i) /= length;
  }
  std::vector<Index> order(static_cast<std::size_t>(b.size()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  std::stable_sort(order.begin(), order.end(), [&](Index i, Index j) { return out.amplitudes(i) > out.amplitudes(j); });
  const ComplexMatrix modes = out.modes;
  for (std::size_t i = 0; i < order.size(); ++i) out.modes.col(static_cast<Index>(i)) = modes.col(order[i]);
  reorder(out.eigenvalues, order);
  reorder(out.rates, order);
  reorder(out.amplitudes, order);
  reorder(out.rate_deviation, order);
}

}  // namespace

DmdModel identify_dmd(const Dataset& data, const DmdOptions& options) {
  data.check(options.delays + 1);
  const bool plain = options.variant == DmdVariant::exact || options.variant == DmdVariant::projected;
  if (data.num_controls() > 0 && !plain) {
    fail("dmd with control exists for the variants exact and projected, not for {}", enum_name(options.variant));
  }
  const Snapshots snapshots = snapshot_pairs(data, options.delays);
  Fitted fitted = fit_variant(data, snapshots, options);
  finish_spectrum(fitted, stacked_samples(data.runs.front().states.topRows(options.delays), options.delays).row(0).transpose(),
                  data.dt);
  DmdModel model;
  model.names_ = data.names;
  model.control_names_ = data.control_names;
  model.dt_ = data.dt;
  model.options_ = options;
  model.spectrum_ = std::move(fitted.spectrum);
  model.operator_ = std::move(fitted.linear);
  model.operator_.decode = Matrix(model.operator_.decode.bottomRows(data.dimension()));
  return model;
}

ModelPtr fit_dmd(const Dataset& data, const DmdOptions& options) {
  return std::make_unique<DmdModel>(identify_dmd(data, options));
}

}  // namespace filigree::dynamics
