#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dynamics/metrics.h"
#include "dynamics/sindy.h"
#include "lorenz.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

using test::flow_samples;
using test::lorenz;

double coefficient(const SindyModel& model, const std::string& feature, Eigen::Index target) {
  const auto& names = model.features();
  const auto at = std::find(names.begin(), names.end(), feature) - names.begin();
  EXPECT_LT(at, static_cast<std::ptrdiff_t>(names.size())) << feature;
  return model.coefficients()(at, target);
}

Eigen::Index terms(const SindyModel& model) { return (model.coefficients().array() != 0).count(); }

/// The published coefficients come from samples with scipy's odeint at its default tolerance of 1.5e-8, ours from samples
/// at 1e-12: an error of 1.5e-8 in a sample is one of 4e-6 in a central difference at dt = 0.002, some of which stays in a
/// coefficient. Another formula at the two ends of the run alone already changes them by 3e-4.
constexpr double kSampleError = 1e-6;

// dynamicslab/pysindy: pysindy/pysindy.py, examples of the class SINDy; made by a release that took differences of order
// 3 at the ends.
SindyOptions early_pysindy() {
  SindyOptions options;
  options.derivative.end_order = 3;
  return options;
}

TEST(Sindy, LorenzCoefficientsOfPySindy) {
  const SindyModel model = identify_sindy(lorenz(0.002, 1000), early_pysindy());
  EXPECT_NEAR(coefficient(model, "x", 0), -9.99969193, kSampleError);
  EXPECT_NEAR(coefficient(model, "y", 0), 9.99961547, kSampleError);
  EXPECT_NEAR(coefficient(model, "x", 1), 27.99344519, kSampleError);
  EXPECT_NEAR(coefficient(model, "y", 1), -0.99905338, kSampleError);
  EXPECT_NEAR(coefficient(model, "x z", 1), -0.99980268, kSampleError);
  EXPECT_NEAR(coefficient(model, "z", 2), -2.66645651, kSampleError);
  EXPECT_NEAR(coefficient(model, "x y", 2), 0.99990257, kSampleError);
  EXPECT_EQ(terms(model), 7);
  EXPECT_NEAR(model.report().score, 0.999999985520653, 1e-10);
  EXPECT_TRUE(model.report().warnings.empty());
  EXPECT_EQ(model.equations(7).front(), "x' = -9.999692 x + 9.999615 y");
  EXPECT_EQ(model.describe().back(), "form derivative, optimizer stlsq, threshold 0.1, 7 of 30 terms");
}

Dataset driven_lorenz() {
  const auto field = [](const std::vector<double>& x, std::vector<double>& d, double t) {
    test::lorenz_field(x, d, t);
    d[0] += std::pow(std::sin(2 * t), 2);
  };
  Dataset data = lorenz(0.002, 2);
  data.control_names = {"u"};
  data.runs[0].states = flow_samples(field, Vector{{-8.0, 8.0, 27.0}}, 0.002, 1000);
  data.runs[0].controls = (Vector::LinSpaced(1000, 0, 1.998) * 2).array().sin().matrix();
  return data;
}

TEST(Sindy, LorenzCoefficientsOfPySindyWithControl) {
  const SindyModel model = identify_sindy(driven_lorenz(), early_pysindy());
  EXPECT_NEAR(coefficient(model, "x", 0), -9.99969851, kSampleError);
  EXPECT_NEAR(coefficient(model, "y", 0), 9.99958359, kSampleError);
  EXPECT_NEAR(coefficient(model, "u^2", 0), 1.00120331, kSampleError);
  EXPECT_NEAR(coefficient(model, "x", 1), 27.9935177, kSampleError);
  EXPECT_NEAR(coefficient(model, "y", 1), -0.99906375, kSampleError);
  EXPECT_NEAR(coefficient(model, "x z", 1), -0.99980455, kSampleError);
  EXPECT_NEAR(coefficient(model, "z", 2), -2.666437, kSampleError);
  EXPECT_NEAR(coefficient(model, "x y", 2), 0.99990137, kSampleError);
  EXPECT_EQ(terms(model), 8);
}

TEST(Sindy, ForecastWithControlFollowsTheData) {
  const Dataset data = driven_lorenz();
  SindyOptions options;
  options.derivative.order = 6;
  const SindyModel model = identify_sindy(data, options);
  const Matrix truth = data.runs[0].states.middleRows(101, 300);
  const Matrix forecast =
      model.forecast(data.runs[0].states.topRows(101), 300, data.runs[0].controls.middleRows(100, 300));
  EXPECT_LT(root_mean_squared_error(forecast, truth), 1e-3);
}

/// Random features of which three make up the first target and one the second.
Regression small_problem(double noise) {
  Random random(5);
  Matrix a = Matrix::NullaryExpr(200, 10, [&] { return random.normal(); });
  a.col(8) = 2 * a.col(0) - 0.5 * a.col(3) + 0.05 * a.col(5);
  a.col(9) = a.col(7);
  for (Eigen::Index i = 0; i < 200; ++i) a(i, 8) += noise * random.normal();
  RowQr qr(10);
  qr.add(a);
  return Regression::from(qr, 8);
}

TEST(SparseRegression, StlsqKeepsWhatReachesTheThreshold) {
  SparseOptions options;
  const SparseResult result = solve_sparse(small_problem(0), options, {"a", "b"});
  Matrix expected = Matrix::Zero(8, 2);
  // The term of 0.05 is dropped, so that the other two take a little of it: only support is exact.
  EXPECT_EQ((result.coefficients.col(0).array() != 0).count(), 2);
  EXPECT_NEAR(result.coefficients(0, 0), 2, 0.02);
  EXPECT_NEAR(result.coefficients(7, 1), 1, 1e-13);
  ASSERT_EQ(result.history.size(), 2U);
  EXPECT_EQ(result.history[0].terms, 3);
  EXPECT_EQ(result.history[1].terms, 3);
  EXPECT_NEAR(result.history[1].penalty, 0.05 * (4 + 0.25 + 1), 0.01);
}

TEST(SparseRegression, ThresholdIsInclusiveInPySindysDialectAndRidgeShrinks) {
  Matrix rows = Matrix::Identity(2, 3);
  rows.col(2) << 0.21, 1;
  RowQr qr(3);
  qr.add(rows);
  const Regression problem = Regression::from(qr, 2);
  SparseOptions options;
  options.ridge = 1;
  options.threshold = 0.5;
  options.unbias = false;
  EXPECT_TRUE(solve_sparse(problem, options, {"a"}).coefficients.isApprox(Vector{{0, 0.5}}, 1e-15));
  options.unbias = true;
  EXPECT_TRUE(solve_sparse(problem, options, {"a"}).coefficients.isApprox(Vector{{0, 1.0}}, 1e-15));
  options.method = SparseMethod::brunton;
  options.threshold = 0.2;
  const SparseResult brunton = solve_sparse(problem, options, {"a"});
  EXPECT_TRUE(brunton.coefficients.isApprox(Vector{{0.21, 1.0}}, 1e-15));
  EXPECT_EQ(brunton.history.size(), 10U);
}

TEST(SparseRegression, WarnsWhenATargetLosesAllTerms) {
  SparseOptions options;
  options.threshold = 1.5;
  for (const SparseMethod method : {SparseMethod::stlsq, SparseMethod::brunton, SparseMethod::sr3}) {
    options.method = method;
    const SparseResult result = solve_sparse(small_problem(0), options, {"a", "b"});
    ASSERT_EQ(result.warnings.size(), 1U);
    EXPECT_EQ(result.warnings[0], "the threshold 1.5 left no term in the equation of b");
    EXPECT_EQ(result.coefficients.col(1).norm(), 0);
  }
}

TEST(SparseRegression, NormalisedColumnsJudgeContributions) {
  // 200 rows: a column of norm about 14, so a coefficient of 0.05 contributes 0.7.
  SparseOptions options;
  options.normalise = true;
  options.ridge = 0;
  options.threshold = 0.5;
  const SparseResult result = solve_sparse(small_problem(0), options, {"a", "b"});
  EXPECT_NEAR(result.coefficients(5, 0), 0.05, 1e-12);
  EXPECT_NEAR(result.coefficients(0, 0), 2, 1e-12);
  EXPECT_EQ((result.coefficients.array() != 0).count(), 4);
}

TEST(SparseRegression, Sr3FindsTheSupport) {
  SparseOptions options;
  options.method = SparseMethod::sr3;
  const SparseResult result = solve_sparse(small_problem(0.01), options, {"a", "b"});
  EXPECT_TRUE(result.warnings.empty());
  EXPECT_EQ((result.coefficients.col(0).array() != 0).count(), 2);
  EXPECT_NEAR(result.coefficients(3, 0), -0.5, 0.02);
  EXPECT_EQ((result.coefficients.col(1).array() != 0).count(), 1);
}

TEST(Sindy, BruntonsLorenzWithHigherDegree) {
  SindyOptions options;
  options.library.degree = 3;
  options.sparse.method = SparseMethod::brunton;
  options.sparse.threshold = 0.025;
  options.derivative.order = 8;
  const SindyModel model = identify_sindy(lorenz(0.01, 5000), options);
  EXPECT_EQ(terms(model), 7);
  EXPECT_NEAR(coefficient(model, "x", 1), 28, 1e-3);
  EXPECT_NEAR(coefficient(model, "z", 2), -8.0 / 3, 1e-3);
}

TEST(Sindy, ForecastMatchesTheSystem) {
  const Dataset data = lorenz(0.01, 3000);
  SindyOptions options;
  options.derivative.order = 10;
  const SindyModel model = identify_sindy(data, options);
  const Matrix truth = data.runs[0].states.middleRows(1, 500);
  const Matrix forecast = model.forecast(data.runs[0].states.topRows(1), 500);
  EXPECT_GT(valid_samples(forecast, truth, 1.0), 400);
  EXPECT_GT(model.cost().operations, 100);
  EXPECT_EQ(model.cost().parameters, 7);
}

TEST(Sindy, RunsOfUnequalLengths) {
  Dataset data = lorenz(0.002, 700);
  data.runs.push_back(lorenz(0.002, 40, Vector{{5, -3, 20}}).runs[0]);
  data.runs.push_back(lorenz(0.002, 3, Vector{{1, 1, 1}}).runs[0]);
  const SindyModel model = identify_sindy(data, {});
  EXPECT_EQ(terms(model), 7);
  EXPECT_NEAR(coefficient(model, "x", 1), 28, 0.02);
}

TEST(Sindy, MapOfTheNextSample) {
  // The Hénon map.
  Matrix states(200, 2);
  states.row(0) << 0.1, 0.2;
  for (Eigen::Index k = 0; k + 1 < 200; ++k) {
    states.row(k + 1) << 1 - 1.4 * states(k, 0) * states(k, 0) + states(k, 1), 0.3 * states(k, 0);
  }
  SindyOptions options;
  options.form = SindyForm::map;
  options.sparse.ridge = 1e-6;
  const SindyModel model = identify_sindy({{"x", "y"}, {}, 1, {{states}}}, options);
  EXPECT_EQ(model.equations(6), (std::vector<std::string>{"x[k+1] = 1 + 1 y - 1.4 x^2", "y[k+1] = 0.3 x"}));
  const Matrix forecast = model.forecast(states.topRows(10), 15);
  EXPECT_LT((forecast - states.middleRows(10, 15)).cwiseAbs().maxCoeff(), 1e-9);
  const Matrix far = model.forecast(Matrix{{100.0, 100.0}}, 30);
  EXPECT_TRUE(std::isfinite(far(0, 0)));
  EXPECT_TRUE(std::isnan(far(29, 0)));
}

Dataset noisy_lorenz(double noise) {
  Dataset data = lorenz(0.002, 5000);
  Random random(3);
  data.runs[0].states += noise * Matrix::NullaryExpr(5000, 3, [&] { return random.normal(); });
  return data;
}

TEST(Sindy, WeakFormBearsNoise) {
  const Dataset data = noisy_lorenz(0.2);
  SindyOptions options;
  options.sparse.threshold = 0.3;
  const SindyModel plain = identify_sindy(data, options);
  options.form = SindyForm::weak;
  const SindyModel weak = identify_sindy(data, options);
  EXPECT_EQ(terms(weak), 7);
  EXPECT_NEAR(coefficient(weak, "x", 1), 28, 0.5);
  EXPECT_LT(std::abs(coefficient(weak, "x", 1) - 28), std::abs(coefficient(plain, "x", 1) - 28));
}

TEST(Sindy, WeakFormIsExactWithoutNoise) {
  SindyOptions options;
  options.form = SindyForm::weak;
  options.sparse.ridge = 0;
  const SindyModel weak = identify_sindy(lorenz(0.002, 5000), options);
  EXPECT_EQ(terms(weak), 7);
  EXPECT_NEAR(coefficient(weak, "x", 1), 28, 1e-6);
  EXPECT_NEAR(coefficient(weak, "x y", 2), 1, 1e-7);
}

TEST(Sindy, EnsembleGivesInclusionAndDeviation) {
  SindyOptions options;
  options.bags = 20;
  options.dropped = 2;
  options.sparse.threshold = 0.3;
  options.derivative.method = Differentiation::savitzky_golay;
  options.derivative.window = 31;
  const Dataset data = noisy_lorenz(0.02);
  const SindyModel model = identify_sindy(data, options);
  EXPECT_EQ(terms(model), 7);
  EXPECT_NEAR(coefficient(model, "x", 1), 28, 0.5);
  EXPECT_GE(model.report().inclusion.minCoeff(), 0);
  EXPECT_EQ(model.report().inclusion(1, 0), 1);
  EXPECT_GT(model.report().deviation(1, 0), 0);
  EXPECT_TRUE(identify_sindy(data, options).coefficients() == model.coefficients());
}

TEST(Sindy, SweepChoosesASparseModel) {
  SindyOptions options;
  options.sweep = true;
  const SindyModel model = identify_sindy(lorenz(0.002, 5000), options);
  EXPECT_EQ(terms(model), 7);
  EXPECT_EQ(model.report().sweep.size(), 31U);
  EXPECT_GT(model.options().sparse.threshold, 0.001);
}

TEST(Sindy, CustomAndFourierFeatures) {
  const auto field = [](const std::vector<double>& x, std::vector<double>& d, double) {
    d[0] = x[1];
    d[1] = -std::sin(x[0]) - 0.15 * x[1] * std::abs(x[1]);
  };
  SindyOptions options;
  options.library.degree = 1;
  options.library.frequencies = 1;
  options.library.custom = {"w*abs(w)"};
  options.derivative.order = 6;
  const Matrix states = flow_samples(field, Vector{{2.0, 0.5}}, 0.02, 1500);
  const SindyModel model = identify_sindy({{"th", "w"}, {}, 0.02, {{states}}}, options);
  EXPECT_EQ(model.equations(4), (std::vector<std::string>{"th' = 1 w", "w' = -1 sin(1 th) - 0.15 (w*abs(w))"}));
}

TEST(Sindy, ADivergingForecastEndsInNan) {
  // x' = x² leaves all bounds at t = 1.
  const auto field = [](const std::vector<double>& x, std::vector<double>& d, double) { d[0] = x[0] * x[0]; };
  const Matrix states = flow_samples(field, Vector{{0.5}}, 0.01, 150);
  SindyOptions options;
  options.derivative.order = 6;
  const SindyModel model = identify_sindy({{"x"}, {}, 0.01, {{states}}}, options);
  const Matrix forecast = model.forecast(Matrix{{1.0}}, 300);
  EXPECT_NEAR(forecast(49, 0), 2, 1e-3);
  EXPECT_TRUE(std::isnan(forecast(120, 0)));
  EXPECT_TRUE(std::isnan(forecast(299, 0)));
}

TEST(Sindy, ASavedModelForecastsTheSame) {
  const Dataset data = driven_lorenz();
  const SindyModel model = identify_sindy(data, {});
  const Json json = parse_json(to_text(model.to_json()), "model.json");
  EXPECT_EQ(json.begin().key(), "method");
  const ModelPtr again = load_sindy(json, "model.json");
  const Matrix past = data.runs[0].states.topRows(3), controls = data.runs[0].controls.middleRows(2, 50);
  EXPECT_TRUE(again->forecast(past, 50, controls) == model.forecast(past, 50, controls));
  EXPECT_EQ(again->cost().operations, model.cost().operations);
  EXPECT_EQ(again->describe().front(), model.describe().front());
  Json wrong = json;
  wrong["coefficients"].erase(0);
  EXPECT_ERROR(load_sindy(wrong, "model.json"),
               "model.json: coefficients has 14 rows of 3 where the library has 15 features and the model 3 coordinates");
  wrong["method"] = "dmd";
  EXPECT_ERROR(load_sindy(wrong, "model.json"), "model.json: method is 'dmd', not 'sindy'");
}

TEST(Sindy, Errors) {
  const Dataset data = driven_lorenz();
  SindyOptions options;
  options.sweep = true;
  options.bags = 5;
  EXPECT_ERROR(identify_sindy(data, options),
               "an ensemble and a sweep of thresholds cannot be had in one fit: sweep first, then give the ensemble the "
               "threshold");
  options.sweep = false;
  options.dropped = 20;
  EXPECT_ERROR(identify_sindy(data, options), "20 features cannot be left out of a library of 15");
  EXPECT_ERROR(fit_sindy(lorenz(0.002, 2), {}), "run 1 has 2 samples; at least 3 are needed");
  SindyOptions weak;
  weak.form = SindyForm::weak;
  EXPECT_ERROR(fit_sindy(lorenz(0.002, 50), weak), "run 1 has 50 samples; at least 101 are needed");
  SindyOptions sweep;
  sweep.sweep = true;
  sweep.validation = 0.05;
  EXPECT_ERROR(fit_sindy(lorenz(0.002, 5), sweep), "the runs are too short to keep a share of 0.05 for validation");
  EXPECT_ERROR(fit_sindy(data, {})->forecast(data.runs[0].states, 5),
               "the sindy model needs 5 rows of 1 controls for 5 steps, there are 0 rows of 0");
}

}  // namespace
}  // namespace filigree::dynamics
