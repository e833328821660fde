#include <filesystem>

#include <ATen/ATen.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "image/dit.h"
#include "image/memory_plan.h"
#include "spec/count.h"
#include "spec/hf_config.h"
#include "tensor/device.h"

/// The transformer from files.
namespace filigree::image {
namespace fs = std::filesystem;

std::shared_ptr<const tensor::WeightSource> open_dit_weights(const std::string& path) {
  std::shared_ptr<const tensor::WeightSource> source = tensor::open_weights(path);
  for (const char* prefix : {"model.diffusion_model.", "diffusion_model.", "transformer."}) {
    if (source->has(std::string(prefix) + "x_embedder.proj.weight")) return tensor::without_prefix(source, prefix);
  }
  return source;
}

spec::Dit read_dit_config(const std::string& path) {
  const bool is_folder = fs::is_directory(path);
  const fs::path config = (is_folder ? fs::path(path) : fs::path(path).parent_path()) / "config.json";
  if (fs::exists(config)) return spec::dit_from_json(load_json(config), config.string());
  if (is_folder) fail("{}: has no config.json; a transformer's folder holds config.json and safetensors", path);
  return std::get<spec::Dit>(spec::load_model("hidream-i1"));
}

namespace {

/// Refuses what this machine cannot hold, before the system ends the program for it.
void check_memory(const std::string& path, const spec::Dit& config, const at::TensorOptions& options) {
  if (!options.device().is_cpu()) return;
  const at::ScalarType dtype = c10::typeMetaToScalarType(options.dtype());
  const std::int64_t needed = spec::count(config).total * static_cast<std::int64_t>(c10::elementSize(dtype));
  const std::int64_t has = std::int64_t{::sysconf(_SC_PHYS_PAGES)} * ::sysconf(_SC_PAGESIZE);
  if (needed <= has) return;
  fail(
      "{}: its weights take {} as {}, but this machine has {} of memory; bring them from the file when they are needed "
      "(--stream)",
      path, bytes_text(needed), tensor::dtype_name(dtype), bytes_text(has));
}

}  // namespace

Dit load_dit(const std::string& path, const DitLoading& loading) {
  if (!fs::exists(path)) fail("{}: no such file or folder", path);
  spec::Dit config = read_dit_config(path);
  std::shared_ptr<const tensor::WeightSource> weights = with_loras(open_dit_weights(path), loading.loras);
  if (loading.stream) return {std::move(config), std::move(weights), loading.options};
  check_memory(path, config, loading.options);
  Dit dit(std::move(config), loading.options);
  tensor::NamedTensors tensors;
  for (const nn::Parameter& parameter : dit.parameters()) tensors.emplace_back(parameter.name, parameter.value());
  tensor::read_into(tensors, *weights);
  return dit;
}

}  // namespace filigree::image
