#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/progress.h"
#include "image/init.h"
#include "image/memory_plan.h"
#include "image_commands.h"
#include "tensor/device.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string recipe = "tiny", output, quantize = "bfloat16";
  std::uint64_t seed = 0;
  int threads = 0;
};

void run(const Options& options) {
  tensor::use_threads(options.threads);
  if (options.recipe == "tiny") {
    image::write_tiny_pipeline(options.output, options.seed);
    fmt::print(stderr, "a small pipeline with random weights: {}; its pictures are noise\n", options.output);
    return;
  }
  TerminalProgress progress(stderr);
  image::ConvertOptions convert;
  convert.form = *enum_from_name<image::WeightForm>(options.quantize);
  convert.progress = &progress;
  const image::Converted made = image::write_random_transformer(options.output, options.seed, convert);
  if (!made.complete) return;
  fmt::print(stderr, "a transformer with random weights: {}, {} tensors, {}\n", options.output, made.tensors,
             image::bytes_text(made.bytes));
}

}  // namespace

void setup_image_init(CLI::App& image) {
  CLI::App* command = add_command(image, image_init_text());
  const auto options = std::make_shared<Options>();
  command
      ->add_option("--recipe", options->recipe, "tiny: a whole pipeline; hidream-i1: a transformer of published size")
      ->check(CLI::IsMember({"tiny", "hidream-i1"}))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "a new folder")->required()->type_name("DIR");
  command->add_option("--quantize", options->quantize, "of hidream-i1: the form of its weights, as in image convert")
      ->check(CLI::IsMember(enum_all_names<image::WeightForm>()))
      ->type_name("FORM")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "of the weights")->type_name("N")->capture_default_str();
  add_threads(*command, options->threads);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
