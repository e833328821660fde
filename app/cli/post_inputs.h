#pragma once

#include <functional>
#include <string>

#include "base/progress.h"
#include "config_options.h"
#include "frame.h"
#include "train/loop.h"

/// What `lm sft` and `lm grpo` share: where a run is, whether it goes on, and how its end is reported.
namespace filigree::cli {

struct PostInputs {
  std::string command;  ///< "lm sft"
  std::string config, resume, run;
  Words words;
  int threads = 0;
  bool json = false;
};

/// How the end of a run is told.
struct RunReport {
  std::string command;             ///< "lm sft"
  std::string score, score_words;  ///< the metric whose last value is shown, and what it is called for people
  bool json = false;
};

/// Prints step, loss, score and where model and curves are. Also for `lm train`.
void print_run(const RunReport& report, const std::string& run, const train::LoopResult& result);

/// Adds --output, --resume, --config, --threads and --json.
void add_post_inputs(CLI::App& command, PostInputs& inputs);

/// `prepare` makes the run's folder and says what there is to learn from; it is called for a new run only. `train` trains
/// what it made. Prints the result, with the last value of `score` in the run's metrics.
struct PostWork {
  std::function<std::string()> prepare;
  std::function<train::LoopResult(const std::string& folder, ProgressSink*)> train;
  std::string score;
};
void run_post_training(const PostInputs& inputs, const PostWork& work);

/// The settings: of --config, if it is given, changed by the words of the command line. UsageError where a field that has
/// no default is missing.
template <Config T>
T read_post_config(const PostInputs& inputs, const std::vector<std::string>& required) {
  T config;
  if (!inputs.config.empty()) config = load_config<T>(inputs.config);
  for (const std::string& field : required) {
    if (!inputs.config.empty() || inputs.words.contains(field)) continue;
    throw UsageError(fmt::format("{}: --{} is missing (or --config, or --resume)", inputs.command, field));
  }
  from_words([&] {
    apply_overrides(config, inputs.words, inputs.command);
    return 0;
  });
  return config;
}

}  // namespace filigree::cli
