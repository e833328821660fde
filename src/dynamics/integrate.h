#pragma once

#include <functional>
#include <string>

#include "base/visit.h"
#include "dynamics/data.h"

/// Solutions of ordinary differential equations at equally spaced times.
namespace filigree::dynamics {

/// dx/dt at time t: reads the state x and writes dx, both of the system's dimension and never the same memory.
using Flow = std::function<void(double t, const double* x, double* dx)>;

enum class Solver {
  automatic,       ///< fehlberg78 where a tolerance is below 1e-8, else dormand_prince
  dormand_prince,  ///< Dormand–Prince 5(4), adaptive, samples from its dense output
  fehlberg78,      ///< Runge–Kutta–Fehlberg 7(8), adaptive, steps end at the samples
  rosenbrock,      ///< Rosenbrock 4(3), adaptive and implicit, for stiff systems; the Jacobian by central differences
  runge_kutta4,    ///< the classical method with fixed steps
  euler,           ///< explicit, fixed steps
};

struct IntegrateOptions {
  Solver solver = Solver::automatic;
  double relative = 1e-10;
  double absolute = 1e-10;
  int substeps = 1;                 ///< steps from one sample to the next, of the fixed methods
  std::int64_t max_steps = 200000;  ///< tried from one sample to the next, of the adaptive methods
  double bound = 1e15;              ///< a state beyond it counts as diverged

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("solver", self.solver, "method of integration");
    v.optional("relative", self.relative, "relative tolerance", between(1e-15, 1));
    v.optional("absolute", self.absolute, "absolute tolerance", between(1e-300, 1e6));
    v.optional("substeps", self.substeps, "steps between samples, of fixed methods", at_least(1));
    v.optional("max_steps", self.max_steps, "most steps between samples, of adaptive methods", at_least(1));
    v.optional("bound", self.bound, "a state beyond it counts as diverged", positive);
  }
};

/// Equally spaced times.
struct TimeGrid {
  double start = 0;
  double dt = 1;             ///< > 0
  Eigen::Index samples = 0;  ///< including the one at the start
};

/// (samples, dimension), the first row being `start`. `system` names the equations in messages.
///
/// Error, with system and time, where the solution leaves all bounds or a sample needs too many steps; the work is
/// bounded by samples · max_steps.
Matrix integrate(const Flow& flow, const Vector& start, const TimeGrid& grid, const IntegrateOptions& options,
                 const std::string& system);

}  // namespace filigree::dynamics

template <>
struct filigree::EnumNames<filigree::dynamics::Solver> {
  using Solver = filigree::dynamics::Solver;
  static constexpr std::array<std::pair<Solver, std::string_view>, 6> table{{{Solver::automatic, "automatic"},
                                                                             {Solver::dormand_prince, "dormand-prince"},
                                                                             {Solver::fehlberg78, "fehlberg78"},
                                                                             {Solver::rosenbrock, "rosenbrock"},
                                                                             {Solver::runge_kutta4, "runge-kutta4"},
                                                                             {Solver::euler, "euler"}}};
};
