#include "dynamics_inputs.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/overrides.h"
#include "base/text.h"
#include "frame.h"

namespace filigree::cli {

void add_data_inputs(CLI::App& command, DataInputs& inputs) {
  command.add_option("-i,--input", inputs.input, "samples: a CSV file, with a header or without, or an NPY file")
      ->type_name("FILE");
  command.add_option("--columns", inputs.read.columns, "columns to learn; all that are nothing else if not given")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("A,B");
  command.add_option("--controls", inputs.read.controls, "columns that drive the system")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("A,B");
  command.add_option("--time", inputs.read.time, "column of the time; 't' or 'time' if there is one")
      ->type_name("COLUMN");
  command.add_option("--run", inputs.read.run, "column that tells runs apart; 'run' if there is one")
      ->type_name("COLUMN");
  command.add_option("--missing", inputs.missing, "empty fields and nan: error, interpolate or split")
      ->type_name("WORD")
      ->capture_default_str();
  command.add_flag("--resample", inputs.read.resample, "bring unequal steps of time to equal ones");
}

dynamics::Dataset read_dataset(const DataInputs& inputs) {
  dynamics::ReadDataOptions options = inputs.read;
  const auto missing = enum_from_name<dynamics::Missing>(inputs.missing);
  if (!missing) {
    const std::vector<std::string> words = enum_all_names<dynamics::Missing>();
    throw UsageError(fmt::format("--missing cannot be '{}'{} (one of: {})", inputs.missing,
                                 text::did_you_mean(inputs.missing, words), text::join(words, ", ")));
  }
  options.missing = *missing;
  dynamics::Dataset data = dynamics::read_data(inputs.input, options);
  for (Eigen::Index j = 0; j < data.dimension(); ++j) {
    const double first = data.runs.front().states(0, j);
    for (const dynamics::Trajectory& run : data.runs) {
      if ((run.states.col(j).array() != first).any()) return data;
    }
  }
  fail("{}: column '{}' is constant ({}) from the first row to the last; there is nothing to learn from it",
       inputs.input, data.names.front(), data.runs.front().states(0, 0));
}

void add_system_inputs(CLI::App& command, SystemInputs& inputs, bool automatic) {
  dynamics::SimulateOptions& simulate = inputs.simulate;
  if (automatic) simulate.samples = simulate.runs = 0;
  command.add_option("-s,--system", inputs.system, "a system's name; 'filigree dynamics systems' lists them")
      ->type_name("NAME");
  command.add_option("-n,--samples", simulate.samples, "samples of each run")
      ->check(whole_number(2, 10'000'000))
      ->type_name("N");
  command.add_option("--runs", simulate.runs, "runs from different starts")
      ->check(whole_number(1, 100'000))
      ->type_name("N");
  command.add_option("--noise", simulate.noise, "standard deviation of added noise, in that of each coordinate")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("X");
  command.add_option("--warm-up", simulate.warm_up, "time that passes before the first sample")
      ->check(CLI::Range(0.0, 1e9))
      ->type_name("TIME");
}

dynamics::System read_system(SystemInputs& inputs) {
  return from_words([&] {
    dynamics::System system = dynamics::find_system(inputs.system);
    for (const std::string& word : inputs.parameters) {
      for (const auto& [key, value] : parse_pairs(word, system.name)) {
        const auto number = text::parse_double(value);
        if (!number) fail("{}: parameter '{}' must be a number, not '{}'", system.name, key, value);
        inputs.simulate.parameters[key] = *number;
      }
    }
    dynamics::with_parameters(system, inputs.simulate.parameters);
    return system;
  });
}

void complete(dynamics::SimulateOptions& simulate, const dynamics::System& system) {
  const bool boxed = system.low.size() > 0 && !(system.lyapunov && *system.lyapunov > 0);
  if (simulate.runs == 0) simulate.runs = boxed ? 20 : 1;
  if (simulate.samples == 0) simulate.samples = simulate.runs > 1 ? 200 : 5000;
}

void add_step_and_seed(CLI::App& command, std::optional<double>& dt, std::int64_t& seed) {
  command.add_option("--dt", dt, "time between samples: of a simulation, of a file without times, or to resample to")
      ->check(CLI::PositiveNumber)
      ->type_name("TIME");
  command.add_option("--seed", seed, "seed of starts, noise and training")
      ->check(whole_number(0, std::int64_t{1} << 53))
      ->type_name("N")
      ->capture_default_str();
}

void add_set(CLI::App& command, std::vector<std::string>& words, const std::string& help) {
  command.add_option("--set", words, help)->allow_extra_args(false)->type_name("KEY=VALUE");
}

const dynamics::Method& read_method(const std::string& name) {
  return from_words([&]() -> const dynamics::Method& { return dynamics::find_method(name); });
}

void require_one_source(const DataInputs& data, const SystemInputs& system, const std::string& command) {
  if (data.input.empty() == system.system.empty()) {
    throw UsageError(fmt::format("{}: give one of --input FILE and --system NAME{}", command,
                                 data.input.empty() ? "" : ", not both"));
  }
}

}  // namespace filigree::cli
