#include <memory>

#include <fmt/format.h>

#include "base/png.h"
#include "image_commands.h"
#include "spec/picture.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string file;
  Output output;
};

void run(const Options& options) {
  const Picture picture = read_picture(options.file);
  const std::optional<spec::Picture> settings = spec::settings_from_texts(picture.texts, options.file);
  if (options.output.as_json()) {
    Json json = {{"file", options.file}, {"width", picture.width}, {"height", picture.height}};
    json["settings"] = settings ? to_json(*settings) : Json(nullptr);
    for (const auto& [key, value] : picture.texts) json["texts"][key] = value;
    return emit(options.output, json);
  }
  std::string text = fmt::format("{}: {}x{} pixels\n", options.file, picture.width, picture.height);
  if (!settings) text += "It carries no settings.\n";
  const Json json = settings ? to_json(*settings) : Json::object();
  for (const auto& [key, value] : json.items()) {
    if (value.is_array() && value.empty()) continue;
    text += fmt::format("{:17} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  emit(options.output, text);
}

}  // namespace

void setup_image_info(CLI::App& image) {
  CLI::App* command =
      add_command(image, {"info", "Print the settings that a picture carries.", "filigree image info fox.png --json"});
  const auto options = std::make_shared<Options>();
  command->add_option("picture", options->file, "a PNG of this program or of a web UI")->required()->type_name("FILE");
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
