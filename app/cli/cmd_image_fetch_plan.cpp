#include <algorithm>
#include <memory>
#include <vector>

#include <fmt/format.h>

#include "base/table.h"
#include "base/text.h"
#include "image_commands.h"

namespace filigree::cli {
namespace {

/// What to download, as the repositories list it. Sizes in GB.
struct Source {
  std::string what, repository, files, licence;
  double gb;
};

const std::vector<std::string> kVariants{"full", "dev", "fast", "e1", "e1.1"};

std::vector<Source> sources(const std::string& variant) {
  const bool edit = variant == "e1" || variant == "e1.1";
  const std::string base = "HiDream-ai/HiDream-I1-" + std::string(variant == "dev"    ? "Dev"
                                                                  : variant == "fast" ? "Fast"
                                                                                      : "Full");
  std::vector<Source> list{
      {"transformer", base, "transformer/", "MIT", 34.2},
      {"CLIP-L", base, "text_encoder/, tokenizer/", "see the repository", 0.25},
      {"CLIP-G", base, "text_encoder_2/, tokenizer_2/", "see the repository", 1.39},
      {"T5-XXL", base, "text_encoder_3/, tokenizer_3/", "Apache-2.0", 9.52},
      {"autoencoder", base, "vae/", "Apache-2.0", 0.17},
      {"scheduler", base, "scheduler/, model_index.json", "MIT", 0.0},
      {"Llama 3.1", "meta-llama/Llama-3.1-8B-Instruct", "*.safetensors, *.json",
       "Llama 3.1 Community (to be accepted there)", 16.07},
  };
  if (edit) {
    list.push_back({"editing transformer", variant == "e1" ? "HiDream-ai/HiDream-E1-Full" : "HiDream-ai/HiDream-E1-1",
                    "transformer/", "MIT", 34.2});
  }
  return list;
}

struct Options {
  std::string variant = "full";
  Output output;
};

std::string download_line(const std::string& repository, const std::string& folder) {
  return fmt::format("hf download {} --local-dir {}\n", repository, folder);
}

std::string last_part(const std::string& repository) { return repository.substr(repository.find('/') + 1); }

void run(const Options& options) {
  const std::vector<Source> list = sources(options.variant);
  double total = 0;
  for (const Source& source : list) total += source.gb;
  if (options.output.as_json()) {
    Json json = {{"variant", options.variant}, {"gb", total}, {"files", Json::array()}};
    for (const Source& source : list) {
      json["files"].push_back({{"what", source.what},
                               {"url", "https://huggingface.co/" + source.repository},
                               {"files", source.files},
                               {"gb", source.gb},
                               {"licence", source.licence}});
    }
    return emit(options.output, json);
  }
  Table table({"what", "from huggingface.co/", "files", "GB", "licence"});
  for (const Source& source : list) {
    table.row({source.what, source.repository, source.files, fmt::format("{:.2f}", source.gb), source.licence});
  }
  std::string text =
      table.text() + fmt::format("\n{:.1f} GB in all, with Hugging Face's own program for example:\n\n", total);
  std::vector<std::string> seen;
  for (const Source& source : list) {
    if (std::find(seen.begin(), seen.end(), source.repository) != seen.end()) continue;
    seen.push_back(source.repository);
    text += download_line(source.repository, last_part(source.repository));
  }
  text += "\nSome of the repositories hold other formats too, which are not needed. ";
  text += "Sizes and licences are as the repositories stated them in 2025.\n";
  emit(options.output, text);
}

}  // namespace

void setup_image_fetch_plan(CLI::App& image) {
  CLI::App* command = add_command(image, {"fetch-plan", "Which files to download from where, with sizes and licences.",
                                          "filigree image fetch-plan --variant e1.1"});
  const auto options = std::make_shared<Options>();
  command->add_option("--variant", options->variant, "full, dev or fast for generating, e1 or e1.1 for editing")
      ->check(CLI::IsMember(kVariants))
      ->type_name("NAME")
      ->capture_default_str();
  add_output(*command, options->output);
  command->callback([options] { run(*options); });
}

}  // namespace filigree::cli
