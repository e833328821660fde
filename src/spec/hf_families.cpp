#include <algorithm>

#include "spec/hf_reader.h"

/// One function for each family: which published field is which number of the specification.
namespace filigree::spec::detail {
namespace {

/// Names by which most families call the same things.
void read_common(HfReader& r, Model& m) {
  m.layers = r.size("num_hidden_layers");
  m.hidden = r.size("hidden_size");
  m.vocabulary = r.size("vocab_size");
  m.attention.heads = r.size("num_attention_heads");
  m.attention.kv_heads = r.size("num_key_value_heads", m.attention.heads);
  m.max_positions = r.count("max_position_embeddings", 0);
  m.tied_embeddings = r.flag("tie_word_embeddings", false);
  r.ignore({"hidden_act", "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters", "attention_dropout",
            "pretraining_tp"});
}

void read_head_dim(HfReader& r, Model& m) {
  const std::int64_t heads = m.attention.heads;
  r.refuse(!r.has("head_dim") && !r.is_missing() && m.hidden % heads != 0, "head_dim",
           "is missing and hidden_size does not divide over num_attention_heads");
  m.attention.head_dim = r.size("head_dim", std::max<std::int64_t>(1, m.hidden / heads));
  m.attention.v_head_dim = m.attention.head_dim;
}

void read_attention_bias(HfReader& r, Model& m) {
  m.attention.qkv_bias = m.attention.output_bias = r.flag("attention_bias", false);
}

void read_llama(HfReader& r, Model& m) {
  read_common(r, m);
  read_head_dim(r, m);
  read_attention_bias(r, m);
  m.dense_width = r.size("intermediate_size");
  m.feed_forward_bias = r.flag("mlp_bias", false);
}

void read_gpt2(HfReader& r, Model& m) {
  m.layers = r.size("n_layer");
  m.hidden = r.size("n_embd");
  m.vocabulary = r.size("vocab_size");
  m.attention.heads = m.attention.kv_heads = r.size("n_head");
  r.refuse(!r.is_missing() && m.hidden % m.attention.heads != 0, "n_head", "does not divide n_embd");
  m.attention.head_dim = m.attention.v_head_dim = std::max<std::int64_t>(1, m.hidden / m.attention.heads);
  m.attention.qkv_bias = m.attention.output_bias = true;
  m.feed_forward = FeedForwardKind::gelu;
  m.dense_width = r.size("n_inner", 4 * m.hidden);
  m.feed_forward_bias = m.layer_norm = m.learned_positions = true;
  m.max_positions = r.size("n_positions");
  m.tied_embeddings = r.flag("tie_word_embeddings", true);
  r.ignore({"activation_function", "attn_pdrop", "embd_pdrop", "resid_pdrop", "layer_norm_epsilon", "n_ctx",
            "n_special", "predict_special_tokens", "reorder_and_upcast_attn", "scale_attn_by_inverse_layer_idx",
            "scale_attn_weights", "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
            "summary_type", "summary_use_proj"});
}

void read_mixtral(HfReader& r, Model& m) {
  read_common(r, m);
  read_head_dim(r, m);
  m.attention.window = r.count("sliding_window", 0);
  Experts& e = m.experts.emplace();
  e.routed = r.size("num_local_experts");
  e.top_k = r.size("num_experts_per_tok");
  e.width = r.size("intermediate_size");
  r.ignore({"output_router_logits", "router_aux_loss_coef", "router_jitter_noise"});
}

void read_qwen3(HfReader& r, Model& m) {
  read_common(r, m);
  read_head_dim(r, m);
  read_attention_bias(r, m);
  m.attention.qk_norm = true;
  m.dense_width = r.size("intermediate_size");
  r.refuse(r.flag("use_sliding_window", false), "use_sliding_window",
           "is not supported for this family; set it to false");
  r.ignore({"sliding_window", "max_window_layers", "layer_types"});
}

/// A list 0, 1, … n-1 of dense layers is a dense prefix; others are not supported.
std::int64_t dense_prefix(HfReader& r) {
  std::vector<std::int64_t> dense = r.sizes("mlp_only_layers");
  std::sort(dense.begin(), dense.end());
  for (std::size_t i = 0; i < dense.size(); ++i) {
    r.refuse(dense[i] != static_cast<std::int64_t>(i), "mlp_only_layers",
             "is supported only for the leading layers 0, 1, …");
  }
  return static_cast<std::int64_t>(dense.size());
}

void read_qwen3_moe(HfReader& r, Model& m) {
  read_qwen3(r, m);
  Experts& e = m.experts.emplace();
  e.routed = r.size("num_experts");
  e.top_k = r.size("num_experts_per_tok");
  e.width = r.size("moe_intermediate_size");
  m.dense_prefix = dense_prefix(r);
  m.expert_period = r.size("decoder_sparse_step", 1);
  r.refuse(m.dense_prefix > 0 && m.expert_period > 1, "mlp_only_layers",
           "is not supported together with decoder_sparse_step");
  r.ignore({"norm_topk_prob", "output_router_logits", "router_aux_loss_coef"});
}

/// Alternating windows: every n-th layer is full.
void read_layer_types(HfReader& r, Model& m) {
  const std::vector<std::string> types = r.words("layer_types");
  if (types.empty()) {
    m.attention.window_period = 2;
    return;
  }
  const auto first = std::find(types.begin(), types.end(), "full_attention");
  const std::int64_t period = first == types.end() ? 0 : first - types.begin() + 1;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const bool full = period > 0 && (static_cast<std::int64_t>(i) + 1) % period == 0;
    r.refuse(types[i] != (full ? "full_attention" : "sliding_attention"), "layer_types",
             "is supported only where every n-th layer is 'full_attention' and the others are 'sliding_attention'");
  }
  r.refuse(!r.is_missing() && static_cast<std::int64_t>(types.size()) != m.layers, "layer_types",
           "must have one entry for each of num_hidden_layers");
  if (period == 1) m.attention.window = 0;
  m.attention.window_period = period == 1 ? 0 : period;
}

void read_gpt_oss(HfReader& r, Model& m) {
  read_common(r, m);
  read_head_dim(r, m);
  m.attention.qkv_bias = m.attention.output_bias = r.flag("attention_bias", true);
  m.attention.sinks = true;
  m.attention.window = r.size("sliding_window");
  read_layer_types(r, m);
  Experts& e = m.experts.emplace();
  e.routed = r.size("num_local_experts");
  e.top_k = r.size("num_experts_per_tok");
  e.width = r.size("intermediate_size");
  e.bias = e.router_bias = true;
  r.ignore(
      {"experts_per_token", "initial_context_length", "output_router_logits", "router_aux_loss_coef", "swiglu_limit"});
}

/// Latent attention by the names of DeepSeek.
void read_latent_attention(HfReader& r, Model& m) {
  Attention& a = m.attention;
  a.q_lora_rank = r.count("q_lora_rank", 0);
  a.kv_lora_rank = r.size("kv_lora_rank");
  a.rope_head_dim = r.size("qk_rope_head_dim");
  a.head_dim = r.size("qk_nope_head_dim") + a.rope_head_dim;
  a.v_head_dim = r.size("v_head_dim");
  read_attention_bias(r, m);
}

void read_deepseek(HfReader& r, Model& m) {
  read_common(r, m);
  read_latent_attention(r, m);
  m.attention.kv_heads = m.attention.heads;
  m.dense_width = r.size("intermediate_size");
  m.dense_prefix = r.count("first_k_dense_replace");
  m.expert_period = r.size("moe_layer_freq", 1);
  m.mtp_layers = r.count("num_nextn_predict_layers", 0);
  Experts& e = m.experts.emplace();
  e.routed = r.size("n_routed_experts");
  e.top_k = r.size("num_experts_per_tok");
  e.width = r.size("moe_intermediate_size");
  e.shared_width = r.count("n_shared_experts", 0) * e.width;
  // The bias that balances load without a loss is kept for every expert.
  e.router_bias = r.word("topk_method", "") == "noaux_tc";
  r.ignore({"aux_loss_alpha", "seq_aux", "ep_size", "n_group", "topk_group", "norm_topk_prob", "routed_scaling_factor",
            "scoring_func", "head_dim", "qk_head_dim", "rope_interleave"});
}

void read_pangu(HfReader& r, Model& m) {
  read_common(r, m);
  Attention& a = m.attention;
  a.kv_heads = a.heads;
  a.q_lora_rank = r.count("attention_q_lora_dim");
  a.kv_lora_rank = r.size("attention_kv_lora_dim");
  a.rope_head_dim = r.size("attention_qk_rope_dim");
  a.head_dim = r.size("attention_qk_dim") + a.rope_head_dim;
  a.v_head_dim = r.size("attention_v_dim");
  m.dense_width = r.size("intermediate_size");
  m.dense_prefix = r.count("num_dense_layers");
  m.mtp_layers = r.count("num_mtp_layers");
  m.sandwich_norm = r.flag("sandwich_norm", false);
  Experts& e = m.experts.emplace();
  e.routed = r.size("num_routed_experts");
  e.top_k = r.size("num_experts_per_tok");
  e.width = r.size("moe_intermediate_size");
  e.shared_width = r.count("num_shared_experts") * e.width;
  r.ignore({"norm_topk_prob", "routed_scaling_factor"});
}

void read_nemotron_mamba(HfReader& r, Model& m) {
  Mamba& mamba = m.mamba.emplace();
  mamba.heads = r.size("mamba_num_heads");
  mamba.head_dim = r.size("mamba_head_dim");
  mamba.state = r.size("ssm_state_size");
  mamba.groups = r.size("n_groups");
  mamba.convolution = r.size("conv_kernel");
  r.refuse(!r.flag("use_conv_bias", true), "use_conv_bias", "is supported only as true");
  r.refuse(r.flag("mamba_proj_bias", false), "mamba_proj_bias", "is supported only as false");
  r.refuse(r.flag("use_bias", false), "use_bias", "is supported only as false");
}

void read_nemotron(HfReader& r, Model& m) {
  read_common(r, m);
  read_head_dim(r, m);
  read_attention_bias(r, m);
  m.layer_pattern = r.word("hybrid_override_pattern");
  const auto uses = [&m](char letter) { return m.layer_pattern.find(letter) != std::string::npos; };
  m.feed_forward = FeedForwardKind::relu2;
  r.refuse(r.word("mlp_hidden_act", "relu2") != "relu2", "mlp_hidden_act", "is supported only as 'relu2'");
  m.feed_forward_bias = r.flag("mlp_bias", false);
  m.dense_width = r.count("intermediate_size", 0);
  if (uses('M')) read_nemotron_mamba(r, m);
  if (uses('E')) {
    Experts& e = m.experts.emplace();
    e.routed = r.size("n_routed_experts");
    e.top_k = r.size("num_experts_per_tok");
    e.width = r.size("moe_intermediate_size");
    e.shared_width = r.count("n_shared_experts", 0) * r.count("moe_shared_expert_intermediate_size", e.width);
    e.router_bias = true;
  }
  // Known also where the pattern does not use them.
  r.ignore({"mamba_num_heads", "mamba_head_dim", "ssm_state_size", "n_groups", "conv_kernel", "use_conv_bias",
            "mamba_proj_bias", "use_bias", "n_routed_experts", "num_experts_per_tok", "moe_intermediate_size",
            "n_shared_experts", "moe_shared_expert_intermediate_size"});
  r.refuse(r.has("sliding_window"), "sliding_window", "is supported only as null");
  r.ignore({"chunk_size",
            "expand",
            "hidden_dropout",
            "layer_norm_epsilon",
            "mamba_hidden_act",
            "mamba_ssm_cache_dtype",
            "n_group",
            "norm_eps",
            "norm_topk_prob",
            "num_logits_to_keep",
            "partial_rotary_factor",
            "rescale_prenorm_residual",
            "residual_in_fp32",
            "routed_scaling_factor",
            "sliding_window",
            "time_step_floor",
            "time_step_limit",
            "time_step_max",
            "time_step_min",
            "time_step_rank",
            "topk_group",
            "use_mamba_kernels",
            "mamba_d_conv",
            "mamba_expand",
            "mamba_n_groups",
            "num_nextn_predict_layers"});
}

}  // namespace

const std::vector<HfFamily>& hf_families() {
  static const std::vector<HfFamily> families{
      {"pangu_ultra_moe", {"PanguUltraMoEForCausalLM"}, read_pangu},
      {"deepseek_v3", {"DeepseekV3ForCausalLM"}, read_deepseek},
      {"deepseek_v2", {"DeepseekV2ForCausalLM"}, read_deepseek},
      {"kimi_k2", {}, read_deepseek},
      {"mixtral", {"MixtralForCausalLM"}, read_mixtral},
      {"qwen3_moe", {"Qwen3MoeForCausalLM"}, read_qwen3_moe},
      {"qwen3", {"Qwen3ForCausalLM"}, read_qwen3},
      {"gpt_oss", {"GptOssForCausalLM"}, read_gpt_oss},
      {"llama", {"LlamaForCausalLM"}, read_llama},
      {"gpt2", {"GPT2LMHeadModel"}, read_gpt2},
      {"nemotron_h", {"NemotronHForCausalLM"}, read_nemotron},
  };
  return families;
}

}  // namespace filigree::spec::detail
