#include "image_commands.h"

namespace filigree::cli {

void setup_image_torch(CLI::App& app) {
  CLI::App* image = add_command(app, {"image", "Pictures.", ""});
  image->require_subcommand(1);
  setup_image_generate(*image);
  setup_image_edit(*image);
  setup_image_convert(*image);
  setup_image_demo(*image);
  setup_image_init(*image);
}

}  // namespace filigree::cli
