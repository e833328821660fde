#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "dynamics/methods.h"
#include "dynamics/read_data.h"
#include "dynamics/simulate.h"

/// What the commands of `dynamics` read from the command line, in one place. Names that do not exist and texts of the wrong
/// form are UsageError, what is wrong in a file is Error.
namespace filigree::cli {

/// A file of samples and how it is read.
struct DataInputs {
  std::string input;
  std::string missing = "error";
  dynamics::ReadDataOptions read;
};

/// Adds --input, --columns, --controls, --time, --run, --missing and --resample.
void add_data_inputs(CLI::App& command, DataInputs& inputs);

/// Reads it. Error, beside those of read_data, where every coordinate is constant.
dynamics::Dataset read_dataset(const DataInputs& inputs);

/// A named system and how it is simulated.
struct SystemInputs {
  std::string system;
  std::vector<std::string> parameters;  ///< "sigma=10"
  dynamics::SimulateOptions simulate;
};

/// Adds --system, --samples, --runs, --noise and --warm-up. Where `automatic`, samples and runs are 0 unless given.
void add_system_inputs(CLI::App& command, SystemInputs& inputs, bool automatic);

/// The system of the name, and the parameters that `inputs` give it put into inputs.simulate.
dynamics::System read_system(SystemInputs& inputs);

/// Fills in samples and runs that are 0: one run of 5,000 samples, or 20 of 200 where the system is usually started from
/// a box and is not chaotic.
void complete(dynamics::SimulateOptions& simulate, const dynamics::System& system);

/// Adds --dt and --seed.
void add_step_and_seed(CLI::App& command, std::optional<double>& dt, std::int64_t& seed);

/// Adds --set, which may be given several times.
void add_set(CLI::App& command, std::vector<std::string>& words, const std::string& help);

/// As dynamics::find_method, for a word on the command line.
const dynamics::Method& read_method(const std::string& name);

/// UsageError unless exactly one of --input and --system is given.
void require_one_source(const DataInputs& data, const SystemInputs& system, const std::string& command);

}  // namespace filigree::cli
