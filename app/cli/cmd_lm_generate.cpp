#include <memory>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/text.h"
#include "language/generate.h"
#include "lm_commands.h"
#include "lm_inputs.h"

namespace filigree::cli {
namespace {

struct Options {
  ModelInputs model;
  std::string prompt, prompt_ids;
  std::vector<std::string> stop;
  language::GenerateOptions generate;
  double temperature = 0.8;
  bool greedy = false, no_cache = false, expanded = false, json = false;
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

/// Prints text as it comes, and ends the generation at one of the stop strings.
class Printer {
 public:
  Printer(const text::Tokenizer& tokenizer, std::vector<std::string> stop, bool print)
      : decoder_(tokenizer), stop_(std::move(stop)), print_(print) {}

  /// False where a stop string is complete.
  bool push(std::int64_t id) {
    text_ += decoder_.push(static_cast<text::TokenId>(id));
    for (const std::string& word : stop_) {
      const std::size_t at = text_.find(word);
      if (at == std::string::npos) continue;
      text_.resize(at);
      stopped_ = true;
    }
    show(stopped_ ? text_.size() : certain());
    return !stopped_;
  }

  void finish() {
    if (!stopped_) text_ += decoder_.finish();
    show(text_.size());
    if (print_) emit({}, std::string("\n"));
  }

  const std::string& text() const { return text_; }

 private:
  /// What cannot become part of a stop string any more.
  std::size_t certain() const {
    std::size_t held = 0;
    for (const std::string& word : stop_) {
      for (std::size_t length = std::min(word.size() - 1, text_.size()); length > held; --length) {
        if (text_.ends_with(std::string_view(word).substr(0, length))) held = length;
      }
    }
    return text_.size() - held;
  }

  void show(std::size_t end) {
    if (!print_ || end <= shown_) return;
    emit({}, text_.substr(shown_, end - shown_));
    shown_ = end;
  }

  text::StreamDecoder decoder_;
  std::vector<std::string> stop_;
  bool print_, stopped_ = false;
  std::string text_;
  std::size_t shown_ = 0;
};

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

void run(Options options) {
  if (options.prompt.empty() == options.prompt_ids.empty()) {
    throw UsageError("lm generate: give either --prompt or --prompt-ids");
  }
  language::GenerateOptions& generate = options.generate;
  generate.sampling.temperature = options.greedy ? 0 : options.temperature;
  generate.cache = !options.no_cache;
  generate.absorbed = !options.expanded;
  std::vector<std::int64_t> ids;
  if (!options.prompt_ids.empty()) ids = parse_ids(options.prompt_ids);
  std::optional<text::Tokenizer> tokenizer;
  if (!options.prompt.empty()) {
    tokenizer = read_tokenizer(options.model);
    const std::vector<text::TokenId> encoded = tokenizer->encode(options.prompt);
    ids.assign(encoded.begin(), encoded.end());
    if (tokenizer->named().eos) generate.stop_ids.push_back(*tokenizer->named().eos);
  } else if (!options.stop.empty()) {
    tokenizer = read_tokenizer(options.model);
  }
  const language::Model model = read_model(options.model);
  std::optional<Printer> printer;
  if (tokenizer) printer.emplace(*tokenizer, options.stop, !options.json && !options.prompt.empty());
  generate.on_token = [&](std::size_t, std::int64_t id) { return (!printer || printer->push(id)) && !cancelled(); };
  const language::Generated generated = language::generate(model, {ids}, generate);
  if (printer) printer->finish();
  if (options.json) return emit({}, as_json(generated, printer ? printer->text() : "", printer.has_value()));
  if (options.prompt.empty()) {
    std::vector<std::string> words;
    for (const std::int64_t id : generated.ids.front()) words.push_back(std::to_string(id));
    emit({}, text::join(words, ",") + "\n");
  }
  report(generated);
}

void add_sampling(CLI::App& command, Options& options) {
  language::Sampling& sampling = options.generate.sampling;
  command.add_flag("--greedy", options.greedy, "always the likeliest token");
  command.add_option("--temperature", options.temperature, "below 1 likelier tokens, above 1 more surprise")
      ->check(CLI::NonNegativeNumber)
      ->type_name("X")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "only the k likeliest tokens; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command.add_option("--top-p", sampling.top_p, "only the likeliest tokens that together reach this probability")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X")
      ->capture_default_str();
  command
      .add_option("--repetition-penalty", sampling.repetition_penalty,
                  "above 1: tokens that occurred become less likely")
      ->check(CLI::PositiveNumber)
      ->type_name("X")
      ->capture_default_str();
  command.add_option("--seed", options.generate.seed, "of what is drawn")->type_name("N")->capture_default_str();
  command.add_option("--stop", options.stop, "end where this text comes; may be given several times")
      ->allow_extra_args(false)
      ->type_name("TEXT");
}

}  // namespace

void setup_lm_generate(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_generate_text());
  const auto options = std::make_shared<Options>();
  add_model_inputs(*command, options->model);
  command->add_option("-p,--prompt", options->prompt, "the text to continue")->type_name("TEXT");
  command->add_option("--prompt-ids", options->prompt_ids, "its tokens instead: 1,2,3")->type_name("IDS");
  command->add_option("-n,--max-new-tokens", options->generate.max_new_tokens, "end after so many tokens")
      ->check(whole_number(0, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  add_sampling(*command, *options);
  command->add_flag("--speculative", options->generate.speculative,
                    "let the model's multi-token prediction propose every second token");
  command->add_flag("--no-cache", options->no_cache, "compute everything again for every token (slow; to check)");
  command->add_flag("--expanded", options->expanded, "decode with expanded keys and values (slow; to check)");
  command->add_flag("--json", options->json, "print JSON, for scripts");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
