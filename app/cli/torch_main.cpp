#include "commands.h"
#include "frame.h"
#include "image_commands.h"
#include "lm_commands.h"

/// filigree-torch: the commands that need LibTorch, started by filigree.
int main(int argc, char** argv) {
  CLI::App app("Sparse and structured networks: more model for less arithmetic.", "filigree");
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  CLI::App* lm = filigree::cli::add_command(app, {"lm", "Language models.", ""});
  lm->require_subcommand(1);
  filigree::cli::setup_lm_chat(*lm);
  filigree::cli::setup_lm_demo(*lm);
  filigree::cli::setup_lm_generate(*lm);
  filigree::cli::setup_lm_grpo(*lm);
  filigree::cli::setup_lm_inspect(*lm);
  filigree::cli::setup_lm_logits(*lm);
  filigree::cli::setup_lm_sft(*lm);
  filigree::cli::setup_lm_train(*lm);
  filigree::cli::setup_image_torch(app);
  return filigree::cli::run_program(app, argc, argv);
}
