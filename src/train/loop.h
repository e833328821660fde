#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/progress.h"
#include "train/adamw.h"
#include "train/run_folder.h"
#include "train/schedule.h"

/// The loop that every training of this project runs in.
namespace filigree::train {

struct LoopOptions {
  std::int64_t steps = 1000;
  std::int64_t micro_batches = 1;  ///< whose gradients make one step
  double clip_norm = 1;
  AdamWOptions optimizer = {};
  Schedule schedule = {};
  std::int64_t evaluate_every = 100;
  std::int64_t sample_every = 200;
  std::int64_t checkpoint_every = 200;
  std::int64_t keep_checkpoints = 3;
  double max_seconds = 0;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("steps", self.steps, "optimizer steps", at_least(1));
    v.optional("micro_batches", self.micro_batches, "batches whose gradients are added up for a step", at_least(1));
    v.optional("clip_norm", self.clip_norm, "longer gradients are shortened to this norm; 0: none", non_negative);
    AdamWOptions::visit(self.optimizer, v);
    Schedule::visit(self.schedule, v);
    v.optional("evaluate_every", self.evaluate_every, "steps between evaluations; 0: none", non_negative);
    v.optional("sample_every", self.sample_every, "steps between samples; 0: none", non_negative);
    v.optional("checkpoint_every", self.checkpoint_every, "steps between checkpoints; 0: the last alone", non_negative);
    v.optional("max_seconds", self.max_seconds, "stop and save after so many seconds; 0: no limit", non_negative);
    v.optional("keep_checkpoints", self.keep_checkpoints, "how many of the last are kept; 0: all", non_negative);
  }
};

/// What is trained: a model with its data and losses. The loop knows nothing else of it.
class Task {
 public:
  virtual ~Task() = default;

  /// The tensors that are trained; the optimizer takes them over, before anything else is called.
  virtual std::vector<Trained> trained() = 0;

  /// Forward and backward pass of one micro-batch, whose loss counts 1 / micros. What it is depends on step and micro
  /// alone, so that a run that goes on sees the same data.
  virtual void accumulate(std::int64_t step, std::int64_t micro, std::int64_t micros) = 0;

  /// What is known of the step's micro-batches: "loss", and other numbers or lists of numbers.
  virtual Json step_metrics() = 0;

  /// After the optimizer's step: rules that are not gradients.
  virtual void after_step(std::int64_t) {}

  /// "eval_loss" and others; empty: there is nothing to evaluate on.
  virtual Json evaluate() { return Json::object(); }

  /// Something to look at, such as generated text.
  virtual std::string sample() { return {}; }

  /// Writes the model as its users read it, into a folder.
  virtual void save_model(const std::filesystem::path& folder) = 0;

  /// What else a checkpoint must hold.
  virtual Json state() const { return Json::object(); }
  virtual void restore(const Json&) {}

  /// Runs the step's data again and names the first tensor of the forward pass that is not finite; "": none found.
  virtual std::string first_not_finite(std::int64_t, std::int64_t) { return {}; }

  virtual double tokens_per_step(std::int64_t micros) const = 0;

  /// Operations of one token, forward and backward, and operations a second that the device can do; 0: not known.
  virtual double flops_per_token() const { return 0; }
  virtual double peak_flops() const { return 0; }
};

struct LoopResult {
  std::int64_t step = 0;  ///< steps that are done
  double last_loss = 0;
  bool cancelled = false;
};

/// Trains from where the run's last checkpoint stands (the task's model must have been loaded from it) or from the
/// start, to the last step or until it is cancelled; then it saves. A run that ended anywhere, was killed even, and goes
/// on gives the same losses as one that did not, bit for bit on the CPU with as many threads.
///
/// Writes metrics.jsonl: at each step {"step", "loss", …, "gradient_norm", "learning_rate", "seconds",
/// "tokens_per_second", "mfu"}, at evaluations {"step", "eval_loss", …}, at samples {"step", "sample"}.
///
/// Error where the loss or the gradients are not finite, naming the first tensor; the last checkpoint stays as it is.
LoopResult run_loop(Task& task, const RunFolder& run, const LoopOptions& options, ProgressSink* progress = nullptr);

}  // namespace filigree::train
