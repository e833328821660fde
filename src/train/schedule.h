#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/visit.h"

/// The learning rate over the steps of a run.
namespace filigree::train {

enum class ScheduleKind {
  constant,
  cosine,  ///< half a cosine from the peak to the final rate (arXiv 1608.03983)
  wsd,     ///< warm-up, stable, decay: constant, then a straight line to the final rate (arXiv 2404.06395 §4)
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::cosine;
  double peak = 1e-3;
  std::int64_t warmup_steps = 0;
  double final_ratio = 0.1;     ///< the rate of the last step over the peak
  double decay_fraction = 0.2;  ///< wsd: the part of all steps that decays

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("schedule", self.kind, "of the learning rate: constant, cosine or wsd");
    v.optional("learning_rate", self.peak, "at its highest", positive);
    v.optional("warmup_steps", self.warmup_steps, "steps in which the learning rate grows from 0", non_negative);
    v.optional("final_ratio", self.final_ratio, "learning rate at the end over its highest", fraction);
    v.optional("decay_fraction", self.decay_fraction, "wsd: part of all steps in which it falls", fraction);
  }
};

/// The rate of step 0, 1, …, steps - 1. During the warm-up it is peak · (step + 1) / warmup_steps.
///
/// One example: cosine, peak 1, final 0, no warm-up, 5 steps give 1, 0.854, 0.5, 0.146, 0.
double learning_rate(const Schedule& schedule, std::int64_t step, std::int64_t steps);

}  // namespace filigree::train

template <>
struct filigree::EnumNames<filigree::train::ScheduleKind> {
  using K = filigree::train::ScheduleKind;
  static constexpr std::array<std::pair<K, std::string_view>, 3> table{
      {{K::constant, "constant"}, {K::cosine, "cosine"}, {K::wsd, "wsd"}}};
};
