#include <chrono>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/progress.h"
#include "demo_part.h"
#include "image/init.h"
#include "image/pipeline.h"
#include "image_commands.h"
#include "tensor/device.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string output = "out/image";
  int threads = 0;
};

spec::Picture demo_settings(const fs::path& model) {
  spec::Picture settings;
  settings.task = "generate";
  settings.model = model.string();
  settings.llama = (model / "llama").string();
  settings.prompt = "a red fox in the snow";
  settings.negative = "blurred";
  settings.scheduler = "unipc";
  settings.steps = 8;
  settings.guidance = 5;
  settings.width = settings.height = 128;
  settings.seed = 7;
  return settings;
}

/// The settings that the written picture carries, one a line.
std::string settings_text(const fs::path& file) {
  const auto settings = spec::settings_from_texts(read_picture_texts(file), file.string());
  std::string text;
  if (!settings) return text;
  const Json json = to_json(*settings);
  for (const auto& [key, value] : json.items()) {
    if (value.is_null() || (value.is_array() && value.empty()) || key == "model" || key == "llama") continue;
    text += fmt::format("{:12} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

void run(const Options& options) {
  tensor::use_threads(options.threads);
  const fs::path folder = options.output, model = folder / "tiny";
  const auto begin = std::chrono::steady_clock::now();
  fs::remove_all(model);
  image::write_tiny_pipeline(model, 0);
  TerminalProgress progress(stderr);
  const image::Made made = image::make_pictures(image::resolve(demo_settings(model)), 1, {}, {.progress = &progress});
  if (cancelled() || made.pictures.empty()) return emit({}, std::string("\nStopped.\n"));
  write_png(folder / "picture.png", made.pictures.front());
  DemoPart part;
  part.title = "A picture through the whole of HiDream's pipeline";
  part.paragraphs = {
      "Four text encoders (CLIP-L, CLIP-G, T5, Llama), a sparse diffusion transformer under guidance in 8 steps of "
      "UniPC, "
      "and the autoencoder, all of the published architecture but small. The published models are used in the same "
      "way: "
      "filigree image generate --model HiDream-I1-Full --llama Llama-3.1-8B-Instruct --prompt \"a red fox in the "
      "snow\"."};
  part.notes = {"The weights are random, so the picture is noise: it shows that the way through works, nothing else."};
  part.pictures = {{"picture.png", "What random weights make of \"a red fox in the snow\".", "Coloured noise"}};
  part.sample_title = "Settings, read back from the picture";
  part.sample = settings_text(folder / "picture.png");
  part.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  write_part(part, folder);
  emit({}, fmt::format("\n{} ({:.1f} s; random weights)\n{}", part.title, part.seconds, part.sample));
}

}  // namespace

void setup_image_demo(CLI::App& image) {
  CLI::App* command = add_command(image, image_demo_text());
  const auto options = std::make_shared<Options>();
  command->add_option("-o,--output", options->output, "folder for the picture and the small pipeline")
      ->type_name("DIR")
      ->capture_default_str();
  add_threads(*command, options->threads);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
