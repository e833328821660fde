#include "small_models.h"

#include <ATen/ATen.h>

namespace filigree::test {
namespace {

constexpr const char* kPangu = R"({
  "architectures": ["PanguUltraMoEForCausalLM"], "model_type": "pangu_ultra_moe", "vocab_size": 50, "hidden_size": 16,
  "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 3, "num_mtp_layers": 1,
  "num_attention_heads": 2, "num_key_value_heads": 2, "num_shared_experts": 1, "num_routed_experts": 4,
  "routed_scaling_factor": 2.5, "attention_kv_lora_dim": 8, "attention_q_lora_dim": 10, "attention_qk_rope_dim": 4,
  "attention_v_dim": 6, "attention_qk_dim": 6, "num_experts_per_tok": 2, "num_dense_layers": 1,
  "norm_topk_prob": true, "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-05,
  "tie_word_embeddings": false, "rope_theta": 25600000, "sandwich_norm": true})";

constexpr const char* kDeepSeek = R"({
  "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "vocab_size": 50, "hidden_size": 16,
  "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 3, "num_nextn_predict_layers": 1,
  "num_attention_heads": 2, "num_key_value_heads": 2, "n_shared_experts": 1, "n_routed_experts": 8,
  "routed_scaling_factor": 2.5, "kv_lora_rank": 8, "q_lora_rank": 10, "qk_rope_head_dim": 4, "v_head_dim": 6,
  "qk_nope_head_dim": 6, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_group": 4,
  "topk_group": 2, "topk_method": "noaux_tc", "scoring_func": "sigmoid", "norm_topk_prob": true,
  "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-06, "tie_word_embeddings": false,
  "rope_theta": 10000})";

constexpr const char* kQwen = R"({
  "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "vocab_size": 50, "hidden_size": 16,
  "intermediate_size": 24, "moe_intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 2, "head_dim": 6, "num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": true,
  "decoder_sparse_step": 1, "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-06,
  "tie_word_embeddings": false, "rope_theta": 1000000})";

}  // namespace

Json small_config(const std::string& family) {
  return parse_json(family == "pangu" ? kPangu : family == "deepseek" ? kDeepSeek : kQwen, "small");
}

language::Model small_model(const std::string& family) {
  language::Model model(language::config_from_json(small_config(family), "small"));
  at::manual_seed(11);
  for (const nn::Parameter& parameter : model.parameters()) {
    if (parameter.value().dim() > 1) parameter.value().normal_(0, 0.3);
  }
  return model;
}

}  // namespace filigree::test
