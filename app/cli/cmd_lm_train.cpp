#include <memory>

#include <fmt/format.h>

#include "base/error.h"
#include "config_options.h"
#include "language/train_run.h"
#include "lm_commands.h"
#include "post_inputs.h"
#include "tensor/device.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string config, resume, run;
  std::string model, shape;
  std::vector<std::string> data, evaluation_data;
  Words words;
  int threads = 0;
  bool json = false;
};

/// The settings of a file, if one is given, changed by the words of the command line.
language::TrainConfig read_config(const Options& options) {
  language::TrainConfig config;
  if (!options.config.empty()) {
    config = load_config<language::TrainConfig>(options.config);
  } else if (options.model.empty() || options.data.empty()) {
    throw UsageError("lm train: give --model and --data, or --config, or --resume");
  }
  if (!options.model.empty()) config.model = options.model;
  if (!options.data.empty()) config.data = options.data;
  if (!options.evaluation_data.empty()) config.evaluation_data = options.evaluation_data;
  from_words([&] {
    apply_overrides(config, options.words, "lm train");
    if (!options.shape.empty()) config.shape = parse_pairs(options.shape, "--shape");
    return 0;
  });
  return config;
}

void run(const Options& options) {
  tensor::use_threads(options.threads);
  if (options.resume.empty() == options.run.empty()) {
    throw UsageError("lm train: give --output for a new run, or --resume for one that is there");
  }
  if (const auto warning = tensor::blas_warning()) fmt::print(stderr, "{}\n", *warning);
  TerminalProgress progress(stderr);
  if (options.resume.empty()) language::prepare_run(read_config(options), options.run, &progress);
  const std::string folder = options.resume.empty() ? options.run : options.resume;
  print_run({"lm train", "eval_loss", "evaluation", options.json}, folder, language::train_run(folder, &progress));
}

}  // namespace

void setup_lm_train(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_train_text());
  const auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "recipe, config.json, or folder of a model to go on with")
      ->type_name("NAME");
  command->add_option("--data", options->data, "files and folders of text (.txt, .md, .jsonl)")->type_name("PATH");
  command->add_option("--evaluation-data", options->evaluation_data, "other texts to evaluate on")->type_name("PATH");
  command->add_option("-o,--output", options->run, "folder of the new run")->type_name("RUN");
  command->add_option("--resume", options->resume, "go on with this run from its last checkpoint")->type_name("RUN");
  command->add_option("--config", options->config, "settings as a run's resolved.json has them")->type_name("FILE");
  command->add_option("--shape", options->shape, "fields of the recipe to change: hidden_size=256,num_hidden_layers=8")
      ->type_name("PAIRS");
  add_threads(*command, options->threads);
  command->add_flag("--json", options->json, "print JSON, for scripts");
  add_config_options<language::TrainConfig>(*command, options->words, {"model", "data", "evaluation_data", "shape"});
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
