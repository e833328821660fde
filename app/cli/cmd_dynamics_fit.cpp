#include <chrono>
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "commands.h"
#include "dynamics_inputs.h"
#include "frame.h"

namespace filigree::cli {
namespace {

struct Options {
  DataInputs data;
  SystemInputs system;
  std::string method, output;
  std::vector<std::string> set;
  std::optional<double> dt;
  std::int64_t seed = 0;
  bool json = false;
};

dynamics::Dataset samples(Options& options) {
  require_one_source(options.data, options.system, "dynamics fit");
  if (!options.data.input.empty()) {
    options.data.read.dt = options.dt;
    return read_dataset(options.data);
  }
  const dynamics::System system = read_system(options.system);
  dynamics::SimulateOptions& simulate = options.system.simulate;
  complete(simulate, system);
  simulate.dt = options.dt;
  simulate.seed = static_cast<std::uint64_t>(options.seed);
  return dynamics::simulate(system, simulate);
}

void run(Options options) {
  const dynamics::Method& method = read_method(options.method);
  dynamics::FitSettings settings;
  settings.options = from_words([&] { return dynamics::parse_options(method, options.set); });
  settings.seed = options.seed;
  TerminalProgress progress(stderr);
  settings.hooks.progress = &progress;
  const dynamics::Dataset data = samples(options);
  settings.options = dynamics::suited_options(method, std::move(settings.options), data);
  const auto start = std::chrono::steady_clock::now();
  const dynamics::ModelPtr model = method.fit(data, settings);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const dynamics::Cost cost = model->cost();
  if (!options.output.empty()) {
    write_file(options.output, to_text(dynamics::saved_model_json(*model, data)));
    report_written(options.output);
  }
  if (options.json) {
    Json json;
    json["method"] = model->method();
    json["options"] = method.complete(settings.options);
    json["samples"] = data.num_samples();
    json["parameters"] = cost.parameters;
    json["operations_per_step"] = cost.operations;
    json["history"] = model->history();
    json["training_seconds"] = seconds;
    json["description"] = model->describe();
    return emit({}, json);
  }
  std::string text = fmt::format("{}, fitted to {} samples of {} in {:.3g} s\n", model->method(),
                                 text::with_thousands(data.num_samples()), text::join(data.names, ", "), seconds);
  for (const std::string& line : model->describe()) text += line + "\n";
  text += fmt::format("{} parameters; {} operations a step; {} sample{} of history\n",
                      text::with_thousands(cost.parameters), text::with_thousands(cost.operations), model->history(),
                      model->history() == 1 ? "" : "s");
  emit({}, text);
}

}  // namespace

void setup_dynamics_fit(CLI::App& dynamics) {
  CLI::App* command =
      add_command(dynamics, {"fit", "Fit one method to samples and save the model.",
                             "filigree dynamics fit --input lorenz.csv --method mlp --output model.json"});
  const auto options = std::make_shared<Options>();
  add_data_inputs(*command, options->data);
  add_system_inputs(*command, options->system, true);
  add_step_and_seed(*command, options->dt, options->seed);
  command->add_option("-m,--method", options->method, "what is fitted: " + text::join(dynamics::method_names(), ", "))
      ->required()
      ->type_name("NAME");
  add_set(*command, options->set, "options of the method: hidden=16+16,training.epochs=50");
  command->add_flag("--json", options->json, "print what was found as JSON, for scripts");
  command->add_option("-o,--output", options->output, "write the model, for 'filigree dynamics forecast --model'")
      ->type_name("FILE");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
