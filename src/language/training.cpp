#include "language/training.h"

#include <algorithm>
#include <map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "language/parallelize.h"
#include "spec/count.h"

namespace filigree::language {

std::vector<train::Trained> trained_parameters(Model& model) {
  std::vector<train::Trained> all;
  std::map<const at::Tensor*, std::size_t> place;
  for (const nn::Parameter& parameter : model.parameters()) {
    if (!parameter.trained) continue;
    const auto [found, is_new] = place.try_emplace(parameter.tensor, all.size());
    if (is_new) all.push_back({parameter.tensor, {}, parameter.value().dim() > 1});
    std::vector<std::string>& names = all[found->second].names;
    if (parameter.slice < 0) {
      names = {parameter.name};
    } else {
      names.resize(static_cast<std::size_t>(parameter.tensor->size(0)));
      names[static_cast<std::size_t>(parameter.slice)] = parameter.name;
    }
  }
  return all;
}

LanguageTask::LanguageTask(Model& model, const BatchSource& training, const BatchSource* evaluation,
                           const TrainingOptions& options)
    : model_(model),
      training_(training),
      evaluation_(evaluation),
      options_(options),
      runner_(recompute_parts(parse_parts(options.recompute))) {
  if (options.bias_rate > 0 && !model.config().router.correction) {
    fail("bias_rate: the routers of {} have no bias to balance with; use balance_weight", model.config().model.name);
  }
  std::vector<Block*> blocks = model_.predictor_blocks();
  for (Block& block : model_.blocks()) blocks.push_back(&block);
  for (Block* block : blocks) {
    if (block->experts) block->experts->dispatch_options.capacity_factor = options.capacity_factor;
  }
}

at::Tensor LanguageTask::head_loss(const at::Tensor& h_BTD, const at::Tensor& target_BT, bool predictor,
                                   const PartRunner* runner) {
  const tensor::Function function = [this, predictor](const std::vector<at::Tensor>& in) {
    const at::Tensor logits = predictor ? model_.head(in[0]) : model_.logits(in[0]);
    return std::vector<at::Tensor>{cross_entropy(logits, in[1])};
  };
  const std::vector<at::Tensor> inputs{h_BTD, target_BT};
  return runner != nullptr ? (*runner)(Part::head, model_.blocks().size(), function, inputs)[0] : function(inputs)[0];
}

at::Tensor LanguageTask::balance(const std::vector<moe::Routing>& routings) const {
  at::Tensor sum = at::zeros({}, at::TensorOptions().device(model_.device()));
  for (const moe::Routing& routing : routings) {
    sum = sum + moe::balance_loss(routing, training_.rows(), options_.balance_scope);
  }
  return sum;
}

/// total = language + mtp_weight · mtp + balance_weight · Σ over layers.
LanguageTask::Losses LanguageTask::losses(const Batch& batch, const PartRunner* runner,
                                          std::vector<moe::Routing>* routings) {
  const at::Tensor ids = batch.ids_BT1.to(model_.device());
  const std::int64_t tokens = ids.size(1) - 1;
  at::Tensor target = ids.narrow(1, 1, tokens);
  if (batch.counted_BT.defined()) target = target.masked_fill(batch.counted_BT.to(ids.device()).logical_not(), -100);
  Pass pass;
  pass.runner = runner;
  pass.routings = routings;
  pass.dropped = &dropped_;
  const at::Tensor hidden = model_.hidden(ids.narrow(1, 0, tokens), pass);
  Losses all;
  all.language = head_loss(hidden, target, false, runner);
  all.total = all.language;
  all.mtp = at::zeros_like(all.language);
  all.balance = at::zeros_like(all.language);
  if (model_.has_predictor() && options_.mtp_weight > 0 && tokens > 1) {
    const at::Tensor ahead = model_.predict_hidden(ids.narrow(1, 1, tokens - 1), hidden.narrow(1, 0, tokens - 1), pass);
    all.mtp = head_loss(ahead, target.narrow(1, 1, tokens - 1), true, runner);
    all.total = all.total + options_.mtp_weight * all.mtp;
  }
  if (options_.balance_weight > 0 && !routings->empty()) {
    all.balance = balance(*routings);
    all.total = all.total + options_.balance_weight * all.balance;
  }
  return all;
}

void LanguageTask::accumulate(std::int64_t step, std::int64_t micro, std::int64_t micros) {
  std::vector<moe::Routing> routings;
  const Losses all = losses(training_.batch(step * micros + micro), &runner_, &routings);
  (all.total / static_cast<double>(micros)).backward();
  const c10::NoGradGuard no_grad;
  const at::Tensor parts = at::stack({all.total, all.language, all.mtp, all.balance}) / static_cast<double>(micros);
  sums_ = sums_.defined() ? sums_ + parts : parts;
  loads_.count(routings);
}

void LanguageTask::add_load(Json& line) {
  step_load_ = loads_.take();
  if (!step_load_.defined()) return;
  const at::Tensor load_LE = step_load_.cpu();
  add_load_metrics(line, load_LE);
  constexpr std::int64_t kMostCurves = 16;
  if (load_LE.size(1) <= kMostCurves) {
    const at::Tensor all = load_LE.sum(0).to(at::kDouble);
    const at::Tensor share = (all / all.sum()).contiguous();
    line["expert_use"] = std::vector<double>(share.data_ptr<double>(), share.data_ptr<double>() + share.numel());
  }
  if (options_.capacity_factor > 0) {
    line["dropped"] = static_cast<double>(dropped_) / std::max(1.0, load_LE.sum().item<double>());
  }
}

Json LanguageTask::step_metrics() {
  const at::Tensor sums = sums_.to(at::kDouble).cpu();
  sums_ = at::Tensor();
  const auto* value = sums.data_ptr<double>();
  Json line = {{"loss", value[0]}, {"language_loss", value[1]}};
  if (model_.has_predictor() && options_.mtp_weight > 0) line["mtp_loss"] = value[2];
  if (!loads_.empty() && options_.balance_weight > 0) line["balance_loss"] = value[3];
  add_load(line);
  dropped_ = 0;
  return line;
}

void LanguageTask::after_step(std::int64_t) {
  if (options_.bias_rate <= 0 || !step_load_.defined()) return;
  const c10::NoGradGuard no_grad;
  std::vector<Block*> blocks;
  for (Block& block : model_.blocks()) blocks.push_back(&block);
  for (Block* block : model_.predictor_blocks()) blocks.push_back(block);
  std::int64_t layer = 0;
  for (Block* block : blocks) {
    if (!block->experts || layer >= step_load_.size(0)) continue;
    moe::update_correction(block->experts->router.correction_E, step_load_.select(0, layer++), options_.bias_rate);
  }
}

Json LanguageTask::evaluate() {
  if (evaluation_ == nullptr) return Json::object();
  const c10::NoGradGuard no_grad;
  double sum = 0;
  ExpertLoads loads;
  for (std::int64_t i = 0; i < options_.evaluation_batches; ++i) {
    std::vector<moe::Routing> routings;
    sum += losses(evaluation_->batch(i), nullptr, &routings).language.item<double>();
    loads.count(routings);
  }
  Json line = {{"eval_loss", sum / static_cast<double>(options_.evaluation_batches)}};
  if (!loads.empty()) line["eval_load_variation"] = load_variations(loads.take());
  dropped_ = 0;
  return line;
}

void LanguageTask::save_model(const std::filesystem::path& folder) {
  language::save_model(model_, folder.string());
  if (save_beside) save_beside(folder);
}

std::string LanguageTask::first_not_finite(std::int64_t step, std::int64_t micros) {
  return first_bad_result([&](const PartRunner& observer) {
    for (std::int64_t micro = 0; micro < micros; ++micro) {
      std::vector<moe::Routing> routings;
      losses(training_.batch(step * micros + micro), &observer, &routings);
    }
  });
}

double LanguageTask::tokens_per_step(std::int64_t micros) const {
  return static_cast<double>(micros * training_.rows() * training_.tokens());
}

double LanguageTask::flops_per_token() const {
  return spec::model_flops_per_token(model_.config().model, static_cast<double>(training_.tokens()));
}

}  // namespace filigree::language
