#include "commands.h"
#include "completion.h"
#include "frame.h"

namespace filigree::cli {

void setup_completion(CLI::App& app) {
  CLI::App* command = add_command(app, {"completion", "Print a script that completes commands and options in a shell.",
                                        "source <(filigree completion bash)"});
  command->require_subcommand(1);
  CLI::App* bash = add_command(
      *command,
      {"bash", "For bash.", "filigree completion bash > ~/.local/share/bash-completion/completions/filigree"});
  bash->callback([&app] { emit({}, bash_completion(app)); });
}

}  // namespace filigree::cli
