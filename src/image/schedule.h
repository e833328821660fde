#pragma once

#include "image/scheduler.h"

/// The lists of σ and timesteps of the schedulers.
namespace filigree::image {

/// shift σ / (1 + (shift − 1) σ).
double shifted(double sigma, double shift);

/// Evenly from the largest to the smallest σ of the shifted training table of 1000, then shifted once more: euler, lcm,
/// flash. The timesteps are 1000 σ.
Schedule twice_shifted(const SchedulerSettings& settings);

/// Evenly from 1 towards 1/1000 (which is not reached), then shifted: unipc, whose first σ is lowered by 1e-6 and whose
/// timesteps are cut to whole numbers.
Schedule unipc_schedule(const SchedulerSettings& settings);

/// Evenly from the shifted table's largest σ towards 0, then shifted: flow-unipc, with timesteps cut to whole numbers.
Schedule flow_unipc_schedule(const SchedulerSettings& settings);

/// As unipc_schedule, from 1 itself and with timesteps 1000 σ: heun, dpm++.
Schedule plain_schedule(const SchedulerSettings& settings);

}  // namespace filigree::image
