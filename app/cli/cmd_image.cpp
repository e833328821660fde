#include "image_commands.h"
#include "torch_command.h"

namespace filigree::cli {

void setup_image(CLI::App& app) {
  CLI::App* image = add_command(
      app, {"image", "Pictures: generate from a text, edit, read their settings.", "filigree image info fox.png"});
  image->require_subcommand(1);
  add_torch_command(*image, image_generate_text());
  add_torch_command(*image, image_edit_text());
  add_torch_command(*image, image_convert_text());
  add_torch_command(*image, image_demo_text());
  add_torch_command(*image, image_init_text());
  setup_image_info(*image);
  setup_image_fetch_plan(*image);
}

}  // namespace filigree::cli
