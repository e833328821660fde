#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/plot.h"
#include "base/text.h"
#include "commands.h"
#include "dynamics_inputs.h"
#include "dynamics_pictures.h"
#include "frame.h"

namespace filigree::cli {
namespace {

struct Options {
  SystemInputs system;
  std::string output, plot, solver = "automatic";
  std::int64_t seed = 0;
  std::optional<double> tolerance;
};

void run(Options options) {
  const dynamics::System system = read_system(options.system);
  dynamics::SimulateOptions& simulate = options.system.simulate;
  simulate.seed = static_cast<std::uint64_t>(options.seed);
  const auto solver = enum_from_name<dynamics::Solver>(options.solver);
  if (!solver) {
    const std::vector<std::string> words = enum_all_names<dynamics::Solver>();
    throw UsageError(fmt::format("--solver cannot be '{}'{} (one of: {})", options.solver,
                                 text::did_you_mean(options.solver, words), text::join(words, ", ")));
  }
  simulate.integrate.solver = *solver;
  if (options.tolerance) simulate.integrate.relative = simulate.integrate.absolute = *options.tolerance;
  if (!simulate.start.empty() && static_cast<Eigen::Index>(simulate.start.size()) != system.dimension()) {
    throw UsageError(fmt::format("--start has {} numbers, but {} has {} coordinates ({})", simulate.start.size(),
                                 system.name, system.dimension(), text::join(system.coordinates, ", ")));
  }
  const dynamics::Dataset data = dynamics::simulate(system, simulate);
  std::string picture;
  if (!options.plot.empty()) picture = draw(data_plot(data, system.name), image_format(options.plot));
  dynamics::write_data(options.output, data);
  report_written(options.output);
  if (options.plot.empty()) return;
  write_file(options.plot, picture);
  report_written(options.plot);
}

}  // namespace

void setup_dynamics_simulate(CLI::App& dynamics) {
  CLI::App* command =
      add_command(dynamics, {"simulate", "Integrate a named system and write samples of it.",
                             "filigree dynamics simulate --system lorenz --samples 5000 --output lorenz.csv"});
  const auto options = std::make_shared<Options>();
  add_system_inputs(*command, options->system, false);
  command->get_option("--system")->required();
  add_step_and_seed(*command, options->system.simulate.dt, options->seed);
  add_set(*command, options->system.parameters, "parameters of the system in place of its own: sigma=10,rho=28");
  command->add_option("--start", options->system.simulate.start, "initial state of every run: 1,2,3")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("X,Y");
  command
      ->add_option("--solver", options->solver,
                   "automatic, dormand-prince, fehlberg78, rosenbrock, runge-kutta4, euler")
      ->type_name("WORD")
      ->capture_default_str();
  command
      ->add_option("--tolerance", options->tolerance, "of adaptive solvers, relative and absolute; 1e-10 if not given")
      ->check(CLI::Range(1e-15, 0.1))
      ->type_name("X");
  command->add_option("-o,--output", options->output, "the samples: name.csv, or name.npy")
      ->required()
      ->type_name("FILE");
  add_picture(*command, "--plot", options->plot, "draw the runs (.png or .svg)");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
