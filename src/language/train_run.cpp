#include "language/train_run.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/overrides.h"
#include "language/generate.h"
#include "language/measure_device.h"
#include "language/parallelize.h"
#include "language/token_file.h"
#include "tensor/device.h"
#include "text/copy.h"
#include "text/train.h"

namespace filigree::language {
namespace {

namespace fs = std::filesystem;

bool is_model_folder(const std::string& path) { return fs::exists(fs::path(path) / "config.json"); }

std::vector<fs::path> as_paths(const std::vector<std::string>& words) { return {words.begin(), words.end()}; }

/// Copies the files of a tokenizer, or learns one.
void make_tokenizer(const TrainConfig& config, const std::vector<fs::path>& files, const fs::path& folder,
                    ProgressSink* progress) {
  const std::string& wanted = config.tokenizer;
  constexpr std::string_view kBpe = "bpe:";
  constexpr std::int64_t kBytes = 257;  // and the end of a text
  if (wanted == "characters") return text::save_tokenizer(text::train_characters(files), folder);
  if (wanted == "bytes" || wanted.starts_with(kBpe)) {
    text::TrainOptions options{.vocabulary_size = kBytes, .progress = progress};
    if (wanted != "bytes") {
      const auto size = text::parse_int(wanted.substr(kBpe.size()));
      if (!size) fail("tokenizer '{}': expected bpe: and the number of tokens, such as bpe:4000", wanted);
      options.vocabulary_size = *size;
    }
    return text::save_tokenizer(text::train_bpe(files, options), folder);
  }
  text::load_tokenizer(wanted);  // says what is wrong with it
  text::copy_tokenizer(wanted, folder);
}

/// Puts a value where the JSON has one already, in its kind.
void change_field(Json& json, const std::string& key, const std::string& word, const std::string& where) {
  std::vector<std::string> known;
  for (const auto& [name, value] : json.items()) known.push_back(name);
  if (!json.contains(key)) {
    fail("shape: {} has no field '{}'{}", where, key, text::did_you_mean(key, known));
  }
  json[key] = detail::json_from_word(word);
}

struct Parts {
  TrainConfig config;
  text::Tokenizer tokenizer;
  TokenFile tokens;
  std::optional<TokenFile> evaluation;
};

Parts open_parts(const train::RunFolder& run) {
  const fs::path& folder = run.path();
  Parts parts{from_json<TrainConfig>(run.resolved(), (folder / "resolved.json").string()),
              text::load_tokenizer(folder / "tokenizer"), TokenFile::open(folder / "data"), std::nullopt};
  if (!parts.config.evaluation_data.empty()) parts.evaluation = TokenFile::open(folder / "evaluation");
  return parts;
}

/// The tokens to train on, and those to evaluate on behind them.
std::pair<Span, Span> split_tokens(const Parts& parts) {
  const std::int64_t all = parts.tokens.size();
  if (parts.evaluation) return {{0, all}, {0, parts.evaluation->size()}};
  const auto kept = static_cast<std::int64_t>(parts.config.evaluation_fraction * static_cast<double>(all));
  return {{0, all - kept}, {all - kept, all}};
}

/// From the last checkpoint, from the folder it goes on from, or drawn.
Model begin_model(const TrainConfig& config, const train::RunFolder& run, std::int64_t vocabulary) {
  const at::TensorOptions options =
      at::TensorOptions().device(tensor::parse_device(config.device)).dtype(tensor::parse_dtype(config.dtype));
  if (const auto step = run.latest()) return load_model((run.checkpoint(*step) / "model").string(), options);
  const Config sizes = config_from_json(model_json(config, vocabulary), config.model);
  if (is_model_folder(config.model)) return load_model(config.model, sizes, options);
  Model model(sizes, options);
  initialise(model, config.initialise, static_cast<std::uint64_t>(config.seed));
  return model;
}

/// The device as it was measured when the run began, which `plan compare` reads.
spec::Cluster device_of(const train::RunFolder& run, const Model& model) {
  const fs::path file = run.path() / "device.json";
  if (fs::exists(file)) return load_config<spec::Cluster>(file);
  const spec::Cluster cluster = measure_device(model.device(), model.dtype());
  write_file(file, to_text(to_json(cluster)));
  write_file(run.path() / "model.json", to_text(model.config().published));
  return cluster;
}

std::string sample_text(const Model& model, const text::Tokenizer& tokenizer, const TrainConfig& config) {
  std::vector<std::int64_t> prompt;
  for (const text::TokenId id : tokenizer.encode(config.sample_prompt)) prompt.push_back(id);
  if (prompt.empty()) prompt.push_back(tokenizer.named().eos.value_or(0));
  const std::int64_t room = model.config().model.max_positions;
  GenerateOptions options{.max_new_tokens = config.sample_tokens, .sampling = {.temperature = 0.8}};
  if (room > 0) {
    options.max_new_tokens = std::min(options.max_new_tokens, room - static_cast<std::int64_t>(prompt.size()));
  }
  const Generated generated = generate(model, {prompt}, options);
  std::vector<text::TokenId> ids;
  for (const std::int64_t id : generated.ids[0]) {
    if (tokenizer.contains(id)) ids.push_back(static_cast<text::TokenId>(id));
  }
  return config.sample_prompt + tokenizer.decode(ids);
}

}  // namespace

Json model_json(const TrainConfig& config, std::int64_t vocabulary) {
  const bool goes_on = is_model_folder(config.model);
  const fs::path path = goes_on ? fs::path(config.model) / "config.json" : find_recipe("models", config.model);
  Json json = load_json(path);
  config_from_json(json, path.string());  // refuses what cannot be run, before anything is changed
  for (const auto& [key, word] : config.shape) {
    if (goes_on) fail("shape: the sizes of a model that is there cannot be changed; begin with a recipe");
    change_field(json, key, word, path.string());
  }
  if (!goes_on) {
    json["vocab_size"] = vocabulary;
  } else if (json["vocab_size"].get<std::int64_t>() < vocabulary) {
    fail("the tokenizer has {} tokens, the model {} only has {}; take the model's own tokenizer", vocabulary,
         config.model, json["vocab_size"].get<std::int64_t>());
  }
  if (config.rotary_base > 0) json["rope_theta"] = config.rotary_base;
  const std::int64_t positions = json.value("max_position_embeddings", std::int64_t{0});
  json["max_position_embeddings"] = std::max(positions, config.sequence);
  return json;
}

void prepare_run(const TrainConfig& config, const fs::path& folder, ProgressSink* progress) {
  if (fs::exists(folder / "resolved.json")) train::RunFolder::create(folder, {});  // refuses
  tensor::parse_device(config.device);
  tensor::parse_dtype(config.dtype);
  parse_parts(config.training.recompute);
  if (config.data.empty()) fail("there is no text to train on; give files or folders with --data");
  const std::vector<fs::path> files = text_files(as_paths(config.data));
  config_from_json(model_json(config, 1), config.model);
  make_tokenizer(config, files, folder / "tokenizer", progress);
  const text::Tokenizer tokenizer = text::load_tokenizer(folder / "tokenizer");
  write_tokens(files, tokenizer, folder / "data", {progress});
  if (!config.evaluation_data.empty()) {
    write_tokens(text_files(as_paths(config.evaluation_data)), tokenizer, folder / "evaluation", {progress});
  }
  train::RunFolder::create(folder, to_json(config));
}

train::LoopResult train_run(const fs::path& folder, ProgressSink* progress) {
  const train::RunFolder run = train::RunFolder::open(folder);
  const Parts parts = open_parts(run);
  const TrainConfig& config = parts.config;
  const auto seed = static_cast<std::uint64_t>(config.seed);
  const auto [train_span, evaluation_span] = split_tokens(parts);
  const PackedBatches training(parts.tokens, train_span, config.batch, config.sequence, seed);
  std::optional<PackedBatches> evaluation;
  if (evaluation_span.end - evaluation_span.begin > config.sequence) {
    evaluation.emplace(parts.evaluation ? *parts.evaluation : parts.tokens, evaluation_span, config.batch,
                       config.sequence, 0);
  }
  Model model = begin_model(config, run, parts.tokenizer.vocabulary_size());
  LanguageTask task(model, training, evaluation ? &*evaluation : nullptr, config.training);
  task.device_flops = device_of(run, model).accelerator.peak_tflops.begin()->second * 1e12;
  task.sampler = [&] { return sample_text(model, parts.tokenizer, config); };
  task.save_beside = [&](const fs::path& model_folder) { text::copy_tokenizer(folder / "tokenizer", model_folder); };
  return train::run_loop(task, run, config.loop, progress);
}

}  // namespace filigree::language
