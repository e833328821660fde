#pragma once

#include <string>
#include <vector>

#include "frame.h"
#include "language/generate.h"

/// How text is drawn, as the commands of `lm` that generate some read it from the command line.
namespace filigree::cli {

struct SamplingInputs {
  std::int64_t max_new_tokens = 128;
  language::Sampling sampling = {.temperature = 0.8};
  std::uint64_t seed = 0;
  bool greedy = false;
  std::vector<std::string> stop = {};
};

/// Adds --max-new-tokens, --greedy, --temperature, --top-k, --top-p, --repetition-penalty, --seed and --stop.
void add_sampling_inputs(CLI::App& command, SamplingInputs& inputs);

/// The options these make. UsageError for a stop text that is not UTF-8.
language::GenerateOptions generate_options(const SamplingInputs& inputs);

}  // namespace filigree::cli
