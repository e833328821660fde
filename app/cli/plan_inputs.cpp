#include "plan_inputs.h"

#include <filesystem>
#include <system_error>
#include <variant>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "frame.h"
#include "plan/dit.h"
#include "plan/load_text.h"
#include "spec/check.h"
#include "spec/layout_text.h"
#include "spec/names.h"
#include "spec/resolve.h"

namespace filigree::cli {
namespace {

bool is_file(const std::string& path) {
  std::error_code code;
  return std::filesystem::is_regular_file(path, code);
}

}  // namespace

void add_plan_inputs(CLI::App& command, PlanInputs& inputs) {
  command.add_option("-m,--model", inputs.model, "a recipe's name, a recipe file, or a Hugging Face config.json")
      ->required()
      ->type_name("MODEL");
  command.add_option("-c,--cluster", inputs.cluster, "a cluster recipe's name or file")
      ->required()
      ->type_name("CLUSTER");
  command.add_option("-n,--devices", inputs.devices, "devices in all; without it tp·cp·pp·dp of the layout")
      ->check(whole_number(1, std::int64_t{1} << 24))
      ->type_name("N");
  command.add_option("--load", inputs.load, "load of experts: balanced, uniform, zipf:0.5, dirichlet:5 or trace:FILE")
      ->type_name("LOAD")
      ->capture_default_str();
  command.add_option("--seed", inputs.seed, "seed of the draws of an uneven load")
      ->check(whole_number(0, std::int64_t{1} << 53))
      ->type_name("N")
      ->capture_default_str();
}

std::string find_words(std::string_view kind, const std::string& name_or_path) {
  return from_words([&] {
    std::error_code code;
    const bool exists = std::filesystem::exists(name_or_path, code);
    const bool by_table_name = kind == "models" && !exists && name_or_path.find('/') == std::string::npos;
    return find_recipe(kind, by_table_name ? spec::recipe_name(name_or_path) : name_or_path).string();
  });
}

spec::AnyModel read_model(const std::string& name_or_path) {
  return spec::load_model(find_words("models", name_or_path));
}

spec::Model read_language_model(const std::string& name_or_path, const std::string& command) {
  spec::AnyModel model = read_model(name_or_path);
  if (auto* language = std::get_if<spec::Model>(&model)) return std::move(*language);
  fail("{} is a diffusion transformer, and {} plans language models only", name_or_path, command);
}

spec::Cluster read_cluster(const std::string& name_or_path) {
  return load_config<spec::Cluster>(find_words("clusters", name_or_path));
}

spec::Load read_load(const PlanInputs& inputs) {
  spec::Load load = from_words([&] { return plan::parse_load(inputs.load); });
  load.seed = inputs.seed;
  return load;
}

spec::Layout read_layout(const std::string& text_or_path) {
  if (is_file(text_or_path)) return spec::parse_layout(text_or_path);
  return from_words([&] { return spec::parse_layout(text_or_path); });
}

Subject::Subject(const PlanInputs& inputs)
    : model_(read_model(inputs.model)),
      cluster_(read_cluster(inputs.cluster)),
      load_(read_load(inputs)),
      devices_(inputs.devices),
      name_(std::filesystem::path(find_words("models", inputs.model)).stem().string()) {
  if (const auto* language = std::get_if<spec::Model>(&model_)) name_ = language->name;
}

std::string Subject::title(const plan::Estimate& estimate) const {
  return fmt::format("{} on {} × {}", name_, text::with_thousands(estimate.layout.devices), cluster_.accelerator.name);
}

plan::Estimate Subject::estimate(const std::string& text, plan::Detail detail) const {
  const spec::Layout layout = spec::complete(read_layout(text), devices_);
  if (const auto* language = std::get_if<spec::Model>(&model_)) {
    spec::check(layout, *language);
    return plan::Estimator(*language, cluster_, load_).estimate(layout, detail);
  }
  const spec::Dit& dit = std::get<spec::Dit>(model_);
  if (load_.kind != spec::LoadKind::balanced) {
    fail("--load: the router of the diffusion transformer {} is taken as balanced; leave it out", name_);
  }
  plan::check_dit(layout, dit);
  return plan::estimate_dit(dit, cluster_, layout, detail);
}

}  // namespace filigree::cli
