#include "commands.h"
#include "lm_commands.h"
#include "torch_command.h"

namespace filigree::cli {

void setup_lm_torch(CLI::App& lm) {
  add_torch_command(lm, lm_chat_text());
  add_torch_command(lm, lm_demo_text());
  add_torch_command(lm, lm_generate_text());
  add_torch_command(lm, lm_grpo_text());
  add_torch_command(lm, lm_inspect_text());
  add_torch_command(lm, lm_logits_text());
  add_torch_command(lm, lm_sft_text());
  add_torch_command(lm, lm_train_text());
}

}  // namespace filigree::cli
