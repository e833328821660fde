#include "dynamics/delay.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

Vector vector_of(const std::vector<double>& values) {
  return Eigen::Map<const Vector>(values.data(), static_cast<Index>(values.size()));
}

std::vector<double> list_of(const Vector& values) { return {values.begin(), values.end()}; }

Index pairs_in_run(Index samples, Index window, Index every) {
  return samples <= window ? 0 : (samples - window + every - 1) / every;
}

Index total_pairs(const Dataset& data, Index window, Index every) {
  Index total = 0;
  for (const Trajectory& run : data.runs) total += pairs_in_run(run.states.rows(), window, every);
  return total;
}

Index choose_every(const Dataset& data, Index window, const Thinning& thinning) {
  if (thinning.every > 0) return thinning.every;
  Index every = 1;
  while (total_pairs(data, window, every) > thinning.most) ++every;
  return every;
}

}  // namespace

std::vector<Index> lags(const Delay& delay) {
  std::vector<Index> result;
  for (Index j = 0; j < delay.count; ++j) {
    result.push_back(delay.spacing * (delay.pattern == LagPattern::uniform ? j : j * (j + 1) / 2));
  }
  return result;
}

Index reach(const Delay& delay) { return delay.lead + lags(delay).back(); }

std::string describe(const Delay& delay) {
  std::string text = delay.count == 1 ? "1 sample" : fmt::format("{} samples, {} apart", delay.count, delay.spacing);
  if (delay.pattern == LagPattern::growing) text += " and growing";
  if (delay.lead != 1) text += fmt::format(", lead {}", delay.lead);
  return text;
}

DelayPairs delay_pairs(const Dataset& data, const Normaliser& normaliser, const Delay& delay,
                       const Thinning& thinning) {
  if (data.num_controls() > 0) fail("methods on delay vectors take no controls; the data has {}", data.num_controls());
  const Index window = reach(delay), dimension = data.dimension();
  const std::vector<Index> lag = lags(delay);
  const Index every = choose_every(data, window, thinning);
  const Index total = total_pairs(data, window, every);
  if (total == 0) {
    fail("no run is as long as one delay window: {} samples are needed ({})", window + 1, describe(delay));
  }
  DelayPairs pairs{Matrix(delay.count * dimension, total), Matrix(dimension, total)};
  Index column = 0;
  for (const Trajectory& run : data.runs) {
    const Matrix z = normaliser.apply(run.states).transpose();
    const Index count = pairs_in_run(z.cols(), window, every);
    for (Index i = 0; i < count; ++i, ++column) {
      const Index target = z.cols() - 1 - (count - 1 - i) * every;
      for (std::size_t j = 0; j < lag.size(); ++j) {
        pairs.inputs.col(column).segment(static_cast<Index>(j) * dimension, dimension) =
            z.col(target - delay.lead - lag[j]);
      }
      pairs.increments.col(column) = z.col(target) - z.col(target - delay.lead);
    }
  }
  return pairs;
}

Normaliser DelayFrame::normaliser() const { return {vector_of(mean), vector_of(scale)}; }

void DelayFrame::check(const std::string& where) const {
  if (names.empty()) fail("{}: frame.names must name at least one coordinate", where);
  for (const auto& [name, list] : {std::pair("mean", &mean), {"scale", &scale}, {"low", &low}, {"high", &high}}) {
    if (list->size() != names.size()) {
      fail("{}: frame.{} has {} numbers where frame.names has {}", where, name, list->size(), names.size());
    }
  }
}

DelayFrame delay_frame(const Dataset& data, const Delay& delay, double margin, bool normalise) {
  const Normaliser normaliser = normalise ? Normaliser::of(data) : Normaliser::identity(data.dimension());
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Vector low = Vector::Constant(data.dimension(), infinity), high = -low;
  for (const Trajectory& run : data.runs) {
    const Matrix z = normaliser.apply(run.states);
    if (z.rows() == 0) continue;
    low = low.cwiseMin(z.colwise().minCoeff().transpose());
    high = high.cwiseMax(z.colwise().maxCoeff().transpose());
  }
  const Vector widening = margin * (high - low);
  return {data.names,
          list_of(normaliser.mean),
          list_of(normaliser.scale),
          list_of(low - widening),
          list_of(high + widening),
          delay};
}

Matrix DelayModel::forecast(const Matrix& past, Index steps, const Matrix&) const {
  const Index dimension = frame_.dimension(), window = history();
  check_forecast(past, steps, dimension);
  const std::vector<Index> lag = lags(frame_.delay);
  const Normaliser normaliser = frame_.normaliser();
  const Vector low = vector_of(frame_.low), high = vector_of(frame_.high);
  Matrix z(dimension, window + steps);
  z.leftCols(window) = normaliser.apply(past.bottomRows(window)).transpose();
  const Predictor predict = predictor();
  Vector input(frame_.delay.count * dimension), increment(dimension);
  for (Index step = window; step < window + steps; ++step) {
    for (std::size_t j = 0; j < lag.size(); ++j) {
      input.segment(static_cast<Index>(j) * dimension, dimension) = z.col(step - frame_.delay.lead - lag[j]);
    }
    predict(input, increment);
    increment += input.head(dimension);
    if (!increment.allFinite()) {
      z.rightCols(window + steps - step).setConstant(std::numeric_limits<double>::quiet_NaN());
      break;
    }
    z.col(step) = increment.cwiseMax(low).cwiseMin(high);
  }
  return normaliser.revert(z.rightCols(steps).transpose());
}

std::vector<std::vector<double>> rows_of(const Matrix& matrix) {
  std::vector<std::vector<double>> rows;
  for (Index i = 0; i < matrix.rows(); ++i) rows.push_back(list_of(matrix.row(i).transpose()));
  return rows;
}

Matrix matrix_of(const std::vector<std::vector<double>>& rows, const std::string& what, Index expected_rows,
                 Index expected_columns) {
  const Index count = static_cast<Index>(rows.size());
  if (count != expected_rows || count == 0) fail("{} has {} rows where {} are expected", what, count, expected_rows);
  const Index columns = expected_columns >= 0 ? expected_columns : static_cast<Index>(rows.front().size());
  Matrix matrix(count, columns);
  for (Index i = 0; i < count; ++i) {
    const std::vector<double>& row = rows[static_cast<std::size_t>(i)];
    if (static_cast<Index>(row.size()) != columns) {
      fail("{}[{}] has {} numbers where {} are expected", what, i, row.size(), columns);
    }
    matrix.row(i) = vector_of(row).transpose();
  }
  return matrix;
}

}  // namespace filigree::dynamics
