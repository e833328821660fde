#include "language/post_run.h"

#include <memory>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "language/grpo_task.h"
#include "language/parallelize.h"
#include "language/run_folder.h"
#include "tensor/device.h"
#include "tensor/matmul_rate.h"
#include "text/copy.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;

constexpr const char* kData = "data.jsonl";
constexpr const char* kEvaluation = "evaluation.jsonl";

at::TensorOptions placement(const PostConfig& config) {
  return at::TensorOptions().device(tensor::parse_device(config.device)).dtype(tensor::parse_dtype(config.dtype));
}

/// Of the folder's model, without its weights.
Config config_of(const fs::path& model) {
  return config_from_json(load_json(model / "config.json"), (model / "config.json").string());
}

/// Checks what both kinds of run share, and puts the place of the model into the config.
ChatFormat check(PostConfig& config, const std::vector<std::string>& recompute, const fs::path& folder) {
  if (fs::exists(folder / "resolved.json")) train::RunFolder::create(folder, {});  // refuses
  placement(config);
  parse_parts(recompute);
  const fs::path model = fs::absolute(model_folder(config.model));
  config.model = model.string();
  config_of(model);
  return {text::load_tokenizer(model), config.chat_template};
}

void write_parts(const PostConfig& config, const fs::path& folder) {
  text::copy_tokenizer(config.model, folder / "tokenizer");
  write_file(folder / kData, read_file(config.data));
  if (!config.evaluation_data.empty()) write_file(folder / kEvaluation, read_file(config.evaluation_data));
}

/// A run that is there: its settings, model and tokenizer.
template <class AnyConfig>
struct Opened {
  explicit Opened(const fs::path& folder)
      : run(train::RunFolder::open(folder)),
        config(from_json<AnyConfig>(run.resolved(), (folder / "resolved.json").string())),
        format(text::load_tokenizer(folder / "tokenizer"), config.common.chat_template),
        model(begin()) {}

  Model begin() const {
    const auto step = run.latest();
    const std::string from = step ? (run.checkpoint(*step) / "model").string() : config.common.model;
    return load_model(from, placement(config.common));
  }

  fs::path path(const char* name) const { return run.path() / name; }
  bool has_evaluation() const { return !config.common.evaluation_data.empty(); }

  train::RunFolder run;
  AnyConfig config;
  ChatFormat format;
  Model model;
};

template <class AnyConfig>
void save_tokenizer_beside(PostTask& task, const Opened<AnyConfig>& opened) {
  const fs::path tokenizer = opened.path("tokenizer");
  task.save_beside = [tokenizer](const fs::path& model_folder) { text::copy_tokenizer(tokenizer, model_folder); };
}

/// A conversation up to its first answer, and what the model says to it.
std::string sample_answer(const Model& model, const ChatFormat& format, const Dialogue& dialogue, std::int64_t tokens) {
  std::vector<text::Message> messages;
  for (const text::Message& message : dialogue.messages) {
    if (message.role == text::Role::assistant) break;
    messages.push_back(message);
  }
  if (messages.empty()) return {};
  const std::vector<std::int64_t> ids = format.encode_prompt(messages);
  const std::int64_t room = model.config().model.max_positions - static_cast<std::int64_t>(ids.size());
  if (ids.empty() || room < 1) return {};
  RolloutOptions options;
  options.group = 1;
  options.max_new_tokens = std::min(tokens, room);
  options.sampling = {.temperature = 0};
  options.stop_ids = format.stop_ids();
  options.cancellable = false;
  const std::vector<Rollout> rollouts = roll_out(model, {ids}, options);
  return messages.back().content + " → " + format.answer_text(rollouts.front().answer);
}

ChatData read_chat(const fs::path& path, const ChatFormat& format, std::int64_t length, std::int64_t vocabulary) {
  try {
    return {format, read_dialogues(path), length, vocabulary};
  } catch (const Error& error) {
    const std::string words = error.what();
    if (words.starts_with(path.string())) throw;
    fail("{}: {}", path.string(), words);
  }
}

GrpoTaskOptions task_options(const GrpoConfig& config) {
  GrpoTaskOptions options;
  options.grpo = config.grpo;
  options.post = {.mtp_weight = 0, .balance_weight = config.balance_weight, .recompute = config.recompute};
  options.prompts = config.prompts;
  options.updates = config.updates;
  options.answer_tokens = config.answer_tokens;
  options.temperature = config.temperature;
  options.evaluation_prompts = config.evaluation_prompts;
  options.seed = static_cast<std::uint64_t>(config.common.seed);
  return options;
}

}  // namespace

train::LoopOptions post_loop(double learning_rate, double weight_decay) {
  train::LoopOptions loop;
  loop.steps = 200;
  loop.optimizer.weight_decay = weight_decay;
  loop.schedule.peak = learning_rate;
  loop.evaluate_every = 20;
  loop.sample_every = 20;
  loop.checkpoint_every = 50;
  return loop;
}

std::string prepare_sft(const SftConfig& given, const fs::path& folder) {
  SftConfig config = given;
  const ChatFormat format = check(config.common, config.post.recompute, folder);
  const spec::Model model = config_of(config.common.model).model;
  if (model.max_positions > 0 && config.sequence > model.max_positions) {
    fail("sequence: {} tokens are more than the model's {} positions", config.sequence, model.max_positions);
  }
  const ChatData data = read_chat(config.common.data, format, config.sequence, model.vocabulary);
  if (!config.common.evaluation_data.empty()) {
    read_chat(config.common.evaluation_data, format, config.sequence, model.vocabulary);
  }
  write_parts(config.common, folder);
  train::RunFolder::create(folder, to_json(config));
  return data.summary();
}

std::string prepare_grpo(const GrpoConfig& given, const fs::path& folder) {
  GrpoConfig config = given;
  const ChatFormat format = check(config.common, config.recompute, folder);
  const spec::Model model = config_of(config.common.model).model;
  if (!config.reward.starts_with("command:")) make_reward(config.reward);  // a command is started when it is needed
  const std::vector<Dialogue> prompts = read_prompts(config.common.data);
  encode_prompts(format, prompts, model, config.answer_tokens);
  if (!config.common.evaluation_data.empty()) {
    encode_prompts(format, read_prompts(config.common.evaluation_data), model, config.answer_tokens);
  }
  write_parts(config.common, folder);
  train::RunFolder::create(folder, to_json(config));
  return fmt::format("{} prompts; {} answers to each of {} a step", prompts.size(), config.grpo.group, config.prompts);
}

train::LoopResult run_sft(const fs::path& folder, ProgressSink* progress) {
  Opened<SftConfig> opened(folder);
  const SftConfig& config = opened.config;
  Model& model = opened.model;
  const std::int64_t vocabulary = model.config().model.vocabulary;
  const ChatData data = read_chat(opened.path(kData), opened.format, config.sequence, vocabulary);
  std::optional<ChatData> evaluation;
  if (opened.has_evaluation()) {
    evaluation.emplace(read_chat(opened.path(kEvaluation), opened.format, config.sequence, vocabulary));
  }
  const SftData parts{data, evaluation ? &*evaluation : nullptr, config.batch,
                      static_cast<std::uint64_t>(config.common.seed)};
  SftTask task(model, parts, config.post);
  task.device_flops = tensor::matmul_rate(model.device(), model.dtype());
  save_tokenizer_beside(task, opened);
  const Dialogue shown = read_dialogues(opened.path(opened.has_evaluation() ? kEvaluation : kData)).front();
  constexpr std::int64_t kSampleTokens = 128;
  task.sampler = [&] { return sample_answer(model, opened.format, shown, kSampleTokens); };
  return train::run_loop(task, opened.run, config.loop, progress);
}

train::LoopResult run_grpo(const fs::path& folder, ProgressSink* progress) {
  Opened<GrpoConfig> opened(folder);
  const GrpoConfig& config = opened.config;
  const std::vector<Dialogue> prompts = read_prompts(opened.path(kData));
  std::vector<Dialogue> evaluation;
  if (opened.has_evaluation()) evaluation = read_prompts(opened.path(kEvaluation));
  std::optional<Model> reference;
  if (config.grpo.kl_weight > 0) reference.emplace(load_model(config.common.model, placement(config.common)));
  const std::unique_ptr<Reward> reward = make_reward(config.reward, config.reward_seconds);
  const GrpoParts parts{opened.model, reference ? &*reference : nullptr,          opened.format,
                        prompts,      evaluation.empty() ? nullptr : &evaluation, *reward};
  GrpoTask task(parts, task_options(config));
  save_tokenizer_beside(task, opened);
  return train::run_loop(task, opened.run, config.loop, progress);
}

}  // namespace filigree::language
