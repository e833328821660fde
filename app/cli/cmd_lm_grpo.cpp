#include <memory>

#include "language/post_run.h"
#include "lm_commands.h"
#include "post_inputs.h"

namespace filigree::cli {

void setup_lm_grpo(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_grpo_text());
  const auto inputs = std::make_shared<PostInputs>();
  inputs->command = "lm grpo";
  add_post_inputs(*command, *inputs);
  add_config_options<language::GrpoConfig>(*command, inputs->words);
  command->callback([inputs] {
    const auto prepare = [&] {
      const auto config = read_post_config<language::GrpoConfig>(*inputs, {"model", "data", "reward"});
      return language::prepare_grpo(config, inputs->run);
    };
    run_post_training(*inputs, {prepare, language::run_grpo, "eval_reward"});
  });
}

}  // namespace filigree::cli
