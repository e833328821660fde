#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "dynamics/havok.h"
#include "dynamics/havok_lorenz.h"
#include "lorenz.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// A shorter run of the published setting: 50,000 training and 100,000 test samples.
const HavokLorenzResult& short_run() {
  static const HavokLorenzResult result = [] {
    HavokLorenzOptions options;
    options.training = 50'000;
    options.testing = 100'000;
    return run_havok_lorenz(options);
  }();
  return result;
}

TEST(Havok, OperatorOfLorenzIsNearlySkewSymmetricAndTridiagonal) {
  const HavokModel& model = short_run().model;
  const Matrix& a = model.a();
  ASSERT_EQ(a.rows(), 14);
  EXPECT_LT((a + a.transpose()).norm() / (2 * a.norm()), 0.02);
  double near = 0, all = a.squaredNorm();
  for (Eigen::Index i = 0; i + 1 < 14; ++i) near += a(i, i + 1) * a(i, i + 1) + a(i + 1, i) * a(i + 1, i);
  EXPECT_GT(near / all, 0.999);
  // The forcing acts on its neighbour alone, and its own equation is the worst.
  EXPECT_GT(std::abs(model.b()(13)) / model.b().norm(), 0.99);
  Eigen::Index worst = 0;
  model.unexplained().maxCoeff(&worst);
  EXPECT_EQ(worst, 14);
}

TEST(Havok, MeasuredForcingReproducesTheSeries) { EXPECT_LT(short_run().simulation_error, 0.05); }

TEST(Havok, ModesAreOrthonormalAndCoordinatesToo) {
  const HavokModel& model = short_run().model;
  const Matrix& u = model.modes();
  EXPECT_LT((u.transpose() * u - Matrix::Identity(15, 15)).norm(), 1e-12);
  const Vector x = test::lorenz(0.001, 50'000).runs[0].states.col(0);
  const Matrix v = model.delay_coordinates(x);
  EXPECT_EQ(v.rows(), 50'000 - 99);
  // The smallest of the fifteen singular values is some 1e-9 of the largest, and v loses as many digits.
  EXPECT_LT((v.transpose() * v - Matrix::Identity(15, 15)).norm(), 1e-5);
  EXPECT_LT((model.newest_samples(v) - x.tail(v.rows())).norm() / x.norm(), 1e-6);
}

TEST(Havok, ForcingAnnouncesSwitches) {
  const SwitchAlarms& alarms = short_run().alarms;
  // 605 of 1,000 units of time in the paper: some 60 in 100.
  EXPECT_GT(alarms.switches, 40);
  EXPECT_LT(alarms.switches, 80);
  EXPECT_GT(short_run().histogram_threshold, 0);
  EXPECT_GT(short_run().histogram_alarms.hit_rate, short_run().histogram_alarms.coverage);
}

TEST(Havok, FirstOrderHoldIsExactForLinearForcing) {
  // One delay coordinate of a slow sine; v' = a v + b f has a closed solution for f = t.
  Matrix states(400, 1);
  for (Eigen::Index k = 0; k < 400; ++k) states(k, 0) = std::sin(0.1 * static_cast<double>(k)) + 0.3 * std::cos(0.23 * static_cast<double>(k));
  HavokOptions options;
  options.window = 20;
  options.rank = 2;
  const HavokModel model = identify_havok({{"x"}, {}, 0.5, {{states}}}, options);
  const double a = model.a()(0, 0), b = model.b()(0);
  const Vector forcing = Vector::LinSpaced(50, 0, 24.5);
  const Matrix v = model.simulate_with_forcing(Vector{{0.7}}, forcing);
  for (Eigen::Index k = 0; k < 50; ++k) {
    const double t = forcing(k);
    // v = e^{at} v0 + b (e^{at} - 1 - at) / a².
    const double exact = std::exp(a * t) * 0.7 + b * (std::expm1(a * t) - a * t) / (a * a);
    EXPECT_NEAR(v(k, 0), exact, 1e-9 * std::max(1.0, std::abs(exact))) << k;
  }
  EXPECT_ERROR(model.simulate_with_forcing(Vector::Zero(2), forcing),
               "the havok model starts from 1 delay coordinates, not 2");
}

TEST(Havok, ThresholdOfTheHistogram) {
  // Values 0.5, 1.5, … 49.5 - 25: bins of width 0.98; 4 % in the tails are two values, one a side.
  Vector forcing(50);
  for (Eigen::Index i = 0; i < 50; ++i) forcing(i) = static_cast<double>(i) - 24.5;
  EXPECT_NEAR(forcing_threshold(forcing, 0.04), 24.5 - 0.49, 1e-12);
  EXPECT_NEAR(forcing_threshold(forcing, 0.08), 24.5 - 1.47, 1e-12);
  EXPECT_EQ(forcing_threshold(Vector::Constant(4, -2), 0.01), 2);
}

TEST(Havok, AlarmsAreCounted) {
  Vector series = Vector::Ones(100);
  series.segment(20, 40).setConstant(-1);
  const std::vector<Eigen::Index> switches = lobe_switches(series);
  EXPECT_EQ(switches, (std::vector<Eigen::Index>{20, 60}));
  Vector forcing = Vector::Zero(100);
  forcing(15) = 1;
  forcing(17) = -1;  // one burst with the one before
  forcing(80) = 1;   // nothing follows
  const SwitchAlarms alarms = judge_alarms(forcing, switches, {0.5, 10, 3});
  EXPECT_EQ(alarms.bursts, 2);
  EXPECT_EQ(alarms.false_alarms, 1);
  EXPECT_EQ(alarms.announced, 1);
  EXPECT_DOUBLE_EQ(alarms.hit_rate, 0.5);
  EXPECT_DOUBLE_EQ(alarms.false_rate, 0.5);
  EXPECT_DOUBLE_EQ(alarms.coverage, (13 + 11) / 100.0);
  EXPECT_DOUBLE_EQ(alarms.warning, 5);
}

TEST(Havok, ASavedModelIsTheSame) {
  const HavokModel& model = short_run().model;
  const Json json = parse_json(to_text(model.to_json()), "model.json");
  EXPECT_EQ(json.begin().key(), "method");
  const HavokModel again = havok_from_json(json, "model.json");
  const Vector start = Vector::Ones(14), forcing = Vector::LinSpaced(20, 0, 1);
  EXPECT_TRUE(again.simulate_with_forcing(start, forcing) == model.simulate_with_forcing(start, forcing));
  EXPECT_EQ(again.describe(), model.describe());
  Json wrong = json;
  wrong["modes"].erase(0);
  EXPECT_ERROR(load_havok(wrong, "model.json"),
               "model.json: the sizes of modes, regression, singular_values, unexplained and names do not fit one another");
  wrong["method"] = "dmd";
  EXPECT_ERROR(load_havok(wrong, "model.json"), "model.json: method is 'dmd', not 'havok'");
}

TEST(Havok, Errors) {
  EXPECT_ERROR(short_run().model.forecast(Matrix::Zero(200, 1), 10),
               "havok cannot forecast: its linear system is driven by the forcing v15, whose future the past does not tell; "
               "use it for analysis and alarms, or simulate with a measured forcing");
  EXPECT_ERROR(short_run().model.delay_coordinates(Vector::Zero(50)),
               "the havok model needs series of at least 100 samples, not 50");
  const Dataset data = test::lorenz(0.001, 500);
  HavokOptions options;
  options.coordinate = 3;
  EXPECT_ERROR(fit_havok(data, options), "havok was asked for coordinate 3; the data has 3, counted from 0");
  options = {};
  options.rank = 101;
  EXPECT_ERROR(fit_havok(data, options), "the rank 101 must not exceed the window of 100 samples");
  options.rank = 1;
  EXPECT_ERROR(fit_havok(data, options), "havok needs a rank of at least 2: one coordinate and its forcing");
  options.rank = 15;
  EXPECT_ERROR(fit_havok(test::lorenz(0.001, 110), options), "run 1 has 110 samples; at least 123 are needed");
  const Dataset constant{{"x"}, {}, 1, {{Matrix::Ones(500, 1)}}};
  EXPECT_ERROR(fit_havok(constant, options),
               "the series of x has fewer than 15 delay coordinates: give a smaller rank or a longer window");
  Dataset driven = data;
  driven.control_names = {"u"};
  EXPECT_ERROR(fit_havok(driven, {}), "havok finds its own forcing and takes no controls; the data has 1");
}

}  // namespace
}  // namespace filigree::dynamics
