#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "demo_part.h"
#include "language/inspect_report.h"
#include "language/train_run.h"
#include "lm_commands.h"
#include "spec/count.h"
#include "tensor/device.h"
#include "train/live_page.h"

namespace filigree::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string output = "out/lm";
  std::int64_t steps = 350;
  int threads = 0;
};

/// Texts that every Debian system has (package base-files).
constexpr const char* kTexts = "/usr/share/common-licenses";
constexpr const char* kPrompt = "This License ";

language::TrainConfig demo_config(std::int64_t steps) {
  language::TrainConfig config;
  config.model = "pangu-tiny";
  config.data = {kTexts};
  config.sequence = 128;
  config.batch = 8;
  config.sample_prompt = kPrompt;
  config.sample_tokens = 300;
  config.training.evaluation_batches = 8;
  config.loop = {.steps = steps,
                 .schedule = {.kind = train::ScheduleKind::wsd, .peak = 4e-3, .warmup_steps = 20},
                 .evaluate_every = 50,
                 .sample_every = steps,
                 .checkpoint_every = 0,
                 .max_seconds = 90};
  return config;
}

/// The last value of a key in the metrics.
Json last_value(const std::vector<Json>& lines, const std::string& key) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (line->contains(key)) return (*line)[key];
  }
  return {};
}

/// Draws a picture and notes what it shows.
template <class Drawing>
void add_drawing(DemoPart& part, const fs::path& folder, const Drawing& drawing, const DemoPicture& picture) {
  render(drawing, folder / picture.file);
  part.pictures.push_back(picture);
}

void draw(DemoPart& part, const fs::path& folder, const std::vector<Json>& lines, const language::Model& model,
          const text::Tokenizer& tokenizer) {
  for (const auto& [name, plot] : train::metric_plots(lines)) {
    if (name == "loss") {
      add_drawing(part, folder, plot,
                  {"lm-loss.png", "Loss over the steps, on the texts and on the part kept back.",
                   "Curves of the training and the evaluation loss, which fall"});
    }
    if (name == "variation") {
      add_drawing(part, folder, plot,
                  {"lm-balance.png", "How unevenly each layer's experts are loaded: the balance loss brings it down.",
                   "Curves of the spread of the experts' load over the steps"});
    }
  }
  std::vector<language::Domain> domains;
  for (const char* name : {"GPL-3", "MPL-2.0", "Artistic"}) {
    const fs::path file = fs::path(kTexts) / name;
    if (fs::exists(file)) domains.push_back(language::read_domain(tokenizer, file.string(), 4096));
  }
  if (domains.empty()) return;
  const language::Inspection inspection = language::inspect(model, domains, {.window = 128});
  add_drawing(part, folder, language::use_map(inspection),
              {"lm-experts.png", "Which experts each layer uses on three of the texts, over an even share.",
               "Heat map of expert use by layer and text"});
}

DemoPart make_part(const fs::path& folder, const train::LoopResult& result, double seconds) {
  const train::RunFolder run = train::RunFolder::open(folder / "run");
  const std::vector<Json> lines = run.metrics();
  const fs::path model_folder = run.checkpoint(result.step) / "model";
  const language::Model model = language::load_model(model_folder.string());
  const spec::Count count = spec::count(model.config().model);
  DemoPart part;
  part.title = "A small Pangu, trained on this machine";
  part.seconds = seconds;
  const double loss = last_value(lines, "eval_loss").is_number() ? last_value(lines, "eval_loss").get<double>() : 0;
  part.paragraphs = {fmt::format(
      "A model of Pangu Ultra MoE's architecture with {:.2f} million parameters, {:.2f} million of them active a token "
      "(latent attention, sandwich norm, 8 experts of which 2 are used and one shared, multi-token prediction), "
      "trained "
      "from nothing on the licences in {} (package base-files), character by character: {} steps of 1,024 characters "
      "in "
      "{:.0f} s. Evaluation loss {:.3f} nats a character.",
      static_cast<double>(count.total + count.mtp) / 1e6, static_cast<double>(count.active) / 1e6, kTexts, result.step,
      seconds, loss)};
  part.notes = {"A minute of training on a quarter of a megabyte: it spells, it does not think."};
  draw(part, folder, lines, model, text::load_tokenizer(model_folder));
  part.sample_title = "A sample";
  const Json sample = last_value(lines, "sample");
  if (sample.is_string()) part.sample = sample.get<std::string>();
  return part;
}

void run(const Options& options) {
  tensor::use_threads(options.threads);
  const fs::path folder = options.output;
  if (!fs::is_directory(kTexts)) fail("{}: is not there; the demonstration trains on these texts", kTexts);
  const auto begin = std::chrono::steady_clock::now();
  TerminalProgress progress(stderr);
  fs::remove_all(folder / "run");
  language::prepare_run(demo_config(options.steps), folder / "run", &progress);
  const train::LoopResult result = language::train_run(folder / "run", &progress);
  if (cancelled()) return emit({}, std::string("\nStopped.\n"));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const DemoPart part = make_part(folder, result, seconds);
  write_part(part, folder);
  emit({}, fmt::format("\n{}\n{}\n\n{}\n", part.title, part.paragraphs.front(), part.sample));
}

}  // namespace

void setup_lm_demo(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_demo_text());
  const auto options = std::make_shared<Options>();
  command->add_option("-o,--output", options->output, "folder for the run and its pictures")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--steps", options->steps, "of training")
      ->check(whole_number(1, 100'000))
      ->type_name("N")
      ->capture_default_str();
  add_threads(*command, options->threads);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
