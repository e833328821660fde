#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "language/model.h"
#include "tensor/state_dict.h"

/// Published folders: config.json beside safetensors.
namespace filigree::language {
namespace {

namespace fs = std::filesystem;

tensor::NamedTensors named(const nn::Parameters& parameters) {
  tensor::NamedTensors tensors;
  for (const nn::Parameter& parameter : parameters) tensors.emplace_back(parameter.name, parameter.value());
  return tensors;
}

/// Copies of the main embedding and head that a prediction module may carry (DeepSeek-V3's folders do).
std::vector<std::string> shared_copies(const Config& config) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < config.model.mtp_layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(config.model.layers + i);
    names.push_back(prefix + ".embed_tokens.weight");
    names.push_back(prefix + ".shared_head.head.weight");
  }
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Model load_model(const std::string& folder, const at::TensorOptions& options) {
  const fs::path path = folder;
  if (!fs::is_directory(path)) fail("{}: is no folder; a model is a folder with config.json and safetensors", folder);
  const fs::path file = path / "config.json";
  return load_model(folder, config_from_json(load_json(file), file.string()), options);
}

Model load_model(const std::string& folder, Config config, const at::TensorOptions& options) {
  const tensor::SafeTensors file = tensor::SafeTensors::open(folder);
  const std::vector<std::string> copies = shared_copies(config);
  for (const std::string& name : copies) {
    if (file.has(name)) config.shared_copies.push_back(name);
  }
  Model model(std::move(config), options);
  tensor::load_into(named(model.parameters()), file,
                    {.may_be_unexpected = [&](const std::string& name) { return contains(copies, name); }});
  return model;
}

void save_model(Model& model, const std::string& folder) {
  tensor::NamedTensors tensors = named(model.parameters());
  at::Tensor embedding, head;
  for (const auto& [name, tensor] : tensors) {
    if (name == "model.embed_tokens.weight") embedding = tensor;
    if (name == "lm_head.weight") head = tensor;
  }
  if (!head.defined()) head = embedding;
  for (const std::string& name : model.config().shared_copies) {
    tensors.emplace_back(name, name.ends_with("embed_tokens.weight") ? embedding : head);
  }
  tensor::save_folder(folder, tensors, {.metadata = {{"format", "pt"}}});
  write_file(fs::path(folder) / "config.json", to_text(model.config().published));
}

}  // namespace filigree::language
