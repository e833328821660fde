#include "post_inputs.h"

#include <optional>

#include <fmt/format.h>

#include "tensor/device.h"
#include "train/run_folder.h"

namespace filigree::cli {

void print_run(const RunReport& report, const std::string& run, const train::LoopResult& result) {
  const train::RunFolder folder = train::RunFolder::open(run);
  const std::string model = (folder.checkpoint(result.step) / "model").string();
  std::optional<double> score;
  for (const Json& line : folder.metrics()) {
    if (line.contains(report.score) && line[report.score].is_number()) score = line[report.score].get<double>();
  }
  if (report.json) {
    Json json = {{"run", run}, {"step", result.step}, {"loss", result.last_loss}, {"model", model}};
    if (score) json[report.score] = *score;
    return emit({}, json);
  }
  std::string text = fmt::format("step {}, loss {:.4f}", result.step, result.last_loss);
  if (score) text += fmt::format(", {} {:.4f}", report.score_words, *score);
  text += fmt::format("\nmodel: {}\ncurves: {}/live.html\n", model, run);
  if (result.cancelled) text += fmt::format("stopped; go on with: filigree {} --resume {}\n", report.command, run);
  emit({}, text);
}

void add_post_inputs(CLI::App& command, PostInputs& inputs) {
  command.add_option("-o,--output", inputs.run, "folder of the new run")->type_name("RUN");
  command.add_option("--resume", inputs.resume, "go on with this run from its last checkpoint")->type_name("RUN");
  command.add_option("--config", inputs.config, "settings as a run's resolved.json has them")->type_name("FILE");
  add_threads(command, inputs.threads);
  command.add_flag("--json", inputs.json, "print JSON, for scripts");
}

void run_post_training(const PostInputs& inputs, const PostWork& work) {
  if (inputs.resume.empty() == inputs.run.empty()) {
    throw UsageError(fmt::format("{}: give --output for a new run, or --resume for one that is there", inputs.command));
  }
  if (!inputs.resume.empty() && (!inputs.words.empty() || !inputs.config.empty())) {
    throw UsageError(
        fmt::format("{}: a run that goes on keeps its settings; leave out all but --resume", inputs.command));
  }
  tensor::use_threads(inputs.threads);
  if (const auto warning = tensor::blas_warning()) fmt::print(stderr, "{}\n", *warning);
  TerminalProgress progress(stderr);
  if (inputs.resume.empty()) fmt::print(stderr, "{}\n", work.prepare());
  const std::string folder = inputs.resume.empty() ? inputs.run : inputs.resume;
  print_run({inputs.command, work.score, work.score, inputs.json}, folder, work.train(folder, &progress));
}

}  // namespace filigree::cli
