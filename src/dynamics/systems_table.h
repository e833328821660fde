#pragma once

#include <array>
#include <cmath>
#include <numbers>
#include <span>

#include "dynamics/systems.h"

/// How the tables of equations are written; only the systems_*.cpp files use it.
namespace filigree::dynamics::table {

/// One flow: parameters and initial state come from recipes/systems/dysts_flows.json.
struct Row {
  const char* name;
  const char* coordinates;  ///< separated by blanks
  const char* description;
  Flow (*make)(const Parameters&);
};

std::span<const Row> sprott_rows();
std::span<const Row> classic_rows();
std::span<const Row> hyper_rows();
std::span<const Row> science_rows();
std::span<const Row> forced_rows();

using P = const Parameters&;
using In = const double*;
using Out = double*;

/// The state as a tuple: const auto [x, y, z] = at<3>(s).
template <std::size_t size>
std::array<double, size> at(In state) {
  std::array<double, size> values;
  for (std::size_t i = 0; i < size; ++i) values[i] = state[i];
  return values;
}

template <class... Values>
void put(Out out, Values... values) {
  ((*out++ = values), ...);
}

inline double sign(double x) { return static_cast<double>(x > 0) - static_cast<double>(x < 0); }
inline double square(double x) { return x * x; }
inline double cube(double x) { return x * x * x; }
inline constexpr double pi = std::numbers::pi;

}  // namespace filigree::dynamics::table
