#include "dynamics/published_sets.h"

#include <array>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "dynamics/numpy_random.h"

namespace filigree::dynamics {
namespace {

struct SuiteRow {
  const char* name;
  int train, held_out;  ///< runs; as many for validation as for testing
  double duration;
  std::array<int, 3> horizons;
  Eigen::Index scored;
};

constexpr SuiteRow kSuite[] = {
    {"pendulum", 2500, 300, 10, {20, 80, 150}, 2},
    {"duffing", 1800, 240, 20, {40, 120, 240}, 2},
    {"forced-duffing", 1800, 240, 20, {40, 120, 240}, 2},
};

constexpr double kSuiteStep = 0.05;

Dataset draw_runs(const System& system, int runs, Eigen::Index samples, std::uint64_t seed) {
  NumpyGenerator random(seed);
  const Flow flow = system.flow();
  Dataset data{system.coordinates, {}, kSuiteStep, {}};
  for (int i = 0; i < runs; ++i) {
    Vector start(system.dimension());
    for (Eigen::Index j = 0; j < start.size(); ++j) start[j] = random.uniform(system.low[j], system.high[j]);
    const Matrix states = integrate(flow, start, {0, kSuiteStep, samples}, {}, system.name);
    data.runs.push_back({states.cast<float>().cast<double>()});
  }
  return data;
}

}  // namespace

AuthorSuite author_suite(const std::string& name, std::uint64_t seed) {
  AuthorSuite suite;
  suite.system = find_system(name);
  for (const SuiteRow& row : kSuite) {
    if (suite.system.name != row.name) continue;
    const auto samples = static_cast<Eigen::Index>(row.duration / kSuiteStep + 0.5) + 1;
    suite.train = draw_runs(suite.system, row.train, samples, seed + 11);
    suite.validation = draw_runs(suite.system, row.held_out, samples, seed + 29);
    suite.test = draw_runs(suite.system, row.held_out, samples, seed + 47);
    suite.rollouts = NumpyGenerator(seed + 999).choice(row.held_out, 128);
    suite.horizons.assign(row.horizons.begin(), row.horizons.end());
    suite.scored = row.scored;
    return suite;
  }
  fail("the author's suite has no set for {}; it has pendulum, duffing and forced-duffing", suite.system.name);
}

namespace {

/// `start(environment, run)` gives where a run begins; run -1 is the training run.
template <class Start>
LeadsSets lotka_volterra_sets(const Start& start) {
  constexpr std::array<std::array<double, 2>, 10> rates{{{0.5, 0.5},
                                                         {0.25, 0.5},
                                                         {0.75, 0.5},
                                                         {1, 0.5},
                                                         {0.5, 0.25},
                                                         {0.5, 0.75},
                                                         {0.5, 1},
                                                         {0.25, 0.25},
                                                         {0.75, 0.75},
                                                         {1, 1}}};
  constexpr Eigen::Index samples = 20;
  constexpr int tests = 32;
  IntegrateOptions tight;
  tight.relative = tight.absolute = 1e-12;
  const System base = find_system("lotka-volterra");
  LeadsSets sets;
  sets.train = sets.test = Dataset{base.coordinates, {}, 0.5, {}};
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const System system = with_parameters(base, {{"alpha", rates[i][0]}, {"gamma", rates[i][1]}});
    const Flow flow = system.flow();
    const auto run = [&](int number) {
      const Matrix states = integrate(flow, start(i, number), {0, 0.5, samples}, tight, system.name);
      return Trajectory{states, {}, 0, static_cast<int>(i)};
    };
    sets.train.runs.push_back(run(-1));
    for (int j = 0; j < tests; ++j) sets.test.runs.push_back(run(j));
    sets.environments.push_back(system);
  }
  return sets;
}

}  // namespace

LeadsSets leads_lotka_volterra() {
  return lotka_volterra_sets([](std::size_t, int run) {
    constexpr std::uint32_t largest = std::numeric_limits<std::int32_t>::max();
    NumpyLegacy random(run < 0 ? 0 : largest - static_cast<std::uint32_t>(run));
    Vector start(2);
    for (double& value : start) value = random.random() + 1;
    return start;
  });
}

LeadsSets leads_lotka_volterra(std::uint64_t seed) {
  const Random all(seed);
  const Random training = all.fork(0);
  return lotka_volterra_sets([&](std::size_t environment, int run) {
    Random random = run < 0 ? training : all.fork(environment + 1).fork(static_cast<std::uint64_t>(run));
    Vector start(2);
    for (double& value : start) value = random.uniform(1, 2);
    return start;
  });
}

}  // namespace filigree::dynamics
