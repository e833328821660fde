#include "dynamics/sindy_rows.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "dynamics/row_qr.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

Matrix joined(const Trajectory& run) {
  Matrix inputs(run.states.rows(), run.states.cols() + run.controls.cols());
  inputs << run.states, run.controls;
  return inputs;
}

/// Rows θ(inputs) | targets for samples in order.
void plain_rows(const Eigen::Ref<const Matrix>& inputs, const Eigen::Ref<const Matrix>& targets,
                const Library& library, const RowSink& sink, RowPlace place) {
  const Index columns = library.size() + targets.cols();
  Matrix buffer(std::min(RowQr::block_rows(columns), targets.rows()), columns);
  for (Index i = 0; i < targets.rows(); i += buffer.rows()) {
    const Index count = std::min(buffer.rows(), targets.rows() - i);
    Eigen::Ref<Matrix> block = buffer.topRows(count);
    library.evaluate(inputs.middleRows(i, count), block.leftCols(library.size()));
    block.rightCols(targets.cols()) = targets.middleRows(i, count);
    sink(block, place);
    place.first += count;
    place.overall += count;
  }
}

/// Test function (1 - s²)^p and its derivative by time, both divided by the integral of the function: a row is then a
/// weighted mean of x' = -∫ φ' x. Both vanish at the ends of the window p times, so that the trapezoid rule is exact to
/// high order (Messenger, Bortz: Weak SINDy, 2021).
Matrix test_function(int window, int power, double dt) {
  Matrix weights(window, 2);
  const double half = 0.5 * (window - 1);
  for (int i = 0; i < window; ++i) {
    const double s = (i - half) / half;
    weights(i, 0) = std::pow(1 - s * s, power);
    weights(i, 1) = 2 * power * s * std::pow(1 - s * s, power - 1) / (half * dt);
  }
  return weights / weights.col(0).sum();
}

/// Rows of evenly spread windows.
Matrix weak_rows(const Matrix& inputs, const Matrix& states, const Library& library, const Matrix& weights,
                 Index domains) {
  const Index window = weights.rows(), last = states.rows() - window;
  Matrix features(window, library.size());
  Matrix block(domains, library.size() + states.cols());
  for (Index d = 0; d < domains; ++d) {
    const Index first = domains > 1 ? last * d / (domains - 1) : last / 2;
    library.evaluate(inputs.middleRows(first, window), features);
    block.row(d) << weights.col(0).transpose() * features,
        weights.col(1).transpose() * states.middleRows(first, window);
  }
  return block;
}

}  // namespace

Index sindy_rows_of(const Dataset& data, std::size_t run, const SindyOptions& options) {
  const Index samples = data.runs[run].states.rows();
  switch (options.form) {
    case SindyForm::derivative: return samples;
    case SindyForm::map: return samples - 1;
    case SindyForm::weak: break;
  }
  const double share = static_cast<double>(samples) / static_cast<double>(data.num_samples());
  return std::max<Index>(1, std::llround(options.weak_domains * share));
}

void visit_sindy_rows(const Dataset& data, const Library& library, const SindyOptions& options, const RowSink& sink) {
  RowPlace place;
  for (std::size_t r = 0; r < data.runs.size(); ++r) {
    const Trajectory& run = data.runs[r];
    const Matrix both = data.num_controls() > 0 ? joined(run) : Matrix();
    const Matrix& inputs = data.num_controls() > 0 ? both : run.states;
    place.first = 0;
    place.in_run = sindy_rows_of(data, r, options);
    switch (options.form) {
      case SindyForm::derivative:
        plain_rows(inputs, differentiate(run.states, data.dt, options.derivative), library, sink, place);
        break;
      case SindyForm::map:
        plain_rows(inputs.topRows(place.in_run), run.states.bottomRows(place.in_run), library, sink, place);
        break;
      case SindyForm::weak: {
        const Matrix weights = test_function(options.weak_window, options.weak_power, data.dt);
        Matrix block = weak_rows(inputs, run.states, library, weights, place.in_run);
        sink(block, place);
        break;
      }
    }
    place.overall += place.in_run;
  }
}

}  // namespace filigree::dynamics
