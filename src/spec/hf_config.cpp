#include "spec/hf_config.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "spec/hf_reader.h"
#include "spec/model_check.h"
#include "spec/names.h"

namespace filigree::spec {
namespace {

using detail::HfFamily;
using detail::HfReader;

/// Every published config may have these; they say how the model is run or stored, not what it is.
const std::vector<std::string_view> common_fields{"_attn_implementation",
                                                  "_name_or_path",
                                                  "add_cross_attention",
                                                  "architectures",
                                                  "auto_map",
                                                  "bad_words_ids",
                                                  "bos_token_id",
                                                  "chunk_size_feed_forward",
                                                  "cross_attention_hidden_size",
                                                  "do_sample",
                                                  "dtype",
                                                  "eos_token_id",
                                                  "finetuning_task",
                                                  "forced_bos_token_id",
                                                  "forced_eos_token_id",
                                                  "id2label",
                                                  "initializer_range",
                                                  "is_decoder",
                                                  "is_encoder_decoder",
                                                  "label2id",
                                                  "model_type",
                                                  "output_attentions",
                                                  "output_hidden_states",
                                                  "pad_token_id",
                                                  "problem_type",
                                                  "quantization_config",
                                                  "return_dict",
                                                  "sep_token_id",
                                                  "task_specific_params",
                                                  "tokenizer_class",
                                                  "torch_dtype",
                                                  "torchscript",
                                                  "transformers_version",
                                                  "unk_token_id",
                                                  "use_bfloat16",
                                                  "use_cache"};

std::string text_or_empty(const Json& json, const std::string& key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

const HfFamily& find_family(const Json& json, const std::string& where) {
  const std::string type = text_or_empty(json, "model_type");
  std::vector<std::string> known;
  for (const HfFamily& family : detail::hf_families()) {
    if (family.type == type) return family;
    known.emplace_back(family.type);
  }
  if (!type.empty()) filigree::detail::unknown_word(type, known, where, "model_type");
  std::string architecture;
  if (const auto list = json.find("architectures"); list != json.end() && list->is_array() && !list->empty()) {
    if (list->front().is_string()) architecture = list->front().get<std::string>();
  }
  for (const HfFamily& family : detail::hf_families()) {
    const auto& names = family.architectures;
    if (std::find(names.begin(), names.end(), architecture) != names.end()) return family;
  }
  fail(
      "{}: is neither a recipe (it has no key 'layers') nor a published config (its 'model_type' is missing; known are "
      "{})",
      where, text::join(known, ", "));
}

std::string name_from(const std::string& where) {
  const std::filesystem::path path(where);
  const std::string stem = path.stem().string();
  if (stem != "config") return stem;
  const std::string folder = path.parent_path().filename().string();
  return folder.empty() ? stem : folder;
}

void check_object(const Json& json, const std::string& where) {
  if (!json.is_object()) filigree::detail::wrong_type(where, "the top level", "an object", json);
}

}  // namespace

Model model_from_json(const Json& json, const std::string& where) {
  check_object(json, where);
  Model model;
  if (json.contains("layers")) {
    model = from_json<Model>(json, where);
  } else {
    const HfFamily& family = find_family(json, where);
    HfReader reader(json, where);
    reader.ignore(common_fields);
    family.read(reader, model);
    reader.finish();
    model.name = name_from(where);
  }
  check_model(model, where);
  return model;
}

Dit dit_from_json(const Json& json, const std::string& where) {
  check_object(json, where);
  Json kept = Json::object();
  for (const auto& [key, value] : json.items()) {
    if (!key.starts_with('_')) kept[key] = value;
  }
  const Dit dit = from_json<Dit>(kept, where);
  check_model(dit, where);
  return dit;
}

AnyModel any_model_from_json(const Json& json, const std::string& where) {
  check_object(json, where);
  if (json.contains("num_single_layers") || text_or_empty(json, "_class_name").starts_with("HiDream")) {
    return dit_from_json(json, where);
  }
  return model_from_json(json, where);
}

AnyModel load_model(const std::string& name_or_path) {
  std::error_code code;
  const bool is_path = std::filesystem::exists(name_or_path, code) || name_or_path.find('/') != std::string::npos;
  const std::filesystem::path path = find_recipe("models", is_path ? name_or_path : recipe_name(name_or_path));
  return any_model_from_json(load_json(path), path.string());
}

Model load_language_model(const std::string& name_or_path) {
  AnyModel model = load_model(name_or_path);
  if (!std::holds_alternative<Model>(model))
    fail("{}: is a diffusion transformer, expected a language model", name_or_path);
  return std::get<Model>(std::move(model));
}

Model cut_layers(Model model, std::int64_t layers) {
  if (layers < 1 || layers > model.layers) {
    fail("{}: cannot be cut to {} layers, expected 1 to {}", model.name, layers, model.layers);
  }
  if (layers == model.layers) return model;
  model.layers = layers;
  if (model.experts) model.dense_prefix = std::min<std::int64_t>(model.dense_prefix, 1);
  if (!model.layer_pattern.empty()) model.layer_pattern.resize(static_cast<std::size_t>(layers));
  return model;
}

}  // namespace filigree::spec
