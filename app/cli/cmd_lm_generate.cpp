#include <memory>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/progress.h"
#include "base/text.h"
#include "language/generate.h"
#include "language/text_stream.h"
#include "lm_commands.h"
#include "lm_inputs.h"
#include "prompt_file.h"
#include "sampling_inputs.h"

namespace filigree::cli {
namespace {

struct Options {
  ModelInputs model;
  std::string prompt, prompt_ids, prompts;
  std::int64_t batch = 8;
  SamplingInputs sampling;
  bool speculative = false, no_cache = false, expanded = false, json = false;
};

std::vector<std::int64_t> parse_ids(const std::string& words) {
  std::vector<std::int64_t> ids;
  for (const std::string& word : text::split(words, ',')) {
    const auto id = text::parse_int(text::trim(word));
    if (!id) throw UsageError(fmt::format("--prompt-ids: '{}' is no whole number; expected such as 1,2,3", word));
    ids.push_back(*id);
  }
  return ids;
}

Json as_json(const language::Generated& generated, const std::string& text, bool with_text) {
  Json json;
  json["ids"] = generated.ids.front();
  if (with_text) json["text"] = text;
  json["prefill_seconds"] = generated.prefill_seconds;
  json["decode_seconds"] = generated.decode_seconds;
  if (generated.proposed > 0) {
    json["proposed"] = generated.proposed;
    json["accepted"] = generated.accepted;
  }
  return json;
}

void report(const language::Generated& generated) {
  const double seconds = generated.decode_seconds;
  const auto tokens = static_cast<double>(generated.ids.front().size());
  std::string line =
      fmt::format("{} tokens, {:.1f} a second", generated.ids.front().size(), tokens / std::max(seconds, 1e-9));
  if (generated.proposed > 0) {
    line += fmt::format("; {} of {} proposals accepted", generated.accepted, generated.proposed);
  }
  fmt::print(stderr, "{}\n", line);
}

language::GenerateOptions how(const Options& options) {
  language::GenerateOptions generate = generate_options(options.sampling);
  generate.speculative = options.speculative;
  generate.cache = !options.no_cache;
  generate.absorbed = !options.expanded;
  return generate;
}

std::vector<std::int64_t> encode(const text::Tokenizer& tokenizer, const std::string& prompt) {
  const std::vector<text::TokenId> ids = tokenizer.encode(prompt);
  return {ids.begin(), ids.end()};
}

/// Continues one prompt, and prints as it comes.
void run_one(const Options& options) {
  language::GenerateOptions generate = how(options);
  std::vector<std::int64_t> ids;
  if (!options.prompt_ids.empty()) ids = parse_ids(options.prompt_ids);
  std::optional<text::Tokenizer> tokenizer;
  if (!options.prompt.empty()) {
    tokenizer = read_tokenizer(options.model);
    ids = encode(*tokenizer, options.prompt);
    if (tokenizer->named().eos) generate.stop_ids.push_back(*tokenizer->named().eos);
  } else if (!options.sampling.stop.empty()) {
    tokenizer = read_tokenizer(options.model);
  }
  const language::Model model = read_model(options.model);
  std::optional<language::TextStream> stream;
  if (tokenizer) stream.emplace(*tokenizer, options.sampling.stop);
  const bool print = !options.json && !options.prompt.empty();
  generate.on_token = [&](std::size_t, std::int64_t id) {
    if (stream) {
      const std::string part = stream->push(id);
      if (print && !part.empty()) emit({}, part);
    }
    return !(stream && stream->stopped()) && !cancelled();
  };
  const language::Generated generated = language::generate(model, {ids}, generate);
  const std::string rest = stream ? stream->finish() : "";
  if (options.json) return emit({}, as_json(generated, stream ? stream->text() : "", stream.has_value()));
  if (print) emit({}, rest + "\n");
  if (options.prompt.empty()) {
    std::vector<std::string> words;
    for (const std::int64_t id : generated.ids.front()) words.push_back(std::to_string(id));
    emit({}, text::join(words, ",") + "\n");
  }
  report(generated);
}

/// Continues some prompts together, and prints a line of JSON or a paragraph for each.
void run_batch(const Options& options, const language::Model& model, const text::Tokenizer& tokenizer,
               const std::vector<std::string>& prompts) {
  language::GenerateOptions generate = how(options);
  if (tokenizer.named().eos) generate.stop_ids.push_back(*tokenizer.named().eos);
  std::vector<std::vector<std::int64_t>> ids;
  std::vector<language::TextStream> streams;
  for (const std::string& prompt : prompts) {
    ids.push_back(encode(tokenizer, prompt));
    streams.emplace_back(tokenizer, options.sampling.stop);
  }
  generate.ends_row = [&](std::size_t row, std::int64_t id) {
    streams[row].push(id);
    return streams[row].stopped();
  };
  generate.on_token = [](std::size_t, std::int64_t) { return !cancelled(); };
  const language::Generated generated = language::generate(model, ids, generate);
  for (std::size_t row = 0; row < prompts.size(); ++row) {
    streams[row].finish();
    if (options.json) {
      const Json json = {{"prompt", prompts[row]}, {"text", streams[row].text()}, {"ids", generated.ids[row]}};
      emit({}, json.dump() + "\n");
    } else {
      emit({}, prompts[row] + streams[row].text() + "\n\n");
    }
  }
}

void run_file(const Options& options) {
  const std::vector<std::string> prompts = read_prompt_file(options.prompts);
  const text::Tokenizer tokenizer = read_tokenizer(options.model);
  const language::Model model = read_model(options.model);
  TerminalProgress terminal(stderr);
  Progress progress(&terminal, static_cast<std::int64_t>(prompts.size()), "prompts");
  const auto batch = static_cast<std::size_t>(options.batch);
  for (std::size_t begin = 0; begin < prompts.size() && !cancelled(); begin += batch) {
    const std::size_t end = std::min(begin + batch, prompts.size());
    run_batch(
        options, model, tokenizer,
        {prompts.begin() + static_cast<std::ptrdiff_t>(begin), prompts.begin() + static_cast<std::ptrdiff_t>(end)});
    progress.advance(static_cast<std::int64_t>(end - begin));
  }
}

void run(const Options& options) {
  const int given =
      (options.prompt.empty() ? 0 : 1) + (options.prompt_ids.empty() ? 0 : 1) + (options.prompts.empty() ? 0 : 1);
  if (given != 1) throw UsageError("lm generate: give one of --prompt, --prompt-ids and --prompts");
  if (!options.prompts.empty()) return run_file(options);
  run_one(options);
}

}  // namespace

void setup_lm_generate(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_generate_text());
  const auto options = std::make_shared<Options>();
  add_model_inputs(*command, options->model);
  command->add_option("-p,--prompt", options->prompt, "the text to continue")->type_name("TEXT");
  command->add_option("--prompt-ids", options->prompt_ids, "its tokens instead: 1,2,3")->type_name("IDS");
  command->add_option("--prompts", options->prompts, "a file of texts, one a line, or name.jsonl with \"prompt\"")
      ->type_name("FILE");
  command->add_option("--batch", options->batch, "so many of them together")
      ->check(whole_number(1, 1024))
      ->type_name("N")
      ->capture_default_str();
  add_sampling_inputs(*command, options->sampling);
  command->add_flag("--speculative", options->speculative,
                    "let the model's multi-token prediction propose every second token");
  command->add_flag("--no-cache", options->no_cache, "compute everything again for every token (slow; to check)");
  command->add_flag("--expanded", options->expanded, "decode with expanded keys and values (slow; to check)");
  command->add_flag("--json", options->json, "print JSON, for scripts");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
