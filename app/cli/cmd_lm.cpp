#include "commands.h"
#include "frame.h"

namespace filigree::cli {

void setup_lm(CLI::App& app) {
  CLI::App* lm = add_command(app, {"lm", "Language models: tokenizers.",
                                   "filigree lm tokenize --tokenizer model --text \"a red fox\" --pieces"});
  lm->require_subcommand(1);
  setup_lm_tokenize(*lm);
}

}  // namespace filigree::cli
