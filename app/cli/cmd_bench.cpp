#include "commands.h"
#include "frame.h"

namespace filigree::cli {

void setup_bench(CLI::App& app) {
  CLI::App* bench = add_command(
      app, {"bench", "Measure this program against published results and plainer ways.", "filigree bench dynamics"});
  bench->require_subcommand(1);
  setup_bench_dynamics(*bench);
}

}  // namespace filigree::cli
