#include <memory>

#include "image_commands.h"
#include "image_inputs.h"

namespace filigree::cli {

void setup_image_edit(CLI::App& image) {
  CLI::App* command = add_command(image, image_edit_text());
  const auto inputs = std::make_shared<ImageInputs>();
  spec::Picture& p = inputs->settings;
  add_optional(*command, "--input", p.input, "the picture to edit (PNG or JPEG)")->type_name("FILE");
  add_optional(*command, "-i,--instruction", p.prompt, "what to change")->type_name("TEXT");
  add_optional(*command, "--target", p.target, "a description of the edited picture, for E1")->type_name("TEXT");
  add_optional(*command, "--edit-transformer", p.edit_transformer,
               "the editing model (E1, E1.1); without it the model's own transformer edits")
      ->type_name("PATH");
  add_optional(*command, "--image-guidance", p.image_guidance, "weight of the input picture")
      ->check(CLI::NonNegativeNumber)
      ->type_name("X");
  add_optional(*command, "--refine", p.refine, "share of the steps that the model's own transformer finishes")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X");
  command->add_flag_callback(
      "--plain-guidance", [&p] { p.clip_norm = false; }, "three-way guidance without clipping of norms");
  add_image_inputs(*command, *inputs);
  command->callback([inputs] { run_image(*inputs, "edit"); });
}

}  // namespace filigree::cli
