#include "dynamics/havok.h"

#include <algorithm>
#include <cmath>

#include <Eigen/Cholesky>
#include <Eigen/SVD>

#include "base/error.h"
#include "dynamics/derivative.h"
#include "dynamics/row_qr.h"
#include "dynamics/singular_rank.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

/// Rows are the windows of the series: the transposed Hankel matrix, without a copy of it.
Eigen::Map<const Matrix, 0, Eigen::OuterStride<>> windows(const Vector& series, Index window) {
  return {series.data(), series.size() - window + 1, window, Eigen::OuterStride<>(1)};
}

void check(const Dataset& data, const HavokOptions& options) {
  if (data.num_controls() > 0) fail("havok finds its own forcing and takes no controls; the data has {}", data.num_controls());
  if (options.coordinate >= data.dimension()) {
    fail("havok was asked for coordinate {}; the data has {}, counted from 0", options.coordinate, data.dimension());
  }
  if (options.rank > options.window) fail("the rank {} must not exceed the window of {} samples", options.rank, options.window);
  if (options.rank == 1) fail("havok needs a rank of at least 2: one coordinate and its forcing");
  const Index ends = options.derivative_order + options.derivative_order % 2;
  data.check(options.window + 2 * ends + options.rank);
}

/// SVD of the Hankel matrix through the triangular factor of its transpose: the Gram matrix would lose all singular
/// values below 1e-8 of the largest, and those are wanted.
Eigen::JacobiSVD<Matrix> hankel_svd(const std::vector<Vector>& series, Index window) {
  RowQr factor(window);
  constexpr Index kRows = 2048;
  Matrix block(kRows, window);
  for (const Vector& run : series) {
    const auto rows = windows(run, window);
    for (Index i = 0; i < rows.rows(); i += kRows) {
      const Index count = std::min(kRows, rows.rows() - i);
      block.topRows(count) = rows.middleRows(i, count);
      factor.add(block.topRows(count));
    }
  }
  return Eigen::JacobiSVD<Matrix>(factor.r(), Eigen::ComputeThinV);
}

struct LinearFit {
  Matrix operator_of_all;  // (rank, rank)
  Vector unexplained;
};

/// Least squares of the derivatives of the columns by the columns. These are orthonormal over all runs, so that the
/// normal equations are as good as any other way here. Samples whose stencil is not central are left out.
LinearFit regress(const std::vector<Matrix>& coordinates, double dt, int order) {
  const Index rank = coordinates.front().cols();
  Matrix gram = Matrix::Zero(rank, rank), cross = gram;
  Vector squares = Vector::Zero(rank), sums = Vector::Zero(rank);
  DerivativeOptions differences;
  differences.order = order;
  Index count = 0;
  for (const Matrix& v : coordinates) {
    const Index ends = (order + order % 2) / 2, inner = v.rows() - 2 * ends;
    const Matrix slopes = differentiate(v, dt, differences);
    const auto x = v.middleRows(ends, inner);
    const auto y = slopes.middleRows(ends, inner);
    gram.noalias() += x.transpose() * x;
    cross.noalias() += x.transpose() * y;
    squares += y.colwise().squaredNorm().transpose();
    sums += y.colwise().sum().transpose();
    count += inner;
  }
  const Matrix xi = Eigen::LDLT<Matrix>(gram).solve(cross);
  LinearFit fit{xi.transpose(), Vector(rank)};
  for (Index t = 0; t < rank; ++t) {
    const Vector x = xi.col(t);
    const double error = squares(t) - 2 * x.dot(cross.col(t)) + x.dot(gram * x);
    fit.unexplained(t) = std::max(0.0, error) / (squares(t) - sums(t) * sums(t) / static_cast<double>(count));
  }
  return fit;
}

/// exp(M) by Taylor's series of M / 2^s, squared s times.
Matrix matrix_exponential(const Matrix& m) {
  const double size = m.cwiseAbs().rowwise().sum().maxCoeff();
  const int squarings = size > 0.25 ? static_cast<int>(std::ceil(std::log2(size / 0.25))) : 0;
  const Matrix small = m / std::pow(2.0, squarings);
  Matrix term = Matrix::Identity(m.rows(), m.cols()), sum = term;
  // 0.25^16 / 16! < 1e-22.
  for (int k = 1; k <= 16; ++k) {
    term = term * small / k;
    sum += term;
  }
  for (int k = 0; k < squarings; ++k) sum = sum * sum;
  return sum;
}

}  // namespace

HavokModel identify_havok(const Dataset& data, const HavokOptions& options) {
  check(data, options);
  std::vector<Vector> series;
  Index columns = 0;
  for (const Trajectory& run : data.runs) {
    series.emplace_back(run.states.col(options.coordinate));
    columns += series.back().size() - options.window + 1;
  }
  const auto svd = hankel_svd(series, options.window);
  HavokModel model;
  model.names_ = data.names;
  model.dt_ = data.dt;
  model.options_ = options;
  model.singular_values_ = svd.singularValues();
  model.optimal_rank_ = gavish_donoho_rank(model.singular_values_, options.window, columns);
  model.optimal_rank_approximate_ = gavish_donoho_rank(model.singular_values_, options.window, columns, true);
  const Index rank = options.rank > 0 ? options.rank : std::max<Index>(2, model.optimal_rank_);
  // Below rounding there is nothing to divide by.
  if (!(model.singular_values_(rank - 1) > 1e-15 * model.singular_values_(0))) {
    fail("the series of {} has fewer than {} delay coordinates: give a smaller rank or a longer window",
         data.names[static_cast<std::size_t>(options.coordinate)], rank);
  }
  model.modes_ = svd.matrixV().leftCols(rank);
  // The sign of a singular vector is arbitrary; the newest sample then counts positive.
  for (Index j = 0; j < rank; ++j) {
    if (model.modes_(options.window - 1, j) < 0) model.modes_.col(j) *= -1;
  }
  std::vector<Matrix> coordinates;
  for (const Vector& run : series) coordinates.push_back(model.delay_coordinates(run));
  LinearFit fit = regress(coordinates, data.dt, options.derivative_order);
  model.a_ = fit.operator_of_all.topLeftCorner(rank - 1, rank - 1);
  model.b_ = fit.operator_of_all.col(rank - 1).head(rank - 1);
  model.regression_ = std::move(fit.operator_of_all);
  model.unexplained_ = std::move(fit.unexplained);
  Vector forcing(columns);
  Index done = 0;
  for (const Matrix& v : coordinates) {
    forcing.segment(done, v.rows()) = v.col(rank - 1);
    done += v.rows();
  }
  model.threshold_ = options.threshold > 0 ? options.threshold : forcing_threshold(forcing, options.tail);
  return model;
}

ModelPtr fit_havok(const Dataset& data, const HavokOptions& options) {
  return std::make_unique<HavokModel>(identify_havok(data, options));
}

Matrix HavokModel::delay_coordinates(const Vector& series) const {
  if (series.size() < options_.window) {
    fail("the havok model needs series of at least {} samples, not {}", options_.window, series.size());
  }
  const auto rows = windows(series, options_.window);
  const Matrix scaled = modes_ * singular_values_.head(rank()).cwiseInverse().asDiagonal();
  Matrix result(rows.rows(), rank());
  // In pieces: a product of the whole overlapping map would first copy it.
  constexpr Index kRows = 1024;
  for (Index i = 0; i < rows.rows(); i += kRows) {
    const Index count = std::min(kRows, rows.rows() - i);
    const Matrix piece = rows.middleRows(i, count);
    result.middleRows(i, count).noalias() = piece * scaled;
  }
  return result;
}

Matrix HavokModel::simulate_with_forcing(const Vector& start, const Vector& forcing) const {
  const Index n = a_.rows();
  if (start.size() != n) fail("the havok model starts from {} delay coordinates, not {}", n, start.size());
  // exp of [A dt, B dt, 0; 0, 0, 1; 0, 0, 0] moves state, forcing and its slope by one sample.
  Matrix block = Matrix::Zero(n + 2, n + 2);
  block.topLeftCorner(n, n) = a_ * dt_;
  block.col(n).head(n) = b_ * dt_;
  block(n, n + 1) = 1;
  const Matrix moved = matrix_exponential(block);
  Matrix result(forcing.size(), n);
  Vector state(n + 2), next(n);
  state.head(n) = start;
  for (Index k = 0; k < forcing.size(); ++k) {
    result.row(k) = state.head(n).transpose();
    if (k + 1 == forcing.size()) break;
    state(n) = forcing(k);
    state(n + 1) = forcing(k + 1) - forcing(k);
    next.noalias() = moved.topRows(n) * state;
    state.head(n) = next;
  }
  return result;
}

Vector HavokModel::newest_samples(const Matrix& coordinates) const {
  const Index n = rank() - 1;
  FILIGREE_ASSERT(coordinates.cols() >= n);
  const Vector last = modes_.row(options_.window - 1).head(n).transpose().cwiseProduct(singular_values_.head(n));
  return coordinates.leftCols(n) * last;
}

}  // namespace filigree::dynamics
