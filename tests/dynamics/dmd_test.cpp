#include <algorithm>
#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include "base/random.h"
#include "dynamics/dmd.h"
#include "dynamics/metrics.h"
#include "dynamics/optimised_dmd.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// Two decaying oscillations, seen through a random matrix of `rows` coordinates.
Dataset oscillations(Eigen::Index rows, Eigen::Index samples, double noise = 0, double dt = 0.1) {
  Random random(4);
  const Matrix look = Matrix::NullaryExpr(rows, 4, [&] { return random.normal(); });
  Dataset data;
  data.dt = dt;
  for (Eigen::Index i = 0; i < rows; ++i) data.names.push_back(fmt::format("x{}", i));
  Matrix states(samples, rows);
  for (Eigen::Index k = 0; k < samples; ++k) {
    const double t = static_cast<double>(k) * dt;
    const Vector z{{std::exp(-0.1 * t) * std::cos(2 * t), std::exp(-0.1 * t) * std::sin(2 * t),
                    0.5 * std::exp(-0.02 * t) * std::cos(5 * t), 0.5 * std::exp(-0.02 * t) * std::sin(5 * t)}};
    states.row(k) = (look * z).transpose();
  }
  for (double& value : states.reshaped()) value += noise * random.normal();
  data.runs.push_back({states});
  return data;
}

/// Largest distance of the true rates from the nearest that was found.
double rate_error(const DmdSpectrum& spectrum) {
  double worst = 0;
  for (const Complex rate : {Complex(-0.1, 2), Complex(-0.1, -2), Complex(-0.02, 5), Complex(-0.02, -5)}) {
    worst = std::max(worst, (spectrum.rates.array() - rate).abs().minCoeff());
  }
  return worst;
}

DmdOptions of(DmdVariant variant, int rank = 4) {
  DmdOptions options;
  options.variant = variant;
  options.rank.rank = rank;
  options.trials = 20;
  return options;
}

constexpr DmdVariant kAll[] = {DmdVariant::exact,            DmdVariant::projected, DmdVariant::total,
                               DmdVariant::forward_backward, DmdVariant::optimised, DmdVariant::bagged};

TEST(Dmd, EveryVariantFindsTheRatesOfCleanData) {
  for (const DmdVariant variant : kAll) {
    for (const Eigen::Index rows : {6, 60}) {
      const Dataset data = oscillations(rows, 80);
      const DmdModel model = identify_dmd(data, of(variant));
      EXPECT_LT(rate_error(model.spectrum()), 1e-5) << enum_name(variant) << rows;
      const Matrix forecast = model.forecast(data.runs[0].states.topRows(20), 60);
      EXPECT_LT(root_mean_squared_error(forecast, data.runs[0].states.bottomRows(60)), 1e-4) << enum_name(variant);
      EXPECT_EQ(model.cost().parameters, 4 * rows + 16 + 4 * rows);
    }
  }
}

TEST(Dmd, NoiseIsBorneBetterByTheVariantsMadeForIt) {
  const Dataset data = oscillations(8, 400, 0.1);
  const double exact = rate_error(identify_dmd(data, of(DmdVariant::exact)).spectrum());
  for (const DmdVariant variant :
       {DmdVariant::total, DmdVariant::forward_backward, DmdVariant::optimised, DmdVariant::bagged}) {
    EXPECT_LT(rate_error(identify_dmd(data, of(variant)).spectrum()), 0.5 * exact) << enum_name(variant);
  }
  const DmdModel bagged = identify_dmd(data, of(DmdVariant::bagged));
  ASSERT_EQ(bagged.spectrum().rate_deviation.size(), 4);
  EXPECT_GT(bagged.spectrum().rate_deviation.minCoeff(), 0);
  EXPECT_LT(bagged.spectrum().rate_deviation.maxCoeff(), 0.1);
  EXPECT_NEAR(bagged.spectrum().relative_residual, 0.1, 0.08);
}

TEST(Dmd, DelaysLiftAScalarSeries) {
  Dataset data = oscillations(1, 200);
  DmdOptions options = of(DmdVariant::exact);
  options.delays = 8;
  const DmdModel model = identify_dmd(data, options);
  EXPECT_EQ(model.history(), 8);
  EXPECT_LT(rate_error(model.spectrum()), 1e-6);
  const Matrix forecast = model.forecast(data.runs[0].states.topRows(50), 150);
  EXPECT_LT(root_mean_squared_error(forecast, data.runs[0].states.bottomRows(150)), 1e-7);
  EXPECT_ERROR(model.forecast(data.runs[0].states.topRows(7), 1),
               "the dmd model needs 8 samples before the forecast, there are 7");
}

TEST(Dmd, RunsOfUnequalLengthsShareTheOperator) {
  for (const DmdVariant variant : kAll) {
    Dataset data = oscillations(6, 120);
    Trajectory& run = data.runs[0];
    const Matrix all = run.states;
    run.states = all.topRows(30);
    data.runs.push_back({all.middleRows(50, 12)});
    data.runs.push_back({all.bottomRows(40)});
    EXPECT_LT(rate_error(identify_dmd(data, of(variant)).spectrum()), 1e-5) << enum_name(variant);
  }
}

TEST(Dmd, ControlIsToldFromTheSystem) {
  Random random(6);
  const Matrix a{{0.9, 0.2}, {-0.1, 0.8}}, b{{0.5}, {-1.0}};
  Dataset data{{"x", "y"}, {"u"}, 1, {}};
  for (const Eigen::Index samples : {40, 15}) {
    Trajectory run{Matrix(samples, 2), Matrix::NullaryExpr(samples, 1, [&] { return random.normal(); })};
    run.states.row(0) << 1, -1;
    for (Eigen::Index k = 0; k + 1 < samples; ++k) {
      run.states.row(k + 1) = (a * run.states.row(k).transpose() + b * run.controls.row(k).transpose()).transpose();
    }
    data.runs.push_back(run);
  }
  const DmdModel model = identify_dmd(data, {});
  const Matrix basis = model.linear().encode;
  EXPECT_LT((basis.transpose() * model.linear().step * basis - a).norm(), 1e-12);
  EXPECT_LT((basis.transpose() * model.linear().drive - b).norm(), 1e-12);
  const Trajectory& run = data.runs[0];
  const Matrix forecast = model.forecast(run.states.topRows(11), 20, run.controls.middleRows(10, 20));
  EXPECT_LT((forecast - run.states.middleRows(11, 20)).norm(), 1e-11);
  EXPECT_ERROR(model.forecast(run.states, 3), "the dmd model needs 3 rows of 1 controls for 3 steps, there are 0 rows of 0");
  EXPECT_ERROR(identify_dmd(data, of(DmdVariant::total)),
               "dmd with control exists for the variants exact and projected, not for total");
}

TEST(OptimisedDmd, GradientIsThatOfTheSquaredResidual) {
  // For a real residual function f of complex α: df = 2 Re(conj(-g) dα), g = Jᴴ r with J the negative derivative.
  Random random(8);
  ExponentialProblem problem;
  for (const Eigen::Index samples : {20, 13}) {
    problem.runs.push_back({Vector::LinSpaced(samples, 0, 2), Matrix::NullaryExpr(samples, 3, [&] { return random.normal(); })});
  }
  const ComplexVector rates{{Complex(-0.3, 1), Complex(0.2, -2), Complex(-0.1, 0.4)}};
  const auto squared = [&](const ComplexVector& at) {
    return std::pow(fit_coefficients(problem, at).relative_residual, 2) * problem.squared_norm();
  };
  const ComplexVector gradient = exponential_gradient(problem, rates);
  constexpr double h = 1e-6;
  for (Eigen::Index j = 0; j < rates.size(); ++j) {
    for (const Complex direction : {Complex(1, 0), Complex(0, 1)}) {
      ComplexVector up = rates, down = rates;
      up(j) += h * direction;
      down(j) -= h * direction;
      EXPECT_NEAR((squared(up) - squared(down)) / (2 * h), -2 * (std::conj(gradient(j)) * direction).real(), 1e-6);
    }
  }
}

TEST(OptimisedDmd, RulesHold) {
  const Dataset data = oscillations(6, 60, 0.05);
  DmdOptions options = of(DmdVariant::optimised);
  options.eigenvalues = EigenvalueRule::imaginary;
  EXPECT_LT(identify_dmd(data, options).spectrum().rates.real().cwiseAbs().maxCoeff(), 1e-15);
  options.eigenvalues = EigenvalueRule::stable;
  EXPECT_LE(identify_dmd(data, options).spectrum().rates.real().maxCoeff(), 0);
}

TEST(SingularRank, GavishDonohoFactors) {
  // Gavish, Donoho 2014: ω(1) = 2.858, and table IV; the cubic is stated to be within 0.02.
  EXPECT_NEAR(gavish_donoho_factor(1), 2.8582, 1e-4);
  EXPECT_NEAR(gavish_donoho_factor(0.5), 2.1711, 1e-4);
  EXPECT_NEAR(gavish_donoho_factor(0.05), 1.5066, 1e-4);
  EXPECT_NEAR(marchenko_pastur_median(1e-6), 1, 1e-5);
  for (double beta = 0.05; beta <= 1; beta += 0.05) {
    EXPECT_NEAR(gavish_donoho_factor(beta), gavish_donoho_factor_approximate(beta), 0.02) << beta;
  }
}

TEST(SingularRank, Rules) {
  const Vector values{{10, 5, 1, 0.1, 0.1, 0.1, 0.1}};
  RankOptions options;
  EXPECT_EQ(choose_rank(values, 7, 7, options), 7);
  options.rank = 3;
  EXPECT_EQ(choose_rank(values, 7, 7, options), 3);
  options.rank = 30;
  EXPECT_EQ(choose_rank(values, 7, 7, options), 7);
  options.rule = RankRule::energy;
  options.energy = 0.98;
  EXPECT_EQ(choose_rank(values, 7, 7, options), 2);
  options.rule = RankRule::gavish_donoho;
  EXPECT_EQ(choose_rank(values, 7, 7, options), 3);
  EXPECT_EQ(choose_rank(Vector{{1, 1, 1}}, 3, 3, options), 1);
  EXPECT_EQ(choose_rank(Vector{{1, 1e-17}}, 2, 2, {}), 1);
}

TEST(Dmd, RankByGavishDonohoSeesTheFourDirections) {
  DmdOptions options;
  options.rank.rule = RankRule::gavish_donoho;
  const DmdModel model = identify_dmd(oscillations(40, 200, 0.01), options);
  EXPECT_EQ(model.linear().step.rows(), 4);
  EXPECT_EQ(model.spectrum().singular_values.size(), 40);
}

TEST(Dmd, DescribesItsModes) {
  const DmdModel model = identify_dmd(oscillations(2, 100), [] {
    DmdOptions options = of(DmdVariant::projected);
    options.delays = 4;
    return options;
  }());
  const auto lines = model.describe();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "variant projected, rank 4, 4 delays");
  const std::string both = lines[1] + lines[2];
  EXPECT_NE(both.find("growth rate -0.1, frequency 0.31831"), std::string::npos) << both;
  EXPECT_NE(both.find("growth rate -0.02, frequency 0.795775"), std::string::npos) << both;
  EXPECT_NE(both.find("; mode x0 "), std::string::npos) << both;
}

TEST(Dmd, ASavedModelForecastsTheSame) {
  for (const DmdVariant variant : {DmdVariant::exact, DmdVariant::bagged}) {
    const Dataset data = oscillations(6, 80, 0.01);
    DmdOptions options = of(variant);
    options.delays = 2;
    const DmdModel model = identify_dmd(data, options);
    const Json json = parse_json(to_text(model.to_json()), "model.json");
    EXPECT_EQ(json.begin().key(), "method");
    const ModelPtr again = load_dmd(json, "model.json");
    const Matrix past = data.runs[0].states.topRows(3);
    EXPECT_TRUE(again->forecast(past, 40) == model.forecast(past, 40));
    EXPECT_EQ(again->describe(), model.describe());
    Json wrong = json;
    wrong["encode"].erase(0);
    EXPECT_ERROR(load_dmd(wrong, "model.json"), "model.json: encode has 3 rows of 12; expected 4 of 12");
    wrong = json;
    wrong["modes"] = Json::parse("[[1, 2, 3]]");
    EXPECT_ERROR(load_dmd(wrong, "model.json"), "model.json: modes has rows of 3 numbers; expected 30");
    wrong["method"] = "sindy";
    EXPECT_ERROR(load_dmd(wrong, "model.json"), "model.json: method is 'sindy', not 'dmd'");
  }
}

TEST(Dmd, Errors) {
  const Dataset zero{{"x"}, {}, 1, {{Matrix::Zero(10, 1)}}};
  EXPECT_ERROR(fit_dmd(zero, {}), "dmd needs data that is not zero throughout");
  DmdOptions options = of(DmdVariant::optimised, 3);
  options.delays = 8;
  EXPECT_ERROR(fit_dmd(oscillations(1, 10), options),
               "run 1 gives 3 snapshots; a fit of 2 exponentials needs more than that");
  options.delays = 20;
  EXPECT_ERROR(fit_dmd(oscillations(1, 10), options), "run 1 has 10 samples; at least 21 are needed");
}

}  // namespace
}  // namespace filigree::dynamics
