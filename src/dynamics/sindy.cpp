#include "dynamics/sindy.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "dynamics/sindy_rows.h"

namespace filigree::dynamics {
namespace {

using Index = Eigen::Index;

std::vector<std::string> variables_of(const Dataset& data) {
  std::vector<std::string> variables = data.names;
  variables.insert(variables.end(), data.control_names.begin(), data.control_names.end());
  return variables;
}

void check(const Dataset& data, const SindyOptions& options) {
  Index least = 2;
  if (options.form == SindyForm::derivative) least = options.derivative.least_samples();
  if (options.form == SindyForm::weak) least = options.weak_window;
  data.check(least);
  if (options.bags > 0 && options.sweep) {
    fail("an ensemble and a sweep of thresholds cannot be had in one fit: sweep first, then give the ensemble the "
         "threshold");
  }
}

/// Sums for the variance of the targets, relative to the first row against cancellation.
class Spread {
 public:
  void add(const Eigen::Ref<const Matrix>& rows) {
    if (origin_.size() == 0) {
      origin_ = rows.row(0);
      sum_ = squares_ = Eigen::RowVectorXd::Zero(rows.cols());
    }
    for (Index c = 0; c < rows.cols(); ++c) {
      const auto d = rows.col(c).array() - origin_(c);
      sum_(c) += d.sum();
      squares_(c) += d.square().sum();
    }
    count_ += rows.rows();
  }
  Vector squared_distances() const {
    return (squares_.array() - sum_.array().square() / static_cast<double>(count_)).transpose().max(0.0);
  }

 private:
  Eigen::RowVectorXd origin_, sum_, squares_;
  Index count_ = 0;
};

struct Factor {
  explicit Factor(Index columns) : qr(columns) {}
  void add(Eigen::Ref<Matrix> block, Index targets) {
    if (block.rows() == 0) return;
    spread.add(block.rightCols(targets));
    qr.add(block);
  }
  Regression regression(Index features) const {
    Regression result = Regression::from(qr, features);
    result.variance = spread.squared_distances();
    return result;
  }
  RowQr qr;
  Spread spread;
};

double unexplained(const Regression& problem, const Matrix& x) {
  double sum = 0;
  for (Index t = 0; t < x.cols(); ++t) {
    const double error = problem.squared_error(x.col(t), t), variance = problem.variance(t);
    sum += variance > 0 ? error / variance : (error > 0 ? 1.0 : 0.0);
  }
  return sum / static_cast<double>(x.cols());
}

Regression whole_regression(const Dataset& data, const Library& library, const SindyOptions& options) {
  Factor factor(library.size() + data.dimension());
  visit_sindy_rows(data, library, options,
                   [&](Eigen::Ref<Matrix> block, const RowPlace&) { factor.add(block, data.dimension()); });
  return factor.regression(library.size());
}

struct SplitRegression {
  Regression training, validation;
};

/// The last rows of every run validate.
SplitRegression split_regression(const Dataset& data, const Library& library, const SindyOptions& options) {
  Factor training(library.size() + data.dimension()), validation(library.size() + data.dimension());
  visit_sindy_rows(data, library, options, [&](Eigen::Ref<Matrix> block, const RowPlace& place) {
    const Index kept = std::llround(static_cast<double>(place.in_run) * (1 - options.validation));
    const Index head = std::clamp<Index>(kept - place.first, 0, block.rows());
    training.add(block.topRows(head), data.dimension());
    validation.add(block.bottomRows(block.rows() - head), data.dimension());
  });
  if (training.qr.rows() == 0 || validation.qr.rows() == 0) {
    fail("the runs are too short to keep a share of {} for validation", options.validation);
  }
  return {training.regression(library.size()), validation.regression(library.size())};
}

std::vector<double> thresholds_of(const SindyOptions& options) {
  std::vector<double> thresholds = options.thresholds;
  if (thresholds.empty()) {
    for (int i = 0; i <= 30; ++i) thresholds.push_back(std::pow(10.0, -3 + 0.1 * i));
  }
  std::sort(thresholds.begin(), thresholds.end());
  return thresholds;
}

/// The model with fewest terms that explains nearly as much of the validation part as the best; among equals the one in
/// the middle of their thresholds.
double sweep_threshold(const Dataset& data, const Library& library, const SindyOptions& options, SindyReport& report) {
  const SplitRegression split = split_regression(data, library, options);
  double best = std::numeric_limits<double>::infinity();
  for (const double threshold : thresholds_of(options)) {
    SparseOptions sparse = options.sparse;
    sparse.threshold = threshold;
    const Matrix x = solve_sparse(split.training, sparse, data.names).coefficients;
    report.sweep.push_back({threshold, (x.array() != 0).count(), unexplained(split.validation, x)});
    best = std::min(best, report.sweep.back().unexplained);
  }
  // 5 %: less than that is within the noise of a validation part.
  const double enough = 1.05 * best + options.slack;
  Index fewest = std::numeric_limits<Index>::max();
  for (const SweepPoint& point : report.sweep) {
    if (point.unexplained <= enough) fewest = std::min(fewest, point.terms);
  }
  std::vector<double> equals;
  for (const SweepPoint& point : report.sweep) {
    if (point.unexplained <= enough && point.terms == fewest) equals.push_back(point.threshold);
  }
  return equals[equals.size() / 2];
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t half = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

/// Regressions on rows drawn with replacement: a row drawn k times has the weight √k.
std::vector<Regression> bagged_regressions(const Dataset& data, const Library& library, const SindyOptions& options) {
  Index rows = 0;
  for (std::size_t r = 0; r < data.runs.size(); ++r) rows += sindy_rows_of(data, r, options);
  const auto bags = static_cast<std::size_t>(options.bags);
  std::vector<std::vector<std::uint16_t>> counts(bags, std::vector<std::uint16_t>(static_cast<std::size_t>(rows), 0));
  for (std::size_t b = 0; b < bags; ++b) {
    Random random = Random(static_cast<std::uint64_t>(options.seed)).fork(b);
    for (Index i = 0; i < rows; ++i) ++counts[b][random.below(static_cast<std::uint64_t>(rows))];
  }
  std::vector<RowQr> factors(bags, RowQr(library.size() + data.dimension()));
  visit_sindy_rows(data, library, options, [&](Eigen::Ref<Matrix> block, const RowPlace& place) {
    Matrix weighted(block.rows(), block.cols());
    for (std::size_t b = 0; b < bags; ++b) {
      for (Index i = 0; i < block.rows(); ++i) {
        weighted.row(i) = block.row(i) * std::sqrt(counts[b][static_cast<std::size_t>(place.overall + i)]);
      }
      factors[b].add(weighted);
    }
  });
  std::vector<Regression> result;
  for (const RowQr& factor : factors) result.push_back(Regression::from(factor, library.size()));
  return result;
}

/// Bagging of rows and of features (Fasel, Kutz, Brunton, Brunton: Ensemble-SINDy, 2022): median of the coefficients
/// over the fits that were offered the feature, 0 where too few of them took it.
Matrix ensemble(const Dataset& data, const Library& library, const SindyOptions& options, SindyReport& report) {
  const Index features = library.size(), targets = data.dimension();
  if (options.dropped >= features) fail("{} features cannot be left out of a library of {}", options.dropped, features);
  std::vector<std::vector<double>> values(static_cast<std::size_t>(features * targets));
  const std::vector<Regression> problems = bagged_regressions(data, library, options);
  for (std::size_t b = 0; b < problems.size(); ++b) {
    std::vector<Index> order(static_cast<std::size_t>(features));
    for (Index i = 0; i < features; ++i) order[static_cast<std::size_t>(i)] = i;
    // The rows took the streams 0 … bags - 1.
    Random random = Random(static_cast<std::uint64_t>(options.seed)).fork(problems.size() + b);
    random.shuffle(order);
    order.resize(order.size() - static_cast<std::size_t>(options.dropped));
    std::sort(order.begin(), order.end());
    Regression part = problems[b];
    part.r = problems[b].r(Eigen::indexing::all, order);
    SparseResult fit = solve_sparse(part, options.sparse, data.names);
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (Index t = 0; t < targets; ++t) {
        values[static_cast<std::size_t>(order[i] * targets + t)].push_back(fit.coefficients(static_cast<Index>(i), t));
      }
    }
    report.history = std::move(fit.history);
  }
  Matrix x = Matrix::Zero(features, targets);
  report.inclusion = report.deviation = x;
  for (Index f = 0; f < features; ++f) {
    for (Index t = 0; t < targets; ++t) {
      const std::vector<double>& all = values[static_cast<std::size_t>(f * targets + t)];
      if (all.empty()) continue;
      const Eigen::Map<const Eigen::ArrayXd> v(all.data(), static_cast<Index>(all.size()));
      report.inclusion(f, t) = static_cast<double>((v != 0).count()) / static_cast<double>(v.size());
      report.deviation(f, t) = std::sqrt((v - v.mean()).square().mean());
      if (report.inclusion(f, t) >= options.inclusion) x(f, t) = median(all);
    }
  }
  return x;
}

}  // namespace

SindyModel identify_sindy(const Dataset& data, const SindyOptions& options) {
  check(data, options);
  SindyModel model(data, options, Library(options.library, variables_of(data)));
  SindyReport report;
  if (options.sweep) model.options_.sparse.threshold = sweep_threshold(data, model.library_, options, report);
  const Regression problem = whole_regression(data, model.library_, options);
  if (options.bags > 0) {
    model.set_coefficients(ensemble(data, model.library_, options, report));
  } else {
    SparseResult fit = solve_sparse(problem, model.options_.sparse, data.names);
    report.history = std::move(fit.history);
    report.warnings = std::move(fit.warnings);
    model.set_coefficients(std::move(fit.coefficients));
  }
  report.score = 1 - unexplained(problem, model.coefficients_);
  model.report_ = std::move(report);
  model.measure_cost(data);
  return model;
}

ModelPtr fit_sindy(const Dataset& data, const SindyOptions& options) {
  return std::make_unique<SindyModel>(identify_sindy(data, options));
}

}  // namespace filigree::dynamics
