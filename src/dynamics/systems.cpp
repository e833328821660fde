#include "dynamics/systems.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numbers>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "dynamics/systems_table.h"

namespace filigree::dynamics {
namespace {

using table::at;
using table::put;

constexpr std::string_view kPrefix = "dysts";

Vector vector_of(std::initializer_list<double> values) {
  Vector vector(static_cast<Eigen::Index>(values.size()));
  std::copy(values.begin(), values.end(), vector.begin());
  return vector;
}

Flow lotka_volterra(const Parameters& p) {
  return [a = p("alpha"), b = p("beta"), c = p("gamma"), d = p("delta")](double, const double* s, double* o) {
    put(o, a * s[0] - b * s[0] * s[1], d * s[0] * s[1] - c * s[1]);
  };
}

Flow lorenz(const Parameters& p) {
  return [a = p("sigma"), r = p("rho"), b = p("beta")](double, const double* s, double* o) {
    const auto [x, y, z] = at<3>(s);
    put(o, a * (y - x), x * (r - z) - y, x * y - b * z);
  };
}

Flow pendulum(const Parameters& p) {
  return [b = p("damping"), c = p("gravity")](double, const double* s, double* o) {
    put(o, s[1], -b * s[1] - c * std::sin(s[0]));
  };
}

Flow duffing(const Parameters& p) {
  return [a = p("alpha"), b = p("beta"), d = p("delta")](double, const double* s, double* o) {
    put(o, s[1], -d * s[1] - a * s[0] - b * s[0] * s[0] * s[0]);
  };
}

Flow forced_duffing(const Parameters& p) {
  return [a = p("alpha"), b = p("beta"), d = p("delta"), g = p("gamma"), w = p("omega")](double, const double* s,
                                                                                         double* o) {
    put(o, s[1], -d * s[1] - a * s[0] - b * s[0] * s[0] * s[0] + g * std::cos(s[2]), w);
  };
}

Flow rossler(const Parameters& p) {
  return [a = p("a"), b = p("b"), c = p("c")](double, const double* s, double* o) {
    put(o, -s[1] - s[2], s[0] + a * s[1], b + s[2] * (s[0] - c));
  };
}

Flow lorenz96_flow(const Parameters& p) {
  return [f = p("forcing"), n = static_cast<int>(p("dimension"))](double, const double* s, double* o) {
    o[0] = (s[1] - s[n - 2]) * s[n - 1] - s[0] + f;
    o[1] = (s[2] - s[n - 1]) * s[0] - s[1] + f;
    for (int i = 2; i < n - 1; ++i) o[i] = (s[i + 1] - s[i - 2]) * s[i - 1] - s[i] + f;
    o[n - 1] = (s[0] - s[n - 3]) * s[n - 2] - s[n - 1] + f;
  };
}

System oscillator(std::string name, std::string description, Parameters parameters, Flow (*make)(const Parameters&)) {
  System system;
  system.name = std::move(name);
  system.description = std::move(description);
  system.coordinates = {"x", "v"};
  system.parameters = std::move(parameters);
  system.start = vector_of({1, 0});
  system.dt = 0.05;
  system.make = make;
  return system;
}

System own_lotka_volterra() {
  System system = oscillator("lotka-volterra", "prey and predator",
                             {{"alpha", 0.5}, {"beta", 0.5}, {"gamma", 0.5}, {"delta", 0.5}}, lotka_volterra);
  system.coordinates = {"x", "y"};
  system.start = vector_of({1.5, 1.5});
  system.dt = 0.5;
  system.period = 4 * std::numbers::pi;
  system.low = vector_of({1, 1});
  system.high = vector_of({2, 2});
  return system;
}

System own_lorenz() {
  System system;
  system.name = "lorenz";
  system.description = "Lorenz's convection of 1963: the butterfly";
  system.coordinates = {"x", "y", "z"};
  system.parameters = {{"sigma", 10}, {"rho", 28}, {"beta", 8.0 / 3.0}};
  system.start = vector_of({-8, 8, 27});
  system.period = 1.5;
  system.lyapunov = 0.906416;  // arXiv 2507.09652
  system.make = lorenz;
  return system;
}

System own_rossler() {
  System system = own_lorenz();
  system.name = "rossler";
  system.description = "Rössler's flow: one stretching fold";
  system.parameters = {{"a", 0.2}, {"b", 0.2}, {"c", 5.7}};
  system.start = vector_of({1, 1, 1});
  system.dt = 0.05;
  system.period = 5.9;
  system.lyapunov = 0.0714;  // Sprott: Chaos and Time-Series Analysis, 2003
  system.make = rossler;
  return system;
}

System own_pendulum() {
  System system = oscillator("pendulum", "a damped pendulum", {{"damping", 0.15}, {"gravity", 1}}, pendulum);
  system.coordinates = {"theta", "omega"};
  system.start = vector_of({2, 0});
  system.period = 2 * std::numbers::pi;
  system.low = vector_of({-std::numbers::pi, -1.5});
  system.high = vector_of({std::numbers::pi, 1.5});
  return system;
}

System own_duffing() {
  System system = oscillator("duffing", "Duffing's damped oscillator with two wells",
                             {{"alpha", -1}, {"beta", 1}, {"delta", 0.2}}, duffing);
  system.start = vector_of({1.5, 0});
  system.period = std::numbers::sqrt2 * std::numbers::pi;
  system.low = vector_of({-2, -1.5});
  system.high = vector_of({2, 1.5});
  return system;
}

System own_forced_duffing() {
  System system =
      oscillator("forced-duffing", "Duffing's oscillator with a periodic force, whose phase is the third coordinate",
                 {{"alpha", -1}, {"beta", 1}, {"delta", 0.2}, {"gamma", 0.3}, {"omega", 1.2}}, forced_duffing);
  system.coordinates = {"x", "v", "phi"};
  system.start = vector_of({1, 0, 0});
  system.period = 2 * std::numbers::pi / 1.2;
  system.low = vector_of({-2, -1.5, 0});
  system.high = vector_of({2, 1.5, 2 * std::numbers::pi});
  return system;
}

std::vector<System> own_systems() {
  return {own_lotka_volterra(), own_lorenz(),  own_pendulum(), own_duffing(),
          own_forced_duffing(), own_rossler(), lorenz96(40)};
}

/// Lower case without '-' and '_'.
std::string plain_name(std::string_view name) {
  std::string result = text::lower(text::trim(name));
  std::erase_if(result, [](char c) { return c == '-' || c == '_'; });
  return result;
}

std::vector<table::Row> all_rows() {
  std::vector<table::Row> rows;
  for (const auto part : {table::classic_rows(), table::forced_rows(), table::science_rows(), table::hyper_rows(),
                          table::sprott_rows()}) {
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

/// Numbers, lists and tables as flat names.
void add_parameter(Parameters& parameters, const std::string& name, const Json& value) {
  if (value.is_number()) return parameters.add(name, value.get<double>());
  for (std::size_t i = 0; i < value.size(); ++i) add_parameter(parameters, fmt::format("{}[{}]", name, i), value[i]);
}

System dysts_system(const table::Row& row, const Json& entry) {
  System system;
  system.name = row.name;
  system.description = row.description;
  system.coordinates = text::split(row.coordinates, ' ');
  for (const auto& [name, value] : entry.at("parameters").items()) add_parameter(system.parameters, name, value);
  const auto start = entry.at("initial_conditions").get<std::vector<double>>();
  system.start = Eigen::Map<const Vector>(start.data(), static_cast<Eigen::Index>(start.size()));
  system.period = entry.at("period").get<double>();
  system.dt = system.period / 100;
  if (entry.at("maximum_lyapunov_exponent").is_number()) {
    system.lyapunov = entry.at("maximum_lyapunov_exponent").get<double>();
  }
  system.make = row.make;
  return system;
}

}  // namespace

double Parameters::operator()(std::string_view name) const {
  const auto found = std::find_if(values_.begin(), values_.end(), [&](const auto& one) { return one.first == name; });
  FILIGREE_ASSERT(found != values_.end());
  return found->second;
}

std::vector<double> Parameters::list(std::string_view name) const {
  std::vector<double> elements;
  for (const auto& [full, value] : values_) {
    if (full.starts_with(name) && full.size() > name.size() && full[name.size()] == '[') elements.push_back(value);
  }
  FILIGREE_ASSERT(!elements.empty());
  return elements;
}

void Parameters::set(const std::string& name, double value, const std::string& system) {
  if (!std::isfinite(value)) fail("{}: parameter '{}' must be a finite number", system, name);
  std::vector<std::string> names;
  for (auto& [known, old] : values_) {
    if (known == name) {
      old = value;
      return;
    }
    names.push_back(known);
  }
  fail("{}: has no parameter '{}'{} ({})", system, name, text::did_you_mean(name, names),
       names.empty() ? "it has none" : "parameters: " + text::join(names, ", "));
}

System lorenz96(int dimension) {
  if (dimension < 4 || dimension > 100000) {
    fail("lorenz96: the dimension must be between 4 and 100000, not {}", dimension);
  }
  System system;
  system.name = "lorenz96";
  system.description = "Lorenz's atmosphere on a circle of any number of places";
  for (int i = 0; i < dimension; ++i) system.coordinates.push_back(fmt::format("x{}", i));
  system.parameters = {{"forcing", 8}, {"dimension", dimension}};
  system.start = Vector::Constant(dimension, 8);
  system.start[0] += 0.01;
  system.make = lorenz96_flow;
  return system;
}

System with_parameters(System system, const std::map<std::string, double>& parameters) {
  if (system.make == lorenz96_flow && parameters.contains("dimension")) {
    const double dimension = parameters.at("dimension");
    if (std::nearbyint(dimension) != dimension || std::abs(dimension) > 1e6) {
      fail("lorenz96: the dimension must be a whole number, not {}", dimension);
    }
    Parameters kept = system.parameters;
    system = lorenz96(static_cast<int>(dimension));
    system.parameters.set("forcing", kept("forcing"), system.name);
  }
  for (const auto& [name, value] : parameters) system.parameters.set(name, value, system.name);
  return system;
}

std::vector<System> all_systems() {
  std::vector<System> systems = own_systems();
  std::vector<std::string> taken;
  for (const System& system : systems) taken.push_back(plain_name(system.name));
  const Json flows = load_json(find_recipe("systems", "dysts_flows"));
  const std::vector<table::Row> rows = all_rows();
  for (const auto& [name, entry] : flows.items()) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const table::Row& one) { return name == one.name; });
    if (row == rows.end()) continue;
    systems.push_back(dysts_system(*row, entry));
    if (std::find(taken.begin(), taken.end(), plain_name(name)) != taken.end()) systems.back().name = "dysts-" + name;
  }
  return systems;
}

std::vector<std::string> absent_systems() {
  const Json flows = load_json(find_recipe("systems", "dysts_flows"));
  const std::vector<table::Row> rows = all_rows();
  std::vector<std::string> names;
  for (const auto& [name, entry] : flows.items()) {
    if (std::none_of(rows.begin(), rows.end(), [&](const table::Row& row) { return name == row.name; })) {
      names.push_back(name);
    }
  }
  return names;
}

System find_system(const std::string& name) {
  const std::string wanted = plain_name(name);
  if (wanted.starts_with("lorenz96") && wanted.size() > 8) {
    const auto dimension = text::parse_int(wanted.substr(8));
    if (dimension) return lorenz96(static_cast<int>(std::clamp<std::int64_t>(*dimension, 0, 1000000)));
  }
  for (const System& system : own_systems()) {
    if (plain_name(system.name) == wanted) return system;
  }
  std::vector<std::string> names;
  for (const System& system : all_systems()) {
    const std::string plain = plain_name(system.name);
    const bool ours = std::isupper(static_cast<unsigned char>(system.name.front())) == 0 && !plain.starts_with(kPrefix);
    if (plain == wanted || (!ours && std::string(kPrefix) + plain == wanted)) return system;
    names.push_back(text::lower(system.name));
  }
  for (const std::string& absent : absent_systems()) {
    if (plain_name(absent) == wanted) fail("{} is not here: it has a delay, and only ordinary equations are", absent);
  }
  fail("no system is called '{}'{}; 'filigree dynamics systems' lists all {}", name,
       text::did_you_mean(text::lower(name), names), names.size());
}

double largest_exponent(const System& system, double time, const IntegrateOptions& options) {
  const Eigen::Index size = system.dimension();
  const Flow flow = system.flow();
  // State and tangent vector side by side.
  std::vector<double> up(static_cast<std::size_t>(size)), down(up), fast(up), slow(up);
  const Flow both = [&, size](double t, const double* s, double* o) {
    flow(t, s, o);
    // No coordinate moves by more than a small part of itself, so that what is small and positive stays so.
    double shift = 1;
    for (Eigen::Index i = 0; i < size; ++i) {
      shift = std::min(shift, 1e-5 * (std::abs(s[i]) + 1e-4) / std::max(std::abs(s[size + i]), 1e-10));
    }
    for (std::size_t i = 0; i < up.size(); ++i) {
      up[i] = s[i] + shift * s[up.size() + i];
      down[i] = s[i] - shift * s[up.size() + i];
    }
    flow(t, up.data(), fast.data());
    flow(t, down.data(), slow.data());
    for (std::size_t i = 0; i < up.size(); ++i) o[up.size() + i] = (fast[i] - slow[i]) / (2 * shift);
  };
  const double piece = system.dt;
  const auto pieces = static_cast<Eigen::Index>(std::ceil(time / piece)), warm = pieces / 10;
  Vector state(2 * size);
  state.head(size) = system.start;
  Random random(1);
  for (double& value : state.tail(size)) value = random.normal();
  state.tail(size).normalize();
  double growth = 0;
  for (Eigen::Index i = 0; i < warm + pieces; ++i) {
    const TimeGrid grid{static_cast<double>(i) * piece, piece, 2};
    state = integrate(both, state, grid, options, system.name).row(1).transpose();
    const double length = state.tail(size).norm();
    state.tail(size) /= length;
    if (i >= warm) growth += std::log(length);
  }
  return growth / (static_cast<double>(pieces) * piece);
}

}  // namespace filigree::dynamics
