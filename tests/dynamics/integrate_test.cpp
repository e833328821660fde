#include <cmath>

#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/json.h"
#include "dynamics/integrate.h"
#include "support/expect_error.h"

namespace filigree::dynamics {
namespace {

/// x'' = -x as two coordinates.
void oscillator(double, const double* s, double* o) {
  o[0] = s[1];
  o[1] = -s[0];
}

/// van der Pol's oscillator with mu = 1000: stiff.
void stiff(double, const double* s, double* o) {
  o[0] = s[1];
  o[1] = 1000 * (1 - s[0] * s[0]) * s[1] - s[0];
}

/// Largest error of cos t over 21 samples.
double oscillator_error(const IntegrateOptions& options) {
  const Matrix found = integrate(oscillator, Vector{{1.0, 0.0}}, {0, 0.5, 21}, options, "oscillator");
  double error = 0;
  for (Eigen::Index i = 0; i < found.rows(); ++i) {
    const double t = 0.5 * static_cast<double>(i);
    error = std::max({error, std::abs(found(i, 0) - std::cos(t)), std::abs(found(i, 1) + std::sin(t))});
  }
  return error;
}

TEST(Integrate, AdaptiveMethodsKeepTheirTolerance) {
  EXPECT_LT(oscillator_error({}), 1e-9);
  EXPECT_LT(oscillator_error({.solver = Solver::fehlberg78, .relative = 1e-13, .absolute = 1e-13}), 1e-12);
  EXPECT_LT(oscillator_error({.solver = Solver::dormand_prince}), 1e-8);
  EXPECT_LT(oscillator_error({.relative = 1e-6, .absolute = 1e-6}), 1e-4);
  EXPECT_LT(oscillator_error({.solver = Solver::rosenbrock, .relative = 1e-9, .absolute = 1e-9}), 1e-6);
}

TEST(Integrate, FixedMethodsHaveTheirOrder) {
  const auto ratio = [](Solver solver) {
    return std::log2(oscillator_error({.solver = solver, .substeps = 64}) /
                     oscillator_error({.solver = solver, .substeps = 128}));
  };
  EXPECT_NEAR(ratio(Solver::runge_kutta4), 4, 0.05);
  EXPECT_NEAR(ratio(Solver::euler), 1, 0.1);
}

TEST(Integrate, TheRosenbrockMethodHasOrderFour) {
  // With the tolerance on the local error of order 4, the error falls as its 4th power over the steps, which grow as its
  // 1/4th power; so a tolerance 10^4 times smaller gives an error about 10^4 times smaller.
  const double coarse = oscillator_error({.solver = Solver::rosenbrock, .relative = 1e-5, .absolute = 1e-5});
  const double fine = oscillator_error({.solver = Solver::rosenbrock, .relative = 1e-9, .absolute = 1e-9});
  EXPECT_GT(coarse / fine, 1e3);
}

TEST(Integrate, ExplicitTimeIsPassedOn) {
  const Flow flow = [](double t, const double*, double* o) { o[0] = 3 * t * t; };
  for (const Solver solver : {Solver::dormand_prince, Solver::fehlberg78, Solver::rosenbrock, Solver::runge_kutta4}) {
    const Matrix found = integrate(flow, Vector{{1.0}}, {1, 0.25, 5}, {.solver = solver}, "cube");
    EXPECT_NEAR(found(4, 0), 8, 1e-8) << enum_name(solver);
  }
}

TEST(Integrate, TheRosenbrockMethodManagesAStiffSystem) {
  const IntegrateOptions options{.solver = Solver::rosenbrock, .relative = 1e-7, .absolute = 1e-7};
  // The period of the relaxation oscillation is about (3 - 2 log 2) mu = 1614.
  const Matrix found = integrate(stiff, Vector{{2.0, 0.0}}, {0, 100, 18}, options, "van der Pol");
  EXPECT_TRUE(found.allFinite());
  EXPECT_LT(found.col(0).cwiseAbs().maxCoeff(), 2.1);
  EXPECT_NEAR(found(5, 0), 1.6, 0.2);
}

TEST(Integrate, AStiffSystemStopsAnExplicitMethodWithASentence) {
  try {  // how far it comes differs a little between compilers
    static_cast<void>(integrate(stiff, Vector{{2.0, 0.0}}, {0, 100, 3},
                                {.solver = Solver::fehlberg78, .max_steps = 1000}, "van der Pol"));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string sentence = error.what();
    EXPECT_TRUE(sentence.starts_with("van der Pol: more than 1000 steps are needed for the sample after time 1.0") ||
                sentence.starts_with("van der Pol: more than 1000 steps are needed for the sample after time 0.9"))
        << sentence;
    EXPECT_TRUE(
        sentence.ends_with("; the system may be stiff there (try the rosenbrock solver), nearly singular, or "
                           "the tolerance too tight"))
        << sentence;
  }
  EXPECT_THROW(static_cast<void>(integrate(stiff, Vector{{2.0, 0.0}}, {0, 100, 3},
                                           {.solver = Solver::dormand_prince, .max_steps = 1000}, "van der Pol")),
               Error);
}

TEST(Integrate, ASolutionThatEndsIsNamed) {
  // x' = x² from 1 is infinite at time 1.
  const Flow flow = [](double, const double* s, double* o) { o[0] = s[0] * s[0]; };
  for (const Solver solver : {Solver::dormand_prince, Solver::fehlberg78, Solver::rosenbrock}) {
    try {
      static_cast<void>(integrate(flow, Vector{{1.0}}, {0, 0.5, 5}, {.solver = solver}, "square"));
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("square: "), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("at time 1;"), std::string::npos) << error.what();
    }
  }
  EXPECT_ERROR(
      integrate(flow, Vector{{1.0}}, {0, 0.5, 50}, {.solver = Solver::euler}, "square"),
      "square: the solution leaves all bounds at time 4; start elsewhere, change the parameters or stop earlier");
}

TEST(Integrate, AnUndefinedSlopeIsNamed) {
  const Flow flow = [](double, const double* s, double* o) { o[0] = std::sqrt(s[0]) - 2; };
  for (const Solver solver : {Solver::dormand_prince, Solver::fehlberg78, Solver::rosenbrock, Solver::runge_kutta4}) {
    EXPECT_THROW(static_cast<void>(integrate(flow, Vector{{1.0}}, {0, 1, 4}, {.solver = solver}, "root")), Error)
        << enum_name(solver);
  }
}

TEST(Integrate, RefusesAnEmptyGrid) {
  EXPECT_ERROR(integrate(oscillator, Vector{{1.0, 0.0}}, {0, 0, 5}, {}, "oscillator"),
               "oscillator: the time step must be finite and greater than 0, not 0");
  EXPECT_ERROR(integrate(oscillator, Vector{{1.0, 0.0}}, {0, 1, 0}, {}, "oscillator"),
               "oscillator: the number of samples must be at least 1, not 0");
  EXPECT_ERROR(integrate(oscillator, Vector{{NAN, 0.0}}, {0, 1, 3}, {}, "oscillator"),
               "oscillator: the solution leaves all bounds at time 0; start elsewhere, change the parameters or stop "
               "earlier");
}

TEST(Integrate, StopsWhenCancelled) {
  request_cancel();
  EXPECT_ERROR(integrate(oscillator, Vector{{1.0, 0.0}}, {0, 1, 3}, {}, "oscillator"),
               "oscillator: stopped at sample 1 of 3");
  reset_cancel();
}

TEST(Integrate, OptionsAreReadFromJson) {
  const auto options =
      from_json<IntegrateOptions>(parse_json(R"({"solver": "rosenbrock", "relative": 1e-6})", "o"), "o");
  EXPECT_EQ(options.solver, Solver::rosenbrock);
  EXPECT_EQ(options.relative, 1e-6);
}

}  // namespace
}  // namespace filigree::dynamics
