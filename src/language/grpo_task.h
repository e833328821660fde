#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "language/grpo.h"
#include "language/post_training.h"
#include "language/reward.h"
#include "language/rollout.h"

/// Reinforcement learning by group relative policy optimisation (arXiv 2402.03300 §4.1.1, algorithm 1).
namespace filigree::language {

struct GrpoTaskOptions {
  GrpoOptions grpo;
  PostOptions post;
  std::int64_t prompts = 8;  ///< of a step
  std::int64_t updates = 1;  ///< optimizer steps on the same answers (μ of the algorithm)
  std::int64_t answer_tokens = 64;
  double temperature = 1;
  std::int64_t evaluation_prompts = 64;
  std::uint64_t seed = 0;
};

/// The tokens of prompts. Error for an empty one, one that is with its answer longer than the model's positions, and a
/// token outside its vocabulary.
std::vector<std::vector<std::int64_t>> encode_prompts(const ChatFormat& format, const std::vector<Dialogue>& prompts,
                                                      const spec::Model& model, std::int64_t answer_tokens);

/// What the task works on; all of it outlives the task.
struct GrpoParts {
  Model& model;
  const Model* reference = nullptr;  ///< the model at the start; null where kl_weight is 0
  const ChatFormat& format;
  const std::vector<Dialogue>& prompts;
  const std::vector<Dialogue>* evaluation = nullptr;  ///< may be null
  Reward& reward;
};

/// A step draws `group` answers to each of `prompts` prompts, rewards them and makes those that are better than their group
/// likelier. Metrics: "reward", "reward_spread" (standard deviation over all answers), "informative" (part of the groups
/// whose answers differ in reward), "answer_tokens", "cut" (part of the answers without an end), "entropy", "clipped", "kl".
class GrpoTask : public PostTask {
 public:
  /// Error as of encode_prompts().
  GrpoTask(const GrpoParts& parts, const GrpoTaskOptions& options);

  std::vector<train::Trained> trained() override;
  void accumulate(std::int64_t step, std::int64_t micro, std::int64_t micros) override;
  Json step_metrics() override;

  /// Mean reward of greedy answers to the evaluation prompts.
  Json evaluate() override;
  std::string sample() override;
  Json state() const override;
  void restore(const Json& state) override;
  double tokens_per_step(std::int64_t) const override { return tokens_; }

 private:
  struct Answer {
    std::size_t prompt = 0;
    Rollout rollout;
    double reward = 0, advantage = 0;
    std::vector<double> old_log_prob, reference_log_prob;  ///< of its tokens
  };
  void draw(std::int64_t round);
  void judge();
  std::vector<std::size_t> prompts_of(std::int64_t round) const;
  ChatBatch batch(std::size_t begin, std::size_t end) const;
  at::Tensor log_probs(const Model& model, std::size_t begin, std::size_t end) const;
  std::vector<std::string> greedy(std::int64_t count, double& reward) const;

  GrpoParts parts_;
  GrpoTaskOptions task_;
  std::vector<std::vector<std::int64_t>> prompt_ids_, evaluation_ids_;
  Shuffled order_;
  std::int64_t drawn_ = -1;  ///< the round whose answers these are
  std::vector<Answer> answers_;
  double loss_ = 0, balance_ = 0, entropy_ = 0, clipped_ = 0, kl_ = 0, tokens_ = 0;  ///< of the step
};

}  // namespace filigree::language
