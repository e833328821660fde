#include "language/grpo_task.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/error.h"

namespace filigree::language {
namespace {

constexpr std::int64_t kRowsAtOnce = 64;  // that are drawn, or run without gradients

/// (B, T), zero but where target_BT has a token: there the next of value_N.
at::Tensor placed(const at::Tensor& value_N, const at::Tensor& target_BT) {
  return at::zeros(target_BT.sizes(), value_N.options()).masked_scatter(target_BT >= 0, value_N);
}

std::vector<double> numbers(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

std::vector<RewardSample> samples_of(const std::vector<const Dialogue*>& prompts,
                                     const std::vector<std::string>& answers) {
  std::vector<RewardSample> samples;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    samples.push_back({prompts[i]->messages.back().content, answers[i], prompts[i]->answer});
  }
  return samples;
}

}  // namespace

std::vector<std::vector<std::int64_t>> encode_prompts(const ChatFormat& format, const std::vector<Dialogue>& prompts,
                                                      const spec::Model& model, std::int64_t answer_tokens) {
  std::vector<std::vector<std::int64_t>> all;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    all.push_back(format.encode_prompt(prompts[i].messages));
    const auto size = static_cast<std::int64_t>(all.back().size());
    if (size == 0) fail("prompt {} is empty", i + 1);
    if (model.max_positions > 0 && size + answer_tokens > model.max_positions) {
      fail("prompt {} has {} tokens; with an answer of {} that is more than the model's {} positions", i + 1, size,
           answer_tokens, model.max_positions);
    }
    for (const std::int64_t id : all.back()) {
      if (id < model.vocabulary) continue;
      fail("prompt {}: the token '{}' has the id {}, which is not within the model's 0 … {}; is this its tokenizer?",
           i + 1, format.tokenizer().piece(static_cast<text::TokenId>(id)), id, model.vocabulary - 1);
    }
  }
  return all;
}

GrpoTask::GrpoTask(const GrpoParts& parts, const GrpoTaskOptions& options)
    : PostTask(parts.model, options.post),
      parts_(parts),
      task_(options),
      prompt_ids_(encode_prompts(parts.format, parts.prompts, parts.model.config().model, options.answer_tokens)),
      order_(static_cast<std::int64_t>(parts.prompts.size()), options.seed) {
  FILIGREE_ASSERT(options.grpo.kl_weight == 0 || parts.reference != nullptr);
  FILIGREE_ASSERT(options.updates >= 1 && options.prompts >= 1 && options.temperature > 0);
  if (parts.evaluation != nullptr) {
    evaluation_ids_ = encode_prompts(parts.format, *parts.evaluation, model_.config().model, options.answer_tokens);
  }
}

std::vector<train::Trained> GrpoTask::trained() {
  // Multi-token prediction has no part in it, and weight decay must not pull at it.
  const std::int64_t layers = model_.config().model.layers;
  std::vector<train::Trained> all = PostTask::trained();
  std::erase_if(all, [&](const train::Trained& one) {
    for (std::int64_t i = 0; i < model_.config().model.mtp_layers; ++i) {
      if (one.names.front().starts_with(fmt::format("model.layers.{}.", layers + i))) return true;
    }
    return false;
  });
  return all;
}

std::vector<std::size_t> GrpoTask::prompts_of(std::int64_t round) const {
  std::vector<std::size_t> prompts;
  for (std::int64_t i = 0; i < task_.prompts; ++i) {
    prompts.push_back(static_cast<std::size_t>(order_(round * task_.prompts + i)));
  }
  return prompts;
}

/// Algorithm 1, lines 5 to 9: answers, rewards, advantages.
void GrpoTask::draw(std::int64_t round) {
  const std::vector<std::size_t> chosen = prompts_of(round);
  std::vector<std::vector<std::int64_t>> ids;
  for (const std::size_t prompt : chosen) ids.push_back(prompt_ids_[prompt]);
  RolloutOptions options;
  options.group = task_.grpo.group;
  options.max_new_tokens = task_.answer_tokens;
  options.rows = kRowsAtOnce;
  options.sampling = {.temperature = task_.temperature};
  options.stop_ids = parts_.format.stop_ids();
  options.cancellable = false;  // a step is finished, so that it can be saved
  options.seed = Random(task_.seed).fork(static_cast<std::uint64_t>(round) + 1)();
  answers_.clear();
  for (Rollout& rollout : roll_out(model_, ids, options)) {
    Answer answer;
    answer.prompt = chosen[answers_.size() / static_cast<std::size_t>(task_.grpo.group)];
    answer.rollout = std::move(rollout);
    answers_.push_back(std::move(answer));
  }
  judge();
  for (std::size_t begin = 0; begin < answers_.size(); begin += kRowsAtOnce) {
    const std::size_t end = std::min<std::size_t>(answers_.size(), begin + kRowsAtOnce);
    const auto keep = [&](const Model& model, std::vector<double> Answer::*where) {
      std::vector<double> all = numbers(log_probs(model, begin, end));
      auto next = all.begin();
      for (std::size_t i = begin; i < end; ++i) {
        const auto size = static_cast<std::ptrdiff_t>(answers_[i].rollout.answer.size());
        (answers_[i].*where).assign(next, next + size);
        next += size;
      }
    };
    if (task_.updates > 1) keep(model_, &Answer::old_log_prob);
    if (task_.grpo.kl_weight > 0) keep(*parts_.reference, &Answer::reference_log_prob);
  }
  drawn_ = round;
}

void GrpoTask::judge() {
  std::vector<const Dialogue*> prompts;
  std::vector<std::string> words;
  for (const Answer& answer : answers_) {
    prompts.push_back(&parts_.prompts[answer.prompt]);
    words.push_back(parts_.format.answer_text(answer.rollout.answer));
  }
  const std::vector<double> reward = parts_.reward.score(samples_of(prompts, words));
  const std::vector<double> advantage = group_advantages(reward, task_.grpo);
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    answers_[i].reward = reward[i];
    answers_[i].advantage = advantage[i];
  }
}

/// Answers with their prompts, one in a row, whose answers are targets.
ChatBatch GrpoTask::batch(std::size_t begin, std::size_t end) const {
  std::size_t longest = 0;
  for (std::size_t i = begin; i < end; ++i) {
    longest = std::max(longest, answers_[i].rollout.prompt.size() + answers_[i].rollout.answer.size());
  }
  const auto rows = static_cast<std::int64_t>(end - begin), tokens = static_cast<std::int64_t>(longest);
  ChatBatch out;
  out.ids_BT = at::zeros({rows, tokens}, at::kLong);
  out.target_BT = at::full({rows, tokens}, -100, at::kLong);
  out.position_BT = at::arange(tokens, at::kLong).unsqueeze(0).repeat({rows, 1});
  out.part_BT = at::full({rows, tokens}, -1, at::kLong);
  for (std::size_t i = begin; i < end; ++i) {
    const Rollout& rollout = answers_[i].rollout;
    const std::size_t row = (i - begin) * longest, answer = row + rollout.prompt.size();
    auto* const ids = out.ids_BT.data_ptr<std::int64_t>();
    std::copy(rollout.prompt.begin(), rollout.prompt.end(), ids + row);
    std::copy(rollout.answer.begin(), rollout.answer.end(), ids + answer);
    std::copy(rollout.answer.begin(), rollout.answer.end(), out.target_BT.data_ptr<std::int64_t>() + answer - 1);
    std::fill_n(out.part_BT.data_ptr<std::int64_t>() + row, rollout.prompt.size() + rollout.answer.size(), 0);
  }
  for (at::Tensor* tensor : {&out.ids_BT, &out.target_BT, &out.position_BT, &out.part_BT}) {
    *tensor = tensor->to(model_.device());
  }
  return out;
}

/// Of all tokens of these answers, one behind the other, without gradients.
at::Tensor GrpoTask::log_probs(const Model& model, std::size_t begin, std::size_t end) const {
  const c10::NoGradGuard no_grad;
  const ChatBatch rows = batch(begin, end);
  const Learned next = learned_tokens(model.hidden(rows.ids_BT, make_pass(model, rows)), rows.target_BT);
  return token_log_probs(model.logits(next.hidden_ND), next.target_N, task_.temperature);
}

void GrpoTask::accumulate(std::int64_t step, std::int64_t micro, std::int64_t micros) {
  if (drawn_ != step / task_.updates) draw(step / task_.updates);
  const auto all = static_cast<std::int64_t>(answers_.size());
  const auto begin = static_cast<std::size_t>(all * micro / micros);
  const auto end = static_cast<std::size_t>(all * (micro + 1) / micros);
  if (begin == end) return;
  const ChatBatch rows = batch(begin, end);
  const Forward found = forward(rows, &runner_);
  const Learned next = learned_tokens(found.hidden_BTD, rows.target_BT);
  const at::Tensor logits_NV = model_.logits(next.hidden_ND);
  const at::Tensor log_prob_N = token_log_probs(logits_NV, next.target_N, task_.temperature);
  StepTotals totals{.answers = all, .longest = task_.answer_tokens};
  for (const Answer& answer : answers_) totals.tokens += static_cast<std::int64_t>(answer.rollout.answer.size());
  std::vector<double> advantage, old, reference;
  for (std::size_t i = begin; i < end; ++i) {
    advantage.push_back(answers_[i].advantage);
    old.insert(old.end(), answers_[i].old_log_prob.begin(), answers_[i].old_log_prob.end());
    reference.insert(reference.end(), answers_[i].reference_log_prob.begin(), answers_[i].reference_log_prob.end());
  }
  const auto here = [&](const std::vector<double>& values) { return at::tensor(values).to(log_prob_N.options()); };
  PolicyBatch policy;
  policy.log_prob_BT = placed(log_prob_N, rows.target_BT);
  policy.old_log_prob_BT = old.empty() ? policy.log_prob_BT.detach() : placed(here(old), rows.target_BT);
  if (!reference.empty()) policy.reference_log_prob_BT = placed(here(reference), rows.target_BT);
  policy.advantage_B = here(advantage);
  policy.weight_BT = token_weights(rows.target_BT >= 0, task_.grpo.average, totals);
  const PolicyLoss result = policy_loss(policy, task_.grpo);
  at::Tensor total = result.loss;
  if (options_.balance_weight > 0 && !found.routings.empty()) {
    const at::Tensor even = balance(found) / static_cast<double>(micros);
    balance_ += even.item<double>();
    total = total + options_.balance_weight * even;
  }
  total.backward();
  loss_ += total.item<double>();
  clipped_ += result.clipped;
  kl_ += result.kl;
  const at::Tensor entropy_BT = placed(token_entropy(logits_NV.detach(), task_.temperature), rows.target_BT);
  entropy_ += (entropy_BT * policy.weight_BT).sum().item<double>();
  loads_.count(found.routings);
}

Json GrpoTask::step_metrics() {
  const auto count = static_cast<double>(answers_.size());
  double mean = 0, square = 0, tokens = 0, cut = 0;
  std::vector<double> reward;
  tokens_ = 0;
  for (const Answer& answer : answers_) {
    reward.push_back(answer.reward);
    mean += answer.reward / count;
    tokens += static_cast<double>(answer.rollout.answer.size());
    tokens_ += static_cast<double>(answer.rollout.prompt.size() + answer.rollout.answer.size());
    cut += answer.rollout.ended ? 0 : 1;
  }
  for (const double r : reward) square += (r - mean) * (r - mean) / count;
  Json line = {{"loss", loss_}, {"reward", mean}, {"reward_spread", std::sqrt(square)}};
  line["informative"] =
      static_cast<double>(informative_groups(reward, task_.grpo.group)) / static_cast<double>(task_.prompts);
  line["answer_tokens"] = tokens / count;
  line["cut"] = cut / count;
  line["entropy"] = entropy_;
  if (task_.updates > 1) line["clipped"] = clipped_;
  if (task_.grpo.kl_weight > 0) line["kl"] = kl_;
  if (!model_.expert_layers().empty() && options_.balance_weight > 0) line["balance_loss"] = balance_;
  add_load(line);
  loss_ = balance_ = entropy_ = clipped_ = kl_ = 0;
  return line;
}

/// The likeliest answers to the first evaluation prompts (training prompts where there are no others), with prompts.
std::vector<std::string> GrpoTask::greedy(std::int64_t count, double& reward) const {
  const bool own = parts_.evaluation != nullptr;
  const std::vector<Dialogue>& dialogues = own ? *parts_.evaluation : parts_.prompts;
  const std::vector<std::vector<std::int64_t>>& ids = own ? evaluation_ids_ : prompt_ids_;
  const auto size = static_cast<std::ptrdiff_t>(std::min<std::size_t>(ids.size(), static_cast<std::size_t>(count)));
  RolloutOptions options;
  options.group = 1;
  options.max_new_tokens = task_.answer_tokens;
  options.sampling = {.temperature = 0};
  options.stop_ids = parts_.format.stop_ids();
  std::vector<const Dialogue*> prompts;
  std::vector<std::string> answers, lines;
  for (const Rollout& rollout : roll_out(model_, {ids.begin(), ids.begin() + size}, options)) {
    prompts.push_back(&dialogues[answers.size()]);
    answers.push_back(parts_.format.answer_text(rollout.answer));
  }
  const std::vector<double> score = parts_.reward.score(samples_of(prompts, answers));
  reward = 0;
  for (std::size_t i = 0; i < score.size(); ++i) {
    reward += score[i] / static_cast<double>(score.size());
    lines.push_back(fmt::format("{} → {} ({:g})", prompts[i]->messages.back().content, answers[i], score[i]));
  }
  return lines;
}

Json GrpoTask::evaluate() {
  if (parts_.evaluation == nullptr) return Json::object();
  double reward = 0;
  greedy(task_.evaluation_prompts, reward);
  return {{"eval_reward", reward}};
}

std::string GrpoTask::sample() {
  constexpr std::int64_t kShown = 4;
  double reward = 0;
  return text::join(greedy(kShown, reward), "\n");
}

/// Answers that further steps work on: in memory they would be lost. Numbers in JSON keep all their bits.
Json GrpoTask::state() const {
  if (task_.updates == 1 || drawn_ < 0) return Json::object();
  Json state = {{"drawn", drawn_}, {"answers", Json::array()}};
  for (const Answer& answer : answers_) {
    state["answers"].push_back({{"prompt", answer.prompt},
                                {"ids", answer.rollout.answer},
                                {"ended", answer.rollout.ended},
                                {"reward", answer.reward},
                                {"advantage", answer.advantage},
                                {"old", answer.old_log_prob},
                                {"reference", answer.reference_log_prob}});
  }
  return state;
}

void GrpoTask::restore(const Json& state) {
  if (!state.contains("drawn")) return;
  drawn_ = state["drawn"].get<std::int64_t>();
  answers_.clear();
  for (const Json& one : state["answers"]) {
    Answer answer;
    answer.prompt = one["prompt"].get<std::size_t>();
    if (answer.prompt >= prompt_ids_.size()) fail("the run's prompts are not those that its checkpoint was made with");
    answer.rollout.prompt = prompt_ids_[answer.prompt];
    answer.rollout.answer = one["ids"].get<std::vector<std::int64_t>>();
    answer.rollout.ended = one["ended"].get<bool>();
    answer.reward = one["reward"].get<double>();
    answer.advantage = one["advantage"].get<double>();
    answer.old_log_prob = one["old"].get<std::vector<double>>();
    answer.reference_log_prob = one["reference"].get<std::vector<double>>();
    answers_.push_back(std::move(answer));
  }
}

}  // namespace filigree::language
