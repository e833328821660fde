#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/progress.h"
#include "image/convert.h"
#include "image/dit.h"
#include "image/memory_plan.h"
#include "image/pipeline.h"
#include "image_commands.h"
#include "tensor/device.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string input, output, form = "bfloat16";
  std::vector<std::string> loras;
  int threads = 0;
};

void run(const Options& options) {
  tensor::use_threads(options.threads);
  const fs::path inside = fs::path(options.input) / "transformer";
  const std::string input = fs::is_directory(inside) ? inside.string() : options.input;
  if (!fs::exists(input)) fail("{}: no such file or folder", input);
  const fs::path output = options.output;
  if (fs::exists(output) && (!fs::is_directory(output) || !fs::is_empty(output))) {
    fail("{}: is there already; give a name that is free", options.output);
  }
  const spec::Dit config = image::read_dit_config(input);
  TerminalProgress progress(stderr);
  image::ConvertOptions convert;
  convert.form = *enum_from_name<image::WeightForm>(options.form);
  convert.metadata = {{"format", "pt"}};
  convert.progress = &progress;
  const auto source = image::with_loras(image::open_dit_weights(input), image::parse_loras(options.loras));
  const image::Converted made =
      image::convert_weights(*source, output / "diffusion_pytorch_model.safetensors", convert);
  if (!made.complete) return;
  Json json = to_json(config);
  json["_class_name"] = "HiDreamImageTransformer2DModel";
  write_file(output / "config.json", to_text(json));
  fmt::print(stderr, "{}: {} tensors, {} of them packed, {}\n", options.output, made.tensors, made.packed,
             image::bytes_text(made.bytes));
}

}  // namespace

void setup_image_convert(CLI::App& image) {
  CLI::App* command = add_command(image, image_convert_text());
  const auto options = std::make_shared<Options>();
  command
      ->add_option("--input", options->input,
                   "a transformer: a folder or a single file, safetensors or GGUF; or a pipeline folder that has one")
      ->required()
      ->type_name("PATH");
  command->add_option("-o,--output", options->output, "a new folder, to be given as --transformer")
      ->required()
      ->type_name("DIR");
  command->add_option("--form", options->form, "of the weights")
      ->check(CLI::IsMember(enum_all_names<image::WeightForm>()))
      ->type_name("FORM")
      ->capture_default_str();
  command
      ->add_option("--lora", options->loras, "a LoRA to merge, with its strength: FILE:0.8; may be given several times")
      ->allow_extra_args(false)
      ->type_name("FILE");
  add_threads(*command, options->threads);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
