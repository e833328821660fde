#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "language/inspect_report.h"
#include "lm_commands.h"
#include "lm_inputs.h"

namespace filigree::cli {
namespace {

struct Options {
  ModelInputs model;
  std::string tokenizer, use_picture, together_picture, balance_picture;
  std::vector<std::string> texts;
  std::int64_t longest = 16384, window = 512, layer = -1;
  Output output;
};

/// The layer that --layer names, or the first one.
const language::LayerUse& chosen_layer(const language::Inspection& inspection, std::int64_t layer) {
  if (layer < 0) return inspection.layers.front();
  std::vector<std::string> names;
  for (const language::LayerUse& use : inspection.layers) {
    if (use.layer == layer) return use;
    names.push_back(std::to_string(use.layer));
  }
  throw UsageError(fmt::format("--layer: {} is no layer with experts (these are {})", layer, text::join(names, ", ")));
}

template <class Picture>
void write_picture(const Picture& picture, const std::string& path) {
  render(picture, path);
  report_written(path);
}

std::string as_text(const language::Inspection& inspection) {
  std::string out = language::layer_table(inspection).text() + "\n" + language::domain_table(inspection).text();
  if (inspection.labels.size() > 1) {
    out += "\nDivergence between texts (Jensen-Shannon, mean over the layers):\n";
    out += language::distance_table(inspection).text();
  }
  return out;
}

void run(Options options) {
  const std::string given = options.model.model;
  options.model.model = language::model_folder(given).string();
  const text::Tokenizer tokenizer =
      text::load_tokenizer(options.tokenizer.empty() ? options.model.model : options.tokenizer);
  std::vector<language::Domain> domains;
  for (const std::string& words : options.texts) {
    domains.push_back(language::read_domain(tokenizer, words, options.longest));
  }
  language::BalanceHistory history;
  if (language::is_run_folder(given)) history = language::balance_history(given);
  if (!options.balance_picture.empty() && history.steps.empty()) {
    fail("{}: has no metrics of the experts' balance over time to draw; expected a training run", given);
  }
  const language::Model model = read_model(options.model);
  TerminalProgress progress(stderr);
  const language::Inspection inspection =
      language::inspect(model, domains, {.window = options.window, .progress = &progress});
  const language::LayerUse& layer = chosen_layer(inspection, options.layer);
  if (!options.use_picture.empty()) write_picture(language::use_map(inspection), options.use_picture);
  if (!options.together_picture.empty()) {
    write_picture(language::together_map(inspection, layer), options.together_picture);
  }
  if (!options.balance_picture.empty()) {
    write_picture(language::balance_plot(history, inspection), options.balance_picture);
  }
  if (text::lower(options.output.file).ends_with(".html")) {
    language::inspect_page(inspection, history).write(options.output.file);
    report_written(options.output.file);
    return;
  }
  if (options.output.as_json()) return emit(options.output, language::to_json(inspection, history));
  emit(options.output, as_text(inspection));
}

}  // namespace

void setup_lm_inspect(CLI::App& lm) {
  CLI::App* command = add_command(lm, lm_inspect_text());
  const auto options = std::make_shared<Options>();
  command->add_option("model", options->model.model, "a published folder, or the folder of a training run")
      ->required()
      ->type_name("RUN|MODEL");
  add_placement(*command, options->model);
  command->add_option("-t,--text", options->texts, "a text file, or LABEL=FILE; give several to compare kinds of text")
      ->required()
      ->type_name("FILE");
  command->add_option("--tokenizer", options->tokenizer, "folder of the tokenizer, by default the model's")
      ->type_name("DIR");
  command->add_option("--tokens", options->longest, "read at most so many tokens of each text; 0: all")
      ->check(whole_number(0, 1'000'000'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--window", options->window, "tokens in one sequence")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  add_picture(*command, "--plot", options->use_picture, "draw the use of each expert in each layer and text");
  add_picture(*command, "--plot-together", options->together_picture, "draw which experts of a layer go together");
  command->add_option("--layer", options->layer, "of --plot-together; by default the first with experts")
      ->check(whole_number(0, 100'000))
      ->type_name("N");
  add_picture(*command, "--plot-balance", options->balance_picture, "draw the balance over the steps of a run");
  add_output(*command, options->output);
  command->get_option("--output")->description("write the result to this file (name.json: as JSON, name.html: a page)");
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
