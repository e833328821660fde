#include "commands.h"
#include "frame.h"

namespace filigree::cli {

void setup_lm(CLI::App& app) {
  CLI::App* lm = add_command(app, {"lm", "Language models: generate text, tokenizers.",
                                   "filigree lm generate --model DIR --prompt \"Once upon a time\""});
  lm->require_subcommand(1);
  setup_lm_tokenize(*lm);
  setup_lm_torch(*lm);
}

}  // namespace filigree::cli
