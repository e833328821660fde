#include <filesystem>

#include <ATen/ATen.h>

#include "base/error.h"
#include "image/autoencoder.h"
#include "tensor/weight_source.h"

/// The autoencoder from a published folder.
namespace filigree::image {
namespace {

namespace fs = std::filesystem;

/// What the config says about the picture's path that is not one of FLUX's.
void check_kind(const Json& json, const std::string& where) {
  if (json.value("_class_name", "AutoencoderKL") != "AutoencoderKL") {
    fail("{}: is a {}, expected an AutoencoderKL", where, json["_class_name"].dump());
  }
  for (const auto& [key, kind] :
       {std::pair{"down_block_types", "DownEncoderBlock2D"}, {"up_block_types", "UpDecoderBlock2D"}}) {
    if (!json.contains(key)) continue;
    for (const Json& block : json[key]) {
      if (block != kind) fail("{}: {} has {}, which cannot be run; expected {}", where, key, block.dump(), kind);
    }
  }
  if (json.value("act_fn", "silu") != "silu") fail("{}: act_fn is {}, expected silu", where, json["act_fn"].dump());
}

std::int64_t whole(const Json& json, const char* key, std::int64_t otherwise, const std::string& where) {
  if (!json.contains(key)) return otherwise;
  if (!json[key].is_number_integer() || json[key].get<std::int64_t>() < 1) {
    fail("{}: {} is {}, expected a whole number above 0", where, key, json[key].dump());
  }
  return json[key].get<std::int64_t>();
}

double number(const Json& json, const char* key, double otherwise, const std::string& where) {
  if (!json.contains(key) || json[key].is_null()) return otherwise;
  if (!json[key].is_number()) fail("{}: {} is {}, expected a number", where, key, json[key].dump());
  return json[key].get<double>();
}

bool flag(const Json& json, const char* key, bool otherwise, const std::string& where) {
  if (!json.contains(key)) return otherwise;
  if (!json[key].is_boolean()) fail("{}: {} is {}, expected true or false", where, key, json[key].dump());
  return json[key].get<bool>();
}

}  // namespace

AutoencoderConfig autoencoder_from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) fail("{}: is no JSON object", where);
  check_kind(json, where);
  AutoencoderConfig c;
  c.in_channels = whole(json, "in_channels", c.in_channels, where);
  c.out_channels = whole(json, "out_channels", c.out_channels, where);
  c.latent_channels = whole(json, "latent_channels", c.latent_channels, where);
  c.layers_per_block = whole(json, "layers_per_block", c.layers_per_block, where);
  c.norm_num_groups = whole(json, "norm_num_groups", c.norm_num_groups, where);
  if (!json.contains("block_out_channels") || !json["block_out_channels"].is_array() ||
      json["block_out_channels"].empty()) {
    fail("{}: has no list block_out_channels, the channels of each resolution", where);
  }
  for (const Json& channels : json["block_out_channels"]) {
    if (!channels.is_number_integer() || channels.get<std::int64_t>() < 1 ||
        channels.get<std::int64_t>() % c.norm_num_groups != 0) {
      fail("{}: block_out_channels has {}, expected multiples of norm_num_groups = {}", where, channels.dump(),
           c.norm_num_groups);
    }
    c.block_out_channels.push_back(channels.get<std::int64_t>());
  }
  c.mid_block_add_attention = flag(json, "mid_block_add_attention", c.mid_block_add_attention, where);
  c.use_quant_conv = flag(json, "use_quant_conv", true, where);
  c.use_post_quant_conv = flag(json, "use_post_quant_conv", true, where);
  c.scaling_factor = number(json, "scaling_factor", 0.18215, where);
  c.shift_factor = number(json, "shift_factor", 0, where);
  if (c.scaling_factor == 0) fail("{}: scaling_factor is 0", where);
  return c;
}

Autoencoder load_autoencoder(const std::string& folder, const at::TensorOptions& options) {
  const fs::path path = folder;
  if (!fs::is_directory(path))
    fail("{}: is no folder; an autoencoder is a folder with config.json and safetensors", folder);
  const tensor::SafeTensors file = tensor::SafeTensors::open(path);
  Autoencoder autoencoder(autoencoder_from_json(load_json(path / "config.json"), (path / "config.json").string()),
                          options);
  tensor::NamedTensors tensors;
  for (const nn::Parameter& parameter : autoencoder.parameters()) {
    tensors.emplace_back(parameter.name, parameter.value());
  }
  tensor::read_into(tensors, *tensor::safetensors_source(file));
  return autoencoder;
}

}  // namespace filigree::image
