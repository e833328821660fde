#include "sampling_inputs.h"

#include "text/utf8.h"

namespace filigree::cli {

void add_sampling_inputs(CLI::App& command, SamplingInputs& inputs) {
  language::Sampling& sampling = inputs.sampling;
  command.add_option("-n,--max-new-tokens", inputs.max_new_tokens, "end after so many tokens")
      ->check(whole_number(0, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  command.add_flag("--greedy", inputs.greedy, "always the likeliest token");
  command.add_option("--temperature", sampling.temperature, "below 1 likelier tokens, above 1 more surprise")
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
  command.add_option("--seed", inputs.seed, "of what is drawn")->type_name("N")->capture_default_str();
  command.add_option("--stop", inputs.stop, "end where this text comes; may be given several times")
      ->allow_extra_args(false)
      ->type_name("TEXT");
}

language::GenerateOptions generate_options(const SamplingInputs& inputs) {
  for (const std::string& word : inputs.stop) {
    from_words([&] { return text::check_utf8(word, "--stop"); });
  }
  language::GenerateOptions options;
  options.max_new_tokens = inputs.max_new_tokens;
  options.sampling = inputs.sampling;
  if (inputs.greedy) options.sampling.temperature = 0;
  options.seed = inputs.seed;
  return options;
}

}  // namespace filigree::cli
