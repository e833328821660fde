#include <filesystem>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "image/dit.h"
#include "spec/hf_config.h"

/// The transformer from files.
namespace filigree::image {
namespace {

namespace fs = std::filesystem;

/// Names of single files begin with the place of the transformer in a larger checkpoint.
std::shared_ptr<const tensor::WeightSource> open_transformer(const fs::path& path) {
  std::shared_ptr<const tensor::WeightSource> source = tensor::open_weights(path);
  for (const char* prefix : {"model.diffusion_model.", "diffusion_model.", "transformer."}) {
    if (source->has(std::string(prefix) + "x_embedder.proj.weight")) return tensor::without_prefix(source, prefix);
  }
  return source;
}

/// That of the folder, or of the file's folder; else HiDream-I1's.
spec::Dit read_config(const fs::path& path) {
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  const fs::path config = folder / "config.json";
  if (fs::exists(config)) return spec::dit_from_json(load_json(config), config.string());
  if (fs::is_directory(path)) {
    fail("{}: has no config.json; a transformer's folder holds config.json and safetensors", path.string());
  }
  return std::get<spec::Dit>(spec::load_model("hidream-i1"));
}

}  // namespace

Dit load_dit(const std::string& path, const DitLoading& loading) {
  if (!fs::exists(path)) fail("{}: no such file or folder", path);
  spec::Dit config = read_config(path);
  std::shared_ptr<const tensor::WeightSource> weights = open_transformer(path);
  if (loading.stream) return {std::move(config), std::move(weights), loading.options};
  Dit dit(std::move(config), loading.options);
  tensor::NamedTensors tensors;
  for (const nn::Parameter& parameter : dit.parameters()) tensors.emplace_back(parameter.name, parameter.value());
  tensor::read_into(tensors, *weights);
  return dit;
}

}  // namespace filigree::image
