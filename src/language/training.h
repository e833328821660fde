#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "language/batches.h"
#include "language/expert_loads.h"
#include "language/model.h"
#include "moe/balance.h"
#include "train/loop.h"

/// Training a language model: next-token loss, the loss of its prediction modules, and balance of its experts.
namespace filigree::language {

struct TrainingOptions {
  double mtp_weight = 0.1;       ///< of the prediction modules' loss
  double balance_weight = 0.01;  ///< of the balance loss of each layer
  moe::BalanceScope balance_scope = moe::BalanceScope::micro_batch;
  double bias_rate = 0;        ///< of balancing by bias, for routers that have one
  double capacity_factor = 0;  ///< 0: no token is dropped
  std::vector<std::string> recompute = {};
  std::int64_t evaluation_batches = 16;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("mtp_weight", self.mtp_weight, "weight of the multi-token prediction loss", non_negative);
    v.optional("balance_weight", self.balance_weight, "weight of each layer's balance loss", non_negative);
    v.optional("balance_scope", self.balance_scope,
               "tokens over which experts shall be balanced: sequence, micro_batch, expert_group or data_group");
    v.optional("bias_rate", self.bias_rate, "step of balancing by bias, for routers with one", non_negative);
    v.optional("capacity_factor", self.capacity_factor, "experts drop what is beyond; 0: nothing", non_negative);
    v.optional("recompute", self.recompute, "layer, attention, feed_forward, head: not kept but computed again");
    v.optional("evaluation_batches", self.evaluation_batches, "batches of an evaluation", at_least(1));
  }
};

/// What the optimizer trains of a model: norms and biases without weight decay.
std::vector<train::Trained> trained_parameters(Model& model);

class LanguageTask : public train::Task {
 public:
  /// Keeps references to all of them. `evaluation` may be null. Error for an unknown part to recompute, and for balancing
  /// by bias where the routers have none.
  LanguageTask(Model& model, const BatchSource& training, const BatchSource* evaluation,
               const TrainingOptions& options);

  /// Gives text to show in a run's log.
  std::function<std::string()> sampler;
  /// Writes what belongs beside the weights, such as the tokenizer, into a model's folder.
  std::function<void(const std::filesystem::path&)> save_beside;
  /// Operations a second that the device can do; 0: MFU is not reported.
  double device_flops = 0;

  std::vector<train::Trained> trained() override { return trained_parameters(model_); }
  void accumulate(std::int64_t step, std::int64_t micro, std::int64_t micros) override;
  Json step_metrics() override;
  void after_step(std::int64_t step) override;
  Json evaluate() override;
  std::string sample() override { return sampler ? sampler() : std::string(); }
  void save_model(const std::filesystem::path& folder) override;
  std::string first_not_finite(std::int64_t step, std::int64_t micros) override;
  double tokens_per_step(std::int64_t micros) const override;
  double flops_per_token() const override;
  double peak_flops() const override { return device_flops; }

 private:
  struct Losses {
    at::Tensor total, language, mtp, balance;
  };
  Losses losses(const Batch& batch, const PartRunner* runner, std::vector<moe::Routing>* routings);
  at::Tensor head_loss(const at::Tensor& h_BTD, const at::Tensor& target_BT, bool predictor, const PartRunner* runner);
  at::Tensor balance(const std::vector<moe::Routing>& routings) const;
  void add_load(Json& line);

  Model& model_;
  const BatchSource& training_;
  const BatchSource* evaluation_;
  TrainingOptions options_;
  PartRunner runner_;
  at::Tensor sums_;       ///< of the losses since the last step_metrics(): total, language, mtp, balance
  ExpertLoads loads_;     ///< since then
  at::Tensor step_load_;  ///< those of the last step
  std::int64_t dropped_ = 0;
};

}  // namespace filigree::language
