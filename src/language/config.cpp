#include "language/config.h"

#include "base/error.h"
#include "nn/rotary_scaling.h"
#include "spec/hf_config.h"

namespace filigree::language {
namespace {

/// One number or flag of a published config, or what stands for it where it is absent or null.
template <class T>
T field(const Json& json, const char* key, T standard, const std::string& where) {
  if (!json.contains(key) || json[key].is_null()) return standard;
  T value = standard;
  detail::read_value(json[key], value, any_value, where, key);
  return value;
}

void read_router(Config& config, const Json& json, const std::string& where) {
  moe::RouterOptions& router = config.router;
  if (config.model.experts) router.top_k = config.model.experts->top_k;
  router.normalise = field(json, "norm_topk_prob", true, where);
  router.scale = field(json, "routed_scaling_factor", 1.0, where);
  if (config.naming == Naming::qwen) {
    router.scoring = moe::Scoring::softmax;
    router.scale = 1;
  } else if (config.naming == Naming::deepseek) {
    const std::string scoring = field<std::string>(json, "scoring_func", "sigmoid", where);
    if (scoring != "sigmoid" && scoring != "softmax") fail("{}: scoring_func '{}' is not known", where, scoring);
    router.scoring = scoring == "sigmoid" ? moe::Scoring::sigmoid : moe::Scoring::softmax;
    router.groups = field<std::int64_t>(json, "n_group", 1, where);
    router.top_groups = field<std::int64_t>(json, "topk_group", 1, where);
    router.correction = config.model.experts && config.model.experts->router_bias;
  }
}

/// Newer configs have the base and the scaling together, as rope_parameters.
void read_rotary(Config& config, const Json& json, const std::string& where) {
  config.rotary_base = field(json, "rope_theta", 10000.0, where);
  const auto given = [&](const char* key) { return json.contains(key) && !json[key].is_null(); };
  if (given("rope_scaling") && given("rope_parameters")) {
    fail("{}: rope_scaling and rope_parameters say the same thing; keep one of them", where);
  }
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    if (!given(key)) continue;
    config.rotary_scaling = nn::read_rotary_scaling(json[key], config.model.max_positions, where, key);
    config.rotary_base = field(json[key], "rope_theta", config.rotary_base, where);
    config.model.max_positions = nn::scaled_positions(config.rotary_scaling, config.model.max_positions);
  }
}

}  // namespace

Config config_from_json(const Json& json, const std::string& where) {
  Config config;
  config.model = spec::model_from_json(json, where);
  config.published = json;
  const std::string type = field<std::string>(json, "model_type", "", where);
  if (type == "pangu_ultra_moe") {
    config.naming = Naming::pangu;
  } else if (type == "deepseek_v3" || type == "kimi_k2") {
    config.naming = Naming::deepseek;
  } else if (type == "qwen3_moe" || type == "qwen3") {
    config.naming = Naming::qwen;
    config.pairs = nn::RotaryPairs::halves;
  } else {
    fail("{}: models of type '{}' cannot be run; pangu_ultra_moe, deepseek_v3, kimi_k2, qwen3 and qwen3_moe can", where,
         type);
  }
  config.norm_eps = field(json, "rms_norm_eps", 1e-6, where);
  config.inner_norm_eps = config.naming == Naming::qwen ? config.norm_eps : 1e-6;
  read_rotary(config, json, where);
  read_router(config, json, where);
  return config;
}

}  // namespace filigree::language
