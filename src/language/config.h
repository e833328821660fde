#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "moe/router.h"
#include "nn/rotary.h"
#include "spec/model.h"

/// What a language model needs to run, beside its sizes.
namespace filigree::language {

/// How its published folders call their tensors.
enum class Naming { pangu, deepseek, qwen };

struct Config {
  spec::Model model;
  Naming naming = Naming::pangu;
  double norm_eps = 1e-5;
  double inner_norm_eps = 1e-6;  ///< of the norms inside the attention
  double rotary_base = 10000;
  nn::RotaryScaling rotary_scaling = {};
  nn::RotaryPairs pairs = nn::RotaryPairs::neighbours;
  moe::RouterOptions router;
  /// Names of the copies of embedding and head that its folder had for the prediction modules; written again.
  std::vector<std::string> shared_copies = {};
  Json published = Json::object();  ///< the config.json it came from, written again unchanged
};

/// From a published config.json of openPangu-Ultra-MoE, DeepSeek-V3 or Qwen3-MoE. Error for others, and for fields
/// that would change the model in a way that cannot be run.
Config config_from_json(const Json& json, const std::string& where);

}  // namespace filigree::language
