#include <cmath>

#include <fmt/format.h>

#include "base/cancel.h"
#include "dynamics/bench.h"
#include "dynamics/bench_tools.h"
#include "dynamics/havok_lorenz.h"
#include "dynamics/lorenz_valid_time.h"
#include "dynamics/short_number.h"

namespace filigree::dynamics {

BenchPart bench_lorenz(const BenchSettings& settings) {
  BenchPart part{"lorenz", "How long Lorenz-63 is followed in float64"};
  constexpr double kPublished = 21.5, kCeiling = 32.1, kWanted = 30;
  Table table({"method", "seed", "valid time, LT", "seconds"});
  double least = kCeiling * 2;
  const int seeds = settings.quick ? 1 : settings.seeds;
  Progress progress(settings.progress, seeds, "seeds");
  for (int seed = 1; seed <= seeds && !cancelled(); ++seed) {
    LorenzValidTimeSettings run;
    run.seed = static_cast<std::uint64_t>(seed);
    if (settings.quick) run.starts = 10;
    ValidTime time;
    const double seconds = seconds_of([&] { time = lorenz_valid_time(run); }, 1);
    table.row({fmt::format("polynomials of degree {}, {} samples 2^-{} apart, QR", run.fit.degree, run.samples,
                           run.log2_step),
               fmt::format("{}", seed), fmt::format("{:.2f} ± {:.2f}", time.mean, time.standard_error),
               fmt::format("{:.1f}", seconds)});
    least = std::min(least, time.mean);
    part.figures["valid_time"].push_back(time.mean);
    progress.advance();
  }
  table.row({"best published, normal equations (arXiv 2507.09652)", "", fmt::format("{}", kPublished), ""});
  table.row({"two solvers that round differently", "", fmt::format("{}", kCeiling), ""});
  part.tables.push_back(
      {"Mean over 100 places of the attractor, in Lyapunov times (LT); the truth is the classical "
       "Runge-Kutta method with steps 2^-10.",
       table});
  part.notes.push_back("The method knows that a polynomial map is near the truth; that is what makes it so long.");
  part.targets = {
      {"Lorenz-63, valid time, worst of the seeds", "≥ 30 LT", fmt::format("{:.1f} LT", least), least >= kWanted}};
  return part;
}

BenchPart bench_havok(const BenchSettings& settings) {
  BenchPart part{"havok", "Lobe switches of Lorenz-63 announced by HAVOK's forcing"};
  HavokLorenzOptions options;
  if (settings.quick) options.testing = 100'000;
  const HavokLorenzResult result = run_havok_lorenz(options);
  Table table({"threshold", "switches", "announced", "bursts", "false alarms", "time under alarm", "warning, samples"});
  const auto row = [&](const std::string& name, const SwitchAlarms& alarms) {
    table.row({name, fmt::format("{}", alarms.switches), fmt::format("{:.1f} %", 100 * alarms.hit_rate),
               fmt::format("{}", alarms.bursts), fmt::format("{:.1f} %", 100 * alarms.false_rate),
               fmt::format("{:.1f} %", 100 * alarms.coverage), fmt::format("{:.0f}", alarms.warning)});
  };
  row("of the options", result.alarms);
  row("from the histogram of the training part", result.histogram_alarms);
  part.tables.push_back(
      {"From x alone, 200,000 samples to learn from and 1,000,000 after them. Published: 605 switches; a "
       "reproduction of it counts 593. Chaos makes that number the integrator's.",
       table});
  part.notes.push_back(fmt::format("x simulated with the measured forcing: error {} of its spread. Fit {:.2f} s.",
                                   short_number(result.simulation_error), result.fit_seconds));
  part.figures["switches"] = result.alarms.switches;
  part.figures["announced"] = result.alarms.hit_rate;
  part.figures["false"] = result.alarms.false_rate;
  return part;
}

}  // namespace filigree::dynamics
