#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/progress.h"
#include "language/grpo.h"
#include "language/post_training.h"
#include "train/loop.h"

/// From a model and conversations to a run folder: all that `filigree lm sft` and `filigree lm grpo` do.
///
///     RUN/resolved.json, metrics.jsonl, live.html, checkpoints/   as train/run_folder.h says
///     RUN/tokenizer/, data.jsonl, evaluation.jsonl                copies, so that the run can go on
namespace filigree::language {

/// What both have.
struct PostConfig {
  std::string model;            ///< a model's folder, or a run's
  std::string data;             ///< conversations, or prompts, one JSON object a line
  std::string evaluation_data;  ///< others to evaluate on; may be empty
  std::string chat_template;    ///< "": the tokenizer's own, else plain
  std::string device = "cpu", dtype = "float32";
  std::int64_t seed = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.required("model", self.model, "folder of a model, or of the run that made it");
    v.required("data", self.data, "JSONL file to learn from");
    v.optional("evaluation_data", self.evaluation_data, "JSONL file to evaluate on");
    v.optional("chat_template", self.chat_template,
               "chatml, llama3, pangu, plain or none; by default the tokenizer's, else plain");
    v.optional("device", self.device, "cpu, cuda or cuda:1");
    v.optional("dtype", self.dtype, "of weights and computation: float32 or bfloat16 (with masters in float32)");
    v.optional("seed", self.seed, "of the order of the data and of what is drawn", non_negative);
  }
};

/// Gentler than for training from the start.
train::LoopOptions post_loop(double learning_rate, double weight_decay);

struct SftConfig {
  PostConfig common;
  std::int64_t sequence = 512;  ///< T
  std::int64_t batch = 8;       ///< B
  PostOptions post;
  train::LoopOptions loop = post_loop(1e-4, 0.01);

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    PostConfig::visit(self.common, v);
    v.optional("sequence", self.sequence, "tokens of a row, which holds several conversations", at_least(2));
    v.optional("batch", self.batch, "rows of a batch", at_least(1));
    PostOptions::visit(self.post, v);
    train::LoopOptions::visit(self.loop, v);
  }
};

struct GrpoConfig {
  PostConfig common;
  std::string reward;          ///< as of make_reward()
  double reward_seconds = 60;  ///< that a reward command may take for one answer
  std::int64_t prompts = 8;
  std::int64_t updates = 1;
  std::int64_t answer_tokens = 64;
  double temperature = 1;
  std::int64_t evaluation_prompts = 64;
  double balance_weight = 0.001;
  std::vector<std::string> recompute = {};
  GrpoOptions grpo;
  train::LoopOptions loop = post_loop(1e-5, 0);

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    PostConfig::visit(self.common, v);
    v.required("reward", self.reward, "exact, arithmetic, regex:PATTERN or command:COMMAND");
    v.optional("reward_seconds", self.reward_seconds, "that a reward command may take for one answer", positive);
    v.optional("prompts", self.prompts, "prompts of a step", at_least(1));
    v.optional("updates", self.updates, "optimizer steps on the same answers", at_least(1));
    v.optional("answer_tokens", self.answer_tokens, "longest answer", at_least(1));
    v.optional("temperature", self.temperature, "of drawing answers", positive);
    v.optional("evaluation_prompts", self.evaluation_prompts, "of an evaluation, answered greedily", at_least(1));
    v.optional("balance_weight", self.balance_weight, "weight of each layer's balance loss", non_negative);
    v.optional("recompute", self.recompute, "layer, attention, feed_forward: not kept but computed again");
    GrpoOptions::visit(self.grpo, v);
    train::LoopOptions::visit(self.loop, v);
  }
};

/// Makes the run's folder. Error where it holds a run already, and for whatever is wrong with the settings, the model or
/// the data, before anything is written. Gives a line that says what there is to learn from.
std::string prepare_sft(const SftConfig& config, const std::filesystem::path& folder);
std::string prepare_grpo(const GrpoConfig& config, const std::filesystem::path& folder);

/// Trains a prepared run, or goes on with one from its last checkpoint.
train::LoopResult run_sft(const std::filesystem::path& folder, ProgressSink* progress = nullptr);
train::LoopResult run_grpo(const std::filesystem::path& folder, ProgressSink* progress = nullptr);

}  // namespace filigree::language
