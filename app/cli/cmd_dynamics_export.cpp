#include <cctype>
#include <memory>

#include "commands.h"
#include "dynamics/export_header.h"
#include "dynamics/methods.h"
#include "frame.h"

namespace filigree::cli {
namespace {

struct Options {
  std::string model, name, output;
};

/// The stem of the output file, or of the model's, with '_' for what no C++ name can have.
std::string default_name(const Options& options) {
  const std::filesystem::path path = options.output.empty() ? options.model : options.output;
  std::string name;
  for (const char c : path.stem().string()) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  if (!name.empty() && name.back() == '_') name.pop_back();
  return name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0 ? "model_" + name : name;
}

void run(const Options& options) {
  const dynamics::SavedModel saved = dynamics::read_saved_model(options.model);
  const std::string name = options.name.empty() ? default_name(options) : options.name;
  const std::string header = dynamics::export_header(saved.model->to_json(), name);
  emit({.file = options.output}, header);
}

}  // namespace

void setup_dynamics_export(CLI::App& dynamics) {
  CLI::App* command = add_command(
      dynamics, {"export", "Write a saved network as one C++17 header that needs nothing else, for small computers.",
                 "filigree dynamics export --model model.json --output pendulum.h"});
  const auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "a model of method stnn or mlp, as 'filigree dynamics fit' wrote it")
      ->required()
      ->type_name("FILE");
  command->add_option("--name", options->name, "the header's namespace; otherwise the name of the output file")
      ->type_name("NAME");
  command->add_option("-o,--output", options->output, "write the header here instead of printing it")
      ->type_name("FILE");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
