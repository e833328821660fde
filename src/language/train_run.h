#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.h"
#include "language/initialise.h"
#include "language/training.h"
#include "train/loop.h"

/// From a recipe and texts to a run folder: all that `filigree lm train` does.
///
///     RUN/resolved.json, metrics.jsonl, live.html, checkpoints/   as train/run_folder.h says
///     RUN/tokenizer/     the tokenizer
///     RUN/model.json, device.json   sizes of the model, and what was measured of the device (for `plan compare`)
///     RUN/data/          the texts as tokens (language/token_file.h); evaluation/ where there are texts for it
namespace filigree::language {

struct TrainConfig {
  std::string model;              ///< recipe, config.json, or folder of a model to go on with
  std::vector<std::string> data;  ///< files and folders of text
  std::vector<std::string> evaluation_data;
  std::string tokenizer = "characters";      ///< a folder, "characters", "bytes", or "bpe:4000" to learn one
  std::map<std::string, std::string> shape;  ///< fields of the recipe's config.json to change
  std::string device = "cpu", dtype = "float32";
  std::int64_t seed = 0;
  std::int64_t sequence = 256;        ///< T
  std::int64_t batch = 8;             ///< B
  double evaluation_fraction = 0.05;  ///< of the tokens, from the end, where there is no other text for it
  double rotary_base = 0;             ///< 0: as the model has it
  std::string sample_prompt;
  std::int64_t sample_tokens = 200;
  TrainingOptions training;
  InitialiseOptions initialise;
  train::LoopOptions loop;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("model", self.model, "recipe, config.json, or folder of a model to go on with");
    v.required("data", self.data, "files and folders of text");
    v.optional("evaluation_data", self.evaluation_data, "other texts to evaluate on");
    v.optional("tokenizer", self.tokenizer, "a folder, or one to learn: characters, bytes, bpe:4000");
    v.optional("shape", self.shape, "fields of the recipe's config.json to change");
    v.optional("device", self.device, "cpu, cuda or cuda:1");
    v.optional("dtype", self.dtype, "of weights and computation: float32 or bfloat16 (with masters in float32)");
    v.optional("seed", self.seed, "of weights and the order of the data", non_negative);
    v.optional("sequence", self.sequence, "tokens of a sequence", at_least(2));
    v.optional("batch", self.batch, "sequences of a batch", at_least(1));
    v.optional("evaluation_fraction", self.evaluation_fraction, "part of the data kept for evaluation", fraction);
    v.optional("rotary_base", self.rotary_base, "another rotary base, for longer contexts; 0: the model's",
               non_negative);
    v.optional("sample_prompt", self.sample_prompt, "what samples begin with");
    v.optional("sample_tokens", self.sample_tokens, "length of a sample", at_least(1));
    TrainingOptions::visit(self.training, v);
    InitialiseOptions::visit(self.initialise, v);
    train::LoopOptions::visit(self.loop, v);
  }
};

/// Makes the run's folder: tokenizer, tokens, settings (written last). Error where it holds a run already, and for
/// whatever is wrong with the settings, before anything is written where that can be known.
void prepare_run(const TrainConfig& config, const std::filesystem::path& folder, ProgressSink* progress = nullptr);

/// Trains a prepared run, or goes on with one from its last checkpoint.
train::LoopResult train_run(const std::filesystem::path& folder, ProgressSink* progress = nullptr);

/// The config.json that a run's model has: a recipe's, or a folder's, with the changes that the settings ask for.
Json model_json(const TrainConfig& config, std::int64_t vocabulary);

}  // namespace filigree::language
