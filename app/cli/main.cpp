#include "commands.h"
#include "frame.h"
#include "image_commands.h"

int main(int argc, char** argv) {
  CLI::App app("Sparse and structured networks: more model for less arithmetic.", "filigree");
  app.footer(
      "Example:\n  filigree plan estimate --model deepseekv3 --cluster h800 --layout tp=1,pp=16,ep=64,gbs=15360 "
      "--devices 2048");
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  filigree::cli::setup_plan(app);
  filigree::cli::setup_dynamics(app);
  filigree::cli::setup_demo(app);
  filigree::cli::setup_lm(app);
  filigree::cli::setup_image(app);
  filigree::cli::setup_bench(app);
  filigree::cli::setup_version(app);
  filigree::cli::setup_completion(app);
  return filigree::cli::run_program(app, argc, argv);
}
