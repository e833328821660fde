#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/json.h"
#include "spec/dit.h"
#include "spec/model.h"

/// Models from JSON: our own recipes and configs as published on Hugging Face.
namespace filigree::spec {

/// A language model from a recipe of ours (it has the key "layers") or from a published config of one of the families
/// openPangu-Ultra-MoE, DeepSeek-V2 and -V3, Kimi-K2, Mixtral, Qwen3, Qwen3-MoE, gpt-oss, Llama, GPT-2 and Nemotron-H,
/// known by `model_type`, else by `architectures`. A published config has no name of its own: the model is called after
/// `where`, the file's stem, or its folder where the file is config.json.
///
/// Error on a missing, an unknown (with the nearest known) or a mistyped field, on an unknown family, and on fields that
/// contradict one another.
Model model_from_json(const Json& json, const std::string& where);

/// A diffusion transformer from the published config of HiDream-I1 or a recipe with its names; keys that begin with '_'
/// are ignored.
Dit dit_from_json(const Json& json, const std::string& where);

using AnyModel = std::variant<Model, Dit>;

/// Either of the two, told apart by the fields.
AnyModel any_model_from_json(const Json& json, const std::string& where);

/// A model by path (a file, or a folder with config.json) or by the name of a recipe, written as in spec/names.h.
AnyModel load_model(const std::string& name_or_path);

/// As load_model, where only a language model will do. Error for a diffusion transformer.
Model load_language_model(const std::string& name_or_path);

/// The model with its first `layers` layers only. A mixture of experts keeps at most one of its leading dense layers, as
/// published measurements of cut models do. Error where the model has fewer layers.
Model cut_layers(Model model, std::int64_t layers);

}  // namespace filigree::spec
