#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dynamics/systems.h"

/// Data sets from named systems.
namespace filigree::dynamics {

struct SimulateOptions {
  std::vector<double> start = {};                 ///< of every run; empty for the system's own
  std::vector<std::vector<double>> starts = {};   ///< one for each run, in place of `start` and `runs`
  std::vector<double> low = {}, high = {};        ///< draw the starts uniformly from this box
  std::map<std::string, double> parameters = {};  ///< in place of the defaults
  std::optional<double> dt = {};                  ///< time between samples; the system's own if not given
  std::int64_t samples = 1000;
  double warm_up = 0;  ///< time before the first sample
  int runs = 1;
  std::uint64_t seed = 0;  ///< of starts and noise
  double noise = 0;        ///< standard deviation of added white noise, in standard deviations of each coordinate
  IntegrateOptions integrate = {};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("start", self.start, "initial state of every run");
    v.optional("starts", self.starts, "initial states, one for each run");
    v.optional("low", self.low, "lower corner of the box that starts are drawn from");
    v.optional("high", self.high, "upper corner of the box");
    v.optional("parameters", self.parameters, "of the system, by name");
    v.optional("dt", self.dt, "time between samples", positive);
    v.optional("samples", self.samples, "of each run", at_least(2));
    v.optional("warm_up", self.warm_up, "time before the first sample", non_negative);
    v.optional("runs", self.runs, "how many", at_least(1));
    v.optional("seed", self.seed, "of starts and noise");
    v.optional("noise", self.noise, "standard deviation of added noise over that of the coordinate", non_negative);
    v.optional("integrate", self.integrate, "how");
  }
};

/// Integrates and samples. Several runs of a system without a box of its own and without given starts are pieces of one
/// long solution, each beginning a warm-up after the end of the one before.
///
/// Error for unknown parameters, starts of the wrong length and diverging solutions.
Dataset simulate(const System& system, const SimulateOptions& options);

}  // namespace filigree::dynamics
