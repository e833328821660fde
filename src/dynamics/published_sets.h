#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dynamics/systems.h"

/// Data sets of published comparisons, made again with their own random numbers.
namespace filigree::dynamics {

/// The pendulum, Duffing and forced Duffing sets of the StNN co-author's benchmark (LeviLingsch/StNN: stnn_bench/data.py
/// and systems.py), with initial states, counts and times as there; integrated here to 1e-10 rather than 1e-8, and
/// stored, as there, rounded to float32.
struct AuthorSuite {
  System system;
  Dataset train, validation, test;

  /// Runs of the test set, by index, that are rolled out from their first sample.
  std::vector<std::int64_t> rollouts;

  /// Steps at which the published roll-out errors stand; the error covers steps 0 … horizon.
  std::vector<int> horizons;

  /// The first coordinates, over which roll-out errors are taken: all but the phase.
  Eigen::Index scored = 0;
};

/// name: "pendulum", "duffing" or "forced-duffing", found as find_system() finds them. seed: 42 in the published runs.
/// Error for another name.
AuthorSuite author_suite(const std::string& name, std::uint64_t seed = 42);

/// The Lotka–Volterra sets of LEADS (yuan-yin/LEADS: datasets/lv.py and __init__.py): ten environments, one training run
/// in each from the same start, 32 test runs in each; 20 samples, 0.5 apart. LEADS integrates with scipy's RK45 at its
/// default tolerance, which is good for some 1e-3 only; here the truth has a tolerance of 1e-12.
struct LeadsSets {
  std::vector<System> environments;
  Dataset train, test;  ///< runs in the order of environments
};

LeadsSets leads_lotka_volterra();

/// The same with starts of our own, uniform in [1, 2]² too.
LeadsSets leads_lotka_volterra(std::uint64_t seed);

}  // namespace filigree::dynamics
