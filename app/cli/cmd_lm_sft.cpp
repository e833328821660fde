#include <memory>

#include "language/post_run.h"
#include "lm_commands.h"
#include "post_inputs.h"

namespace filigree::cli {

void setup_lm_sft(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_sft_text());
  const auto inputs = std::make_shared<PostInputs>();
  inputs->command = "lm sft";
  add_post_inputs(*command, *inputs);
  add_config_options<language::SftConfig>(*command, inputs->words);
  command->callback([inputs] {
    const auto prepare = [&] {
      return language::prepare_sft(read_post_config<language::SftConfig>(*inputs, {"model", "data"}), inputs->run);
    };
    run_post_training(*inputs, {prepare, language::run_sft, "eval_loss"});
  });
}

}  // namespace filigree::cli
