#pragma once

#include <string>

#include "base/json.h"

namespace filigree::dynamics {

/// A fitted network as one C++17 header that needs <cmath> and <cstddef> alone: no allocation, no exceptions, all
/// numbers in it. For what must run without this library, say on a controller.
///
/// model: what a model of method "stnn" or "mlp" wrote with to_json()
/// name:  of the namespace in the header
///
/// The header declares in that namespace
///
///     constexpr std::size_t num_states, num_controls, history;
///     void step(const double* window, const double* controls, double* next);
///     void rollout(const double* window, const double* controls, std::size_t steps, double* states);
///
/// in physical units, and gives what forecast() gives but for rounding. Error for another method, a damaged model, or a
/// name that cannot be a namespace.
std::string export_header(const Json& model, const std::string& name);

}  // namespace filigree::dynamics
