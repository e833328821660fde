#include <memory>

#include "image_commands.h"
#include "image_inputs.h"

namespace filigree::cli {

void setup_image_generate(CLI::App& image) {
  CLI::App* command = add_command(image, image_generate_text());
  const auto inputs = std::make_shared<ImageInputs>();
  spec::Picture& p = inputs->settings;
  add_optional(*command, "-p,--prompt", p.prompt, "what the picture shows")->type_name("TEXT");
  add_image_inputs(*command, *inputs);
  add_optional(*command, "--input", p.input, "begin with this picture (PNG or JPEG)")->type_name("FILE");
  add_optional(*command, "--strength", p.strength, "how far from the input; by default 0.6")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X");
  add_optional(*command, "--mask", p.mask, "paint the input anew where this picture is white")->type_name("FILE");
  command->callback([inputs] { run_image(*inputs, "generate"); });
}

}  // namespace filigree::cli
