#pragma once

#include "dynamics/havok.h"

namespace filigree::dynamics {

/// The published run of HAVOK: Lorenz (σ = 10, ρ = 28, β = 8/3) from (-8, 8, 27), dt = 0.001, x alone, window 100, rank
/// 15, fitted to the first 200,000 samples; alarms judged on the 1,000,000 after them (t = 200 … 1200), where the paper
/// counts 605 switches and a reproduction of it 593. How many there are depends on the integrator, as chaos has it.
struct HavokLorenzOptions {
  Eigen::Index training = 200'000;
  Eigen::Index testing = 1'000'000;
  HavokOptions havok = {};
  SwitchAlarmOptions alarm = {};
};

struct HavokLorenzResult {
  HavokModel model;
  double fit_seconds = 0;
  SwitchAlarms alarms;             ///< with the threshold of the options
  double histogram_threshold = 0;  ///< of the training part
  SwitchAlarms histogram_alarms;   ///< with that
  double simulation_error = 0;     ///< of x simulated with the measured forcing, over 10,000 training samples, / std
};

/// Integrates at a tolerance of 1e-12, fits and judges.
HavokLorenzResult run_havok_lorenz(const HavokLorenzOptions& options);

}  // namespace filigree::dynamics
