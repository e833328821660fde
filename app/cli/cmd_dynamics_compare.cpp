#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/progress.h"
#include "base/text.h"
#include "commands.h"
#include "dynamics/compare.h"
#include "dynamics_inputs.h"
#include "frame.h"

namespace filigree::cli {
namespace {

struct Options {
  DataInputs data;
  SystemInputs system;
  std::string methods = "all", plot_folder;
  std::vector<std::string> set;
  std::optional<double> dt;
  std::int64_t seed = 0, longest = 0;
  double test_share = 0.2;
  dynamics::CompareOptions compare;
  Output output;
};

dynamics::Experiment experiment_of(Options& options) {
  if (!options.data.input.empty()) {
    options.data.read.dt = options.dt;
    const std::string title = std::filesystem::path(options.data.input).filename().string();
    return dynamics::split_data(read_dataset(options.data), options.test_share, title);
  }
  const dynamics::System system = read_system(options.system);
  dynamics::SimulateOptions& simulate = options.system.simulate;
  complete(simulate, system);
  simulate.dt = options.dt;
  simulate.seed = static_cast<std::uint64_t>(options.seed);
  return dynamics::simulate_experiment(system, simulate);
}

/// "method.key=value" words as options of each method.
std::map<std::string, Json> options_by_method(const std::vector<std::string>& words) {
  std::map<std::string, std::vector<std::string>> by_method;
  for (const std::string& all : words) {
    for (const std::string& word : text::split(all, ',')) {
      const std::size_t dot = word.find('.');
      if (dot == std::string::npos || dot > word.find('=')) {
        throw UsageError(fmt::format("--set: '{}' is not of the form method.key=value", word));
      }
      by_method[read_method(word.substr(0, dot)).name].push_back(word.substr(dot + 1));
    }
  }
  std::map<std::string, Json> options;
  for (const auto& [name, own] : by_method) {
    options[name] = from_words([&] { return dynamics::parse_options(read_method(name), own); });
  }
  return options;
}

void run(Options options) {
  require_one_source(options.data, options.system, "dynamics compare");
  if (text::lower(options.methods) != "all") {
    for (const std::string& name : text::split(options.methods, ',')) {
      options.compare.methods.push_back(read_method(std::string(text::trim(name))).name);
    }
  }
  options.compare.options = options_by_method(options.set);
  options.compare.seed = options.seed;
  TerminalProgress progress(stderr);
  options.compare.progress = &progress;
  dynamics::Experiment experiment = experiment_of(options);
  if (options.longest > experiment.longest) {
    fail("--longest: a roll-out of {} samples does not fit into the test, which allows {}", options.longest,
         experiment.longest);
  }
  if (options.longest > 0) experiment.longest = options.longest;
  const dynamics::Comparison comparison = dynamics::compare(experiment, options.compare);
  if (!options.plot_folder.empty()) {
    for (const std::filesystem::path& path : dynamics::write_comparison_plots(comparison, options.plot_folder)) {
      report_written(path);
    }
  }
  if (options.output.as_json()) return emit(options.output, dynamics::comparison_json(comparison));
  emit(options.output, dynamics::comparison_text(comparison));
}

void add_compare_options(CLI::App& command, Options& options) {
  command.add_option("-m,--methods", options.methods, "all, or some of: " + text::join(dynamics::method_names(), ", "))
      ->type_name("A,B")
      ->capture_default_str();
  add_set(command, options.set, "options of methods: mlp.hidden=16+16,kernel.length=1");
  command.add_option("--horizons", options.compare.horizons, "samples over which roll-out errors are taken")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::PositiveNumber)
      ->type_name("N,N");
  command.add_option("--rollouts", options.compare.windows, "roll-outs over which errors are taken")
      ->check(whole_number(1, 10'000))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--longest", options.longest, "samples of a roll-out, where fewer than the test allows are wanted")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N");
  command
      .add_option("--limit", options.compare.limit, "error, over the spread, at which a forecast ceases to be valid")
      ->check(CLI::PositiveNumber)
      ->type_name("X")
      ->capture_default_str();
  command
      .add_option("--test-share", options.test_share, "part of the file's samples or runs that is kept for the test")
      ->check(CLI::Range(0.01, 0.9))
      ->type_name("X")
      ->capture_default_str();
  command
      .add_option("--plot-folder", options.plot_folder, "draw phase space, a roll-out and the growth of errors here")
      ->type_name("DIR");
}

}  // namespace

void setup_dynamics_compare(CLI::App& dynamics) {
  CLI::App* command =
      add_command(dynamics, {"compare", "Fit several methods to the same samples and test them on the same others.",
                             "filigree dynamics compare --system lorenz --methods all --plot-folder plots"});
  const auto options = std::make_shared<Options>();
  add_data_inputs(*command, options->data);
  add_system_inputs(*command, options->system, true);
  add_compare_options(*command, *options);
  add_step_and_seed(*command, options->dt, options->seed);
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
