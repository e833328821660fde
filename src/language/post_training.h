#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "language/chat_data.h"
#include "language/expert_loads.h"
#include "language/model.h"
#include "language/shuffled.h"
#include "train/loop.h"

/// Training a model further on conversations.
namespace filigree::language {

struct PostOptions {
  double mtp_weight = 0.1;       ///< of the prediction modules' loss
  double balance_weight = 0.01;  ///< of the balance loss of each layer
  std::vector<std::string> recompute = {};

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("mtp_weight", self.mtp_weight, "weight of the multi-token prediction loss", non_negative);
    v.optional("balance_weight", self.balance_weight, "weight of each layer's balance loss", non_negative);
    v.optional("recompute", self.recompute, "layer, attention, feed_forward: not kept but computed again");
  }
};

/// What supervised fine-tuning and reinforcement learning share: a forward pass over conversations in rows, the balance of
/// the experts without padding, and how the model is saved.
class PostTask : public train::Task {
 public:
  /// Keeps a reference to the model. Error for an unknown part to recompute.
  PostTask(Model& model, const PostOptions& options);

  /// Writes what belongs beside the weights, such as the tokenizer, into a model's folder.
  std::function<void(const std::filesystem::path&)> save_beside;
  /// Operations a second that the device can do; 0: MFU is not reported.
  double device_flops = 0;

  std::vector<train::Trained> trained() override;
  void save_model(const std::filesystem::path& folder) override;
  double peak_flops() const override { return device_flops; }

 protected:
  /// Of one forward pass over rows.
  struct Forward {
    at::Tensor hidden_BTD;
    std::vector<moe::Routing> routings;  ///< of the tokens that are no padding
  };
  Forward forward(const ChatBatch& batch, const PartRunner* runner) const;

  /// Adds the routings of the prediction module, which guesses the second next token; its hidden states, (B, T - 1, D).
  at::Tensor predict(const ChatBatch& batch, Forward& forward, const PartRunner* runner) const;

  /// Sum of the layers' balance losses.
  at::Tensor balance(const Forward& forward) const;

  /// Puts the experts' load since the last call into the step's metrics.
  void add_load(Json& line);

  Model& model_;
  PostOptions options_;
  PartRunner runner_;
  ExpertLoads loads_;
};

/// The rows of hidden (B, T, D) whose target is one, (N, D), and these targets, (N).
struct Learned {
  at::Tensor hidden_ND, target_N;
};
Learned learned_tokens(const at::Tensor& hidden_BTD, const at::Tensor& target_BT);

/// What fine-tuning learns from; it outlives the task.
struct SftData {
  const ChatData& training;
  const ChatData* evaluation = nullptr;  ///< may be null
  std::int64_t rows = 8;                 ///< of a batch
  std::uint64_t seed = 0;
};

/// Supervised fine-tuning: next-token loss of what the assistant says. Over the micro-batches of a step each token that is
/// learned counts the same.
class SftTask : public PostTask {
 public:
  SftTask(Model& model, const SftData& data, const PostOptions& options);

  std::function<std::string()> sampler;

  void accumulate(std::int64_t step, std::int64_t micro, std::int64_t micros) override;
  Json step_metrics() override;
  Json evaluate() override;
  std::string sample() override { return sampler ? sampler() : std::string(); }
  std::string first_not_finite(std::int64_t step, std::int64_t micros) override;
  double tokens_per_step(std::int64_t micros) const override;
  double flops_per_token() const override;

 private:
  std::vector<std::int64_t> rows_of(std::int64_t batch) const;

  const ChatData& training_;
  const ChatData* evaluation_;
  std::int64_t rows_;
  Shuffled order_;
  double total_ = 0, language_ = 0, mtp_ = 0, balance_ = 0;  ///< of the step
};

}  // namespace filigree::language
