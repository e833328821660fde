#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dynamics/integrate.h"

/// Named systems: their equations, parameters and where to start.
namespace filigree::dynamics {

/// Values by name, in order. Lists and tables have one entry for each element: "tau[0]", "w[1][2]".
class Parameters {
 public:
  Parameters() = default;
  Parameters(std::initializer_list<std::pair<std::string, double>> values) : values_(values) {}

  void add(std::string name, double value) { values_.emplace_back(std::move(name), value); }

  /// The value of one that exists.
  double operator()(std::string_view name) const;

  /// All elements of a list or table, tables row by row.
  std::vector<double> list(std::string_view name) const;

  /// Error, with the nearest name, where `system` has no such parameter or the value is not finite.
  void set(const std::string& name, double value, const std::string& system);

  const std::vector<std::pair<std::string, double>>& all() const { return values_; }

 private:
  std::vector<std::pair<std::string, double>> values_;
};

struct System {
  std::string name;
  std::string description;  ///< one line
  std::vector<std::string> coordinates;
  Parameters parameters;           ///< defaults
  Vector start;                    ///< default initial state
  double dt = 0.01;                ///< time between samples that suits it
  double period = 0;               ///< main period, 0 where none is known
  std::optional<double> lyapunov = {};  ///< largest exponent, where known
  Vector low, high;                ///< usual box of initial states, empty where there is none
  Flow (*make)(const Parameters&) = nullptr;

  Eigen::Index dimension() const { return static_cast<Eigen::Index>(coordinates.size()); }
  Flow flow() const { return make(parameters); }
};

/// The system of that name; upper case, '-' and '_' do not matter. "lorenz96-40" has 40 coordinates. A flow of dysts
/// that has the name of one of our own systems is found as "dysts-lorenz".
///
/// Error with the nearest name, or the reason where the system is known but absent.
System find_system(const std::string& name);

/// The system with some parameters changed. Error, with the nearest name, for one that it does not have.
System with_parameters(System system, const std::map<std::string, double>& parameters);

/// All systems, our own first, then the flows of recipes/systems/dysts_flows.json in its order.
std::vector<System> all_systems();

/// Names of the flows of that file that are not here, because they have delays.
std::vector<std::string> absent_systems();

/// Lorenz's model of the atmosphere on a circle of `dimension` >= 4 places.
System lorenz96(int dimension);

/// Largest Lyapunov exponent: the mean growth of a tangent vector over `time` after a warm-up of a tenth of it. The
/// vector is carried along by central differences of the flow.
double largest_exponent(const System& system, double time, const IntegrateOptions& options);

}  // namespace filigree::dynamics
