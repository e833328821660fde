#include "language/post_training.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "language/parallelize.h"
#include "language/training.h"
#include "moe/balance.h"
#include "spec/count.h"

namespace filigree::language {
namespace {

/// The rows of a routing that are given.
moe::Routing chosen(const moe::Routing& routing, const at::Tensor& row_N) {
  return {routing.score_TE.index_select(0, row_N), routing.weight_TK.index_select(0, row_N),
          routing.expert_TK.index_select(0, row_N)};
}

/// Leaves out padding, whose part is below 0.
void drop_padding(std::vector<moe::Routing>& routings, std::size_t begin, const at::Tensor& part_BT) {
  const at::Tensor row_N = (part_BT.flatten() >= 0).nonzero().squeeze(-1);
  if (row_N.numel() == part_BT.numel()) return;
  for (std::size_t i = begin; i < routings.size(); ++i) routings[i] = chosen(routings[i], row_N);
}

at::Tensor narrowed(const at::Tensor& tensor, std::int64_t begin, std::int64_t tokens) {
  return tensor.narrow(1, begin, tokens).contiguous();
}

}  // namespace

PostTask::PostTask(Model& model, const PostOptions& options)
    : model_(model), options_(options), runner_(recompute_parts(parse_parts(options.recompute))) {}

std::vector<train::Trained> PostTask::trained() { return trained_parameters(model_); }

void PostTask::save_model(const std::filesystem::path& folder) {
  language::save_model(model_, folder.string());
  if (save_beside) save_beside(folder);
}

PostTask::Forward PostTask::forward(const ChatBatch& batch, const PartRunner* runner) const {
  Forward forward;
  Pass pass = make_pass(model_, batch);
  pass.runner = runner;
  pass.routings = &forward.routings;
  forward.hidden_BTD = model_.hidden(batch.ids_BT, pass);
  drop_padding(forward.routings, 0, batch.part_BT);
  return forward;
}

at::Tensor PostTask::predict(const ChatBatch& batch, Forward& forward, const PartRunner* runner) const {
  const std::int64_t tokens = batch.ids_BT.size(1) - 1;
  ChatBatch ahead;  // token t + 1 beside the hidden state of token t, at its place
  ahead.ids_BT = narrowed(batch.ids_BT, 1, tokens);
  ahead.position_BT = narrowed(batch.position_BT, 0, tokens);
  ahead.part_BT = narrowed(batch.part_BT, 0, tokens);
  Pass pass = make_pass(model_, ahead);
  pass.runner = runner;
  pass.routings = &forward.routings;
  const std::size_t main = forward.routings.size();
  const at::Tensor hidden = model_.predict_hidden(ahead.ids_BT, forward.hidden_BTD.narrow(1, 0, tokens), pass);
  drop_padding(forward.routings, main, ahead.part_BT);
  return hidden;
}

at::Tensor PostTask::balance(const Forward& forward) const {
  at::Tensor sum = at::zeros({}, at::TensorOptions().device(model_.device()));
  for (const moe::Routing& routing : forward.routings) {
    sum = sum + moe::balance_loss(routing, 1, moe::BalanceScope::micro_batch);
  }
  return sum;
}

void PostTask::add_load(Json& line) {
  if (!loads_.empty()) add_load_metrics(line, loads_.take());
}

Learned learned_tokens(const at::Tensor& hidden_BTD, const at::Tensor& target_BT) {
  const at::Tensor row_N = (target_BT.flatten() >= 0).nonzero().squeeze(-1);
  return {hidden_BTD.flatten(0, 1).index_select(0, row_N), target_BT.flatten().index_select(0, row_N)};
}

SftTask::SftTask(Model& model, const SftData& data, const PostOptions& options)
    : PostTask(model, options),
      training_(data.training),
      evaluation_(data.evaluation),
      rows_(data.rows),
      order_(data.training.num_rows(), data.seed) {}

std::vector<std::int64_t> SftTask::rows_of(std::int64_t batch) const {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < rows_; ++i) rows.push_back(order_(batch * rows_ + i));
  return rows;
}

void SftTask::accumulate(std::int64_t step, std::int64_t micro, std::int64_t micros) {
  std::int64_t all = 0;
  for (std::int64_t i = 0; i < micros; ++i) all += training_.num_learned(rows_of(step * micros + i));
  const std::vector<std::int64_t> rows = rows_of(step * micros + micro);
  const double part = static_cast<double>(training_.num_learned(rows)) / static_cast<double>(all);
  const ChatBatch batch = training_.batch(rows, model_.device());
  Forward found = forward(batch, &runner_);
  const auto loss_of = [](const at::Tensor& logits_NV, const at::Tensor& target_N) {
    return at::cross_entropy_loss(logits_NV.to(at::kFloat), target_N);
  };
  const Learned next = learned_tokens(found.hidden_BTD, batch.target_BT);
  const at::Tensor language = loss_of(model_.logits(next.hidden_ND), next.target_N) * part;
  at::Tensor total = language;
  if (model_.has_predictor() && options_.mtp_weight > 0) {
    const at::Tensor second_BT = batch.second_BT.narrow(1, 0, batch.second_BT.size(1) - 1);
    const Learned second = learned_tokens(predict(batch, found, &runner_), second_BT);
    if (second.target_N.numel() > 0) {
      const at::Tensor mtp = loss_of(model_.head(second.hidden_ND), second.target_N) * part;
      mtp_ += mtp.item<double>();
      total = total + options_.mtp_weight * mtp;
    }
  }
  if (options_.balance_weight > 0 && !found.routings.empty()) {
    const at::Tensor even = balance(found) / static_cast<double>(micros);
    balance_ += even.item<double>();
    total = total + options_.balance_weight * even;
  }
  total.backward();
  total_ += total.item<double>();
  language_ += language.item<double>();
  loads_.count(found.routings);
}

Json SftTask::step_metrics() {
  Json line = {{"loss", total_}, {"language_loss", language_}};
  if (model_.has_predictor() && options_.mtp_weight > 0) line["mtp_loss"] = mtp_;
  if (!model_.expert_layers().empty() && options_.balance_weight > 0) line["balance_loss"] = balance_;
  add_load(line);
  total_ = language_ = mtp_ = balance_ = 0;
  return line;
}

Json SftTask::evaluate() {
  if (evaluation_ == nullptr) return Json::object();
  const c10::NoGradGuard no_grad;
  double sum = 0, right = 0, count = 0;
  for (std::int64_t begin = 0; begin < evaluation_->num_rows(); begin += rows_) {
    std::vector<std::int64_t> rows;
    for (std::int64_t i = begin; i < std::min(begin + rows_, evaluation_->num_rows()); ++i) rows.push_back(i);
    const ChatBatch batch = evaluation_->batch(rows, model_.device());
    const Learned next = learned_tokens(forward(batch, nullptr).hidden_BTD, batch.target_BT);
    const at::Tensor logits_NV = model_.logits(next.hidden_ND).to(at::kFloat);
    const auto tokens = static_cast<double>(next.target_N.numel());
    sum += tokens * at::cross_entropy_loss(logits_NV, next.target_N).item<double>();
    right += (logits_NV.argmax(-1) == next.target_N).sum().item<double>();
    count += tokens;
  }
  return {{"eval_loss", sum / count}, {"eval_accuracy", right / count}};
}

std::string SftTask::first_not_finite(std::int64_t step, std::int64_t micros) {
  return first_bad_result([&](const PartRunner& observer) {
    for (std::int64_t micro = 0; micro < micros; ++micro) {
      forward(training_.batch(rows_of(step * micros + micro), model_.device()), &observer);
    }
  });
}

double SftTask::tokens_per_step(std::int64_t micros) const {
  return static_cast<double>(micros * rows_ * training_.length());
}

double SftTask::flops_per_token() const {
  return spec::model_flops_per_token(model_.config().model, static_cast<double>(training_.length()));
}

}  // namespace filigree::language
