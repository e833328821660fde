#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace filigree::train {

double learning_rate(const Schedule& schedule, std::int64_t step, std::int64_t steps) {
  if (step < schedule.warmup_steps) {
    return schedule.peak * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps);
  }
  const double last = static_cast<double>(std::max<std::int64_t>(steps - 1 - schedule.warmup_steps, 1));
  const double done = std::min(1.0, static_cast<double>(step - schedule.warmup_steps) / last);
  double ratio = 1;
  if (schedule.kind == ScheduleKind::cosine) {
    ratio = schedule.final_ratio + (1 - schedule.final_ratio) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  } else if (schedule.kind == ScheduleKind::wsd && schedule.decay_fraction > 0) {
    const double falling = std::max(0.0, (done - (1 - schedule.decay_fraction)) / schedule.decay_fraction);
    ratio = 1 - falling * (1 - schedule.final_ratio);
  }
  return schedule.peak * ratio;
}

}  // namespace filigree::train
