#pragma once

#include <functional>
#include <string>
#include <vector>

#include "dynamics/model.h"

/// What auto_forecast() tries.
namespace filigree::dynamics {

struct Candidate {
  std::string method;
  std::string settings;
  Eigen::Index reach;  ///< history that it needs
  std::function<ModelPtr(const Dataset&)> fit;
};

/// The names that auto_forecast() knows.
const std::vector<std::string>& auto_methods();

/// All candidates of the methods named, for a series of `samples` samples whose period is about `period` samples; those
/// whose windows are longer than `longest` are left out. None comes twice.
std::vector<Candidate> auto_candidates(const std::vector<std::string>& methods, double period, Eigen::Index samples,
                                       Eigen::Index longest);

}  // namespace filigree::dynamics
