#include "dynamics/integrate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include <Eigen/LU>
#include <boost/numeric/odeint/stepper/controlled_runge_kutta.hpp>
#include <boost/numeric/odeint/stepper/euler.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta4.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_dopri5.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>

#include "base/cancel.h"
#include "base/error.h"

namespace filigree::dynamics {
namespace {

namespace odeint = boost::numeric::odeint;
using State = std::vector<double>;

/// What every method is given and must watch.
struct Problem {
  const Flow& flow;
  const IntegrateOptions& options;
  const std::string& system;

  template <class Range>
  void check(const Range& state, double time) const {
    for (const double value : state) {
      if (std::abs(value) <= options.bound) continue;
      fail("{}: the solution leaves all bounds at time {:.6g}; start elsewhere, change the parameters or stop earlier",
           system, time);
    }
  }

  void check_steps(std::int64_t steps, double time) const {
    if (steps <= options.max_steps) return;
    fail(
        "{}: more than {} steps are needed for the sample after time {:.6g}; the system may be stiff there (try the "
        "rosenbrock solver), nearly singular, or the tolerance too tight",
        system, options.max_steps, time);
  }

  /// Below this length, time no longer moves.
  void check_length(double step, double time) const {
    if (std::abs(step) > 4 * std::numeric_limits<double>::epsilon() * std::abs(time) && step > 1e-300) return;
    fail("{}: the step becomes too small to move on at time {:.6g}; the solution may not exist beyond it", system,
         time);
  }
};

/// A method on its way.
class Walker {
 public:
  virtual ~Walker() = default;

  /// Moves the state from time `from` to `to`.
  virtual void walk(State& state, double from, double to) = 0;
};

/// One of odeint's methods with fixed steps.
template <class Stepper>
class FixedWalker : public Walker {
 public:
  explicit FixedWalker(const Problem& problem) : problem_(problem) {}

  void walk(State& state, double from, double to) override {
    const auto system = [this](const State& x, State& dx, double t) { problem_.flow(t, x.data(), dx.data()); };
    const double step = (to - from) / problem_.options.substeps;
    for (int i = 0; i < problem_.options.substeps; ++i) {
      stepper_.do_step(system, state, from + i * step, step);
      problem_.check(state, from + (i + 1) * step);
    }
  }

 private:
  const Problem& problem_;
  Stepper stepper_;
};

/// Times that a walk begins and ends at.
struct Stretch {
  double from, to;
};

/// Steps whose length the method controls, the last one ending at the wanted time. Try is a callable that behaves as
/// odeint's try_step: it moves state and time or refuses, and proposes the next length.
template <class Try>
void walk_controlled(const Problem& problem, State& state, Stretch stretch, double& length, Try try_step) {
  const auto [from, to] = stretch;
  double time = from;
  if (!(length > 0)) length = (to - from) / 16;
  for (std::int64_t steps = 1; time < to; ++steps) {
    problem.check_steps(steps, time);
    const double left = to - time;
    const bool last = length >= left;
    double step = last ? left : length;
    const double tried = step;
    if (try_step(state, time, step) == odeint::success) {
      problem.check(state, time);
      if (last) time = to;
      // A step cut short says little about how long the next may be.
      length = last ? std::max(length, step) : step;
    } else {
      // A comparison that NaN fails: an undefined error estimate also asks for a shorter step.
      length = step < tried ? step : tried / 10;
      problem.check_length(length, time);
    }
  }
}

class FehlbergWalker : public Walker {
 public:
  explicit FehlbergWalker(const Problem& problem)
      : problem_(problem),
        stepper_(odeint::make_controlled(problem.options.absolute, problem.options.relative, Stepper())) {}

  void walk(State& state, double from, double to) override {
    const auto system = [this](const State& x, State& dx, double t) { problem_.flow(t, x.data(), dx.data()); };
    walk_controlled(problem_, state, {from, to}, length_, [&](State& x, double& t, double& step) {
      kept_ = x;
      const double time = t;
      const auto result = stepper_.try_step(system, x, t, step);
      // odeint takes an undefined error for a small one.
      if (std::all_of(x.begin(), x.end(), [](double value) { return std::isfinite(value); })) return result;
      x = kept_;
      t = time;
      step = std::numeric_limits<double>::quiet_NaN();
      return odeint::fail;
    });
  }

 private:
  using Stepper = odeint::runge_kutta_fehlberg78<State>;
  const Problem& problem_;
  typename odeint::result_of::make_controlled<Stepper>::type stepper_;
  State kept_;
  double length_ = 0;
};

class DormandPrinceWalker : public Walker {
 public:
  explicit DormandPrinceWalker(const Problem& problem)
      : problem_(problem),
        stepper_(odeint::make_dense_output(problem.options.absolute, problem.options.relative, Stepper())) {}

  void walk(State& state, double from, double to) override {
    const auto system = [this](const State& x, State& dx, double t) { problem_.flow(t, x.data(), dx.data()); };
    if (!begun_) stepper_.initialize(state, from, (to - from) / 16);
    begun_ = true;
    for (std::int64_t steps = 1; stepper_.current_time() < to; ++steps) {
      const double time = stepper_.current_time();
      problem_.check_steps(steps, time);
      problem_.check_length(stepper_.current_time_step(), time);
      try {
        stepper_.do_step(system);
      } catch (const odeint::odeint_error&) {
        problem_.check_length(0, time);
      }
      problem_.check(stepper_.current_state(), stepper_.current_time());
    }
    stepper_.calc_state(to, state);
  }

 private:
  using Stepper = odeint::runge_kutta_dopri5<State>;
  const Problem& problem_;
  typename odeint::result_of::make_dense_output<Stepper>::type stepper_;
  bool begun_ = false;
};

/// Kaps's and Rentrop's Rosenbrock method of orders 4(3) with Shampine's coefficients (ACM Trans. Math. Software 8, 93,
/// 1982). Boost's own needs ublas, which does not compile as C++20 with the Boost that Debian 12 has.
class RosenbrockWalker : public Walker {
 public:
  RosenbrockWalker(const Problem& problem, Eigen::Index size)
      : problem_(problem),
        point_(size),
        slope_(size),
        time_slope_(size),
        up_(size),
        down_(size),
        jacobian_(size, size) {
    for (Vector& stage : stages_) stage.resize(size);
  }

  void walk(State& state, double from, double to) override {
    Eigen::Map<Vector> values(state.data(), static_cast<Eigen::Index>(state.size()));
    walk_controlled(problem_, state, {from, to}, length_,
                    [&](State&, double& t, double& step) { return try_step(values, t, step); });
  }

 private:
  odeint::controlled_step_result try_step(Eigen::Map<Vector>& values, double& t, double& step) {
    const double h = step;
    differentiate(values, t);
    lu_.compute(Matrix::Identity(values.size(), values.size()) / (0.5 * h) - jacobian_);
    auto& [g1, g2, g3, g4] = stages_;
    problem_.flow(t, values.data(), slope_.data());
    g1 = lu_.solve(slope_ + h * 0.5 * time_slope_);
    point_ = values + 2 * g1;
    problem_.flow(t + h, point_.data(), slope_.data());
    g2 = lu_.solve(slope_ - h * 1.5 * time_slope_ - 8 / h * g1);
    point_ = values + 1.92 * g1 + 0.24 * g2;
    problem_.flow(t + 0.6 * h, point_.data(), slope_.data());
    g3 = lu_.solve(slope_ + h * 2.42 * time_slope_ + (14.88 * g1 + 2.4 * g2) / h);
    g4 = lu_.solve(slope_ + h * 0.116 * time_slope_ - (0.896 * g1 + 0.432 * g2 + 0.4 * g3) / h);
    point_ = values + 19.0 / 9 * g1 + 0.5 * g2 + 25.0 / 108 * g3 + 125.0 / 108 * g4;
    up_ = 17.0 / 54 * g1 + 7.0 / 36 * g2 + 125.0 / 108 * g4;
    const auto scale = problem_.options.absolute + problem_.options.relative * values.array().abs();
    const double error = (up_.array().abs() / scale).maxCoeff();
    if (!point_.allFinite() || !(error <= 1)) {
      step = h * (std::isfinite(error) ? std::clamp(0.9 * std::pow(error, -1.0 / 3), 0.1, 0.5) : 0.1);
      return odeint::fail;
    }
    values = point_;
    t += h;
    step = h * std::min(3.0, 0.9 * std::pow(std::max(error, 1e-12), -0.25));
    return odeint::success;
  }

  /// Central differences; their error is far below what would spoil the method's order.
  void differentiate(const Vector& x, double t) {
    const double small = std::cbrt(std::numeric_limits<double>::epsilon());
    point_ = x;
    for (Eigen::Index j = 0; j < x.size(); ++j) {
      const double shift = small * std::max(std::abs(x[j]), 1e-3);
      point_[j] = x[j] + shift;
      problem_.flow(t, point_.data(), up_.data());
      point_[j] = x[j] - shift;
      problem_.flow(t, point_.data(), down_.data());
      point_[j] = x[j];
      jacobian_.col(j) = (up_ - down_) / (2 * shift);
    }
    const double shift = small * std::max(std::abs(t), 1e-3);
    problem_.flow(t + shift, point_.data(), up_.data());
    problem_.flow(t - shift, point_.data(), down_.data());
    time_slope_ = (up_ - down_) / (2 * shift);
  }

  const Problem& problem_;
  Vector point_, slope_, time_slope_, up_, down_;
  std::array<Vector, 4> stages_;
  Matrix jacobian_;
  Eigen::PartialPivLU<Matrix> lu_;
  double length_ = 0;
};

std::unique_ptr<Walker> make_walker(const Problem& problem, std::size_t size) {
  const IntegrateOptions& options = problem.options;
  Solver solver = options.solver;
  if (solver == Solver::automatic) {
    solver = std::min(options.relative, options.absolute) < 1e-8 ? Solver::fehlberg78 : Solver::dormand_prince;
  }
  switch (solver) {
    case Solver::automatic:
    case Solver::fehlberg78:
      return std::make_unique<FehlbergWalker>(problem);
    case Solver::dormand_prince:
      return std::make_unique<DormandPrinceWalker>(problem);
    case Solver::rosenbrock:
      return std::make_unique<RosenbrockWalker>(problem, static_cast<Eigen::Index>(size));
    case Solver::runge_kutta4:
      return std::make_unique<FixedWalker<odeint::runge_kutta4<State>>>(problem);
    case Solver::euler:
      return std::make_unique<FixedWalker<odeint::euler<State>>>(problem);
  }
  FILIGREE_ASSERT(false);
  return nullptr;
}

}  // namespace

Matrix integrate(const Flow& flow, const Vector& start, const TimeGrid& grid, const IntegrateOptions& options,
                 const std::string& system) {
  if (!(grid.dt > 0) || !std::isfinite(grid.dt) || !std::isfinite(grid.start)) {
    fail("{}: the time step must be finite and greater than 0, not {}", system, grid.dt);
  }
  if (grid.samples < 1) fail("{}: the number of samples must be at least 1, not {}", system, grid.samples);
  const Problem problem{flow, options, system};
  problem.check(start, grid.start);
  State state(start.begin(), start.end());
  const std::unique_ptr<Walker> walker = make_walker(problem, state.size());
  Matrix result(grid.samples, start.size());
  result.row(0) = start.transpose();
  for (Eigen::Index i = 1; i < grid.samples; ++i) {
    if (cancelled()) fail("{}: stopped at sample {} of {}", system, i, grid.samples);
    const double from = grid.start + static_cast<double>(i - 1) * grid.dt;
    walker->walk(state, from, grid.start + static_cast<double>(i) * grid.dt);
    result.row(i) = Eigen::Map<const Vector>(state.data(), start.size()).transpose();
  }
  return result;
}

}  // namespace filigree::dynamics
