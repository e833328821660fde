#include "image/init.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "image/autoencoder.h"
#include "image/random_weights.h"
#include "image/tiny_tokenizers.h"
#include "spec/hf_config.h"

namespace filigree::image {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLabel = "random weights, made by filigree";

/// Adds "prefix.weight" and, if wanted, "prefix.bias".
void add(std::vector<RandomTensor>& to, const std::string& prefix, std::int64_t outputs, std::int64_t inputs,
         bool bias) {
  to.push_back({prefix + ".weight", {outputs, inputs}});
  if (bias) to.push_back({prefix + ".bias", {outputs}});
}

void add_norm(std::vector<RandomTensor>& to, const std::string& prefix, std::int64_t size, bool bias) {
  to.push_back({prefix + ".weight", {size}});
  if (bias) to.push_back({prefix + ".bias", {size}});
}

/// config.json and a safetensors file.
void write_part(const fs::path& folder, const std::string& stem, const Json& config, std::vector<RandomTensor> tensors,
                std::uint64_t seed) {
  write_file(folder / "config.json", to_text(config));
  convert_weights(*random_source(std::move(tensors), seed), folder / (stem + ".safetensors"),
                  {.form = WeightForm::float32, .metadata = {{"format", "pt"}, {"made_by", kLabel}}});
}

void write_clip(const fs::path& model, const std::string& number, std::int64_t hidden, std::int64_t projected,
                std::uint64_t seed) {
  const TinyTokenizer tokens = write_tiny_clip_tokenizer(model / ("tokenizer" + number));
  const std::int64_t layers = 2, width = 4 * hidden, positions = 248;
  const Json config = {{"architectures", {"CLIPTextModelWithProjection"}},
                       {"model_type", "clip_text_model"},
                       {"bos_token_id", tokens.begin},
                       {"eos_token_id", tokens.end},
                       {"pad_token_id", tokens.end},
                       {"hidden_act", number.empty() ? "quick_gelu" : "gelu"},
                       {"hidden_size", hidden},
                       {"intermediate_size", width},
                       {"layer_norm_eps", 1e-5},
                       {"max_position_embeddings", positions},
                       {"num_attention_heads", 4},
                       {"num_hidden_layers", layers},
                       {"projection_dim", projected},
                       {"vocab_size", tokens.vocabulary}};
  std::vector<RandomTensor> tensors{{"text_model.embeddings.token_embedding.weight", {tokens.vocabulary, hidden}},
                                    {"text_model.embeddings.position_embedding.weight", {positions, hidden}}};
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string layer = fmt::format("text_model.encoder.layers.{}.", i);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      add(tensors, layer + "self_attn." + name, hidden, hidden, true);
    }
    add(tensors, layer + "mlp.fc1", width, hidden, true);
    add(tensors, layer + "mlp.fc2", hidden, width, true);
    add_norm(tensors, layer + "layer_norm1", hidden, true);
    add_norm(tensors, layer + "layer_norm2", hidden, true);
  }
  add_norm(tensors, "text_model.final_layer_norm", hidden, true);
  add(tensors, "text_projection", projected, hidden, false);
  write_part(model / ("text_encoder" + number), "model", config, std::move(tensors), seed);
}

void write_t5(const fs::path& model, std::int64_t hidden, std::uint64_t seed) {
  const TinyTokenizer tokens = write_tiny_t5_tokenizer(model / "tokenizer_3");
  const std::int64_t layers = 2, width = 64, heads = 4, head_size = 8, buckets = 32;
  const Json config = {{"architectures", {"T5EncoderModel"}},
                       {"model_type", "t5"},
                       {"d_ff", width},
                       {"d_kv", head_size},
                       {"d_model", hidden},
                       {"feed_forward_proj", "gated-gelu"},
                       {"layer_norm_epsilon", 1e-6},
                       {"num_heads", heads},
                       {"num_layers", layers},
                       {"eos_token_id", tokens.end},
                       {"pad_token_id", 0},
                       {"relative_attention_max_distance", 128},
                       {"relative_attention_num_buckets", buckets},
                       {"vocab_size", tokens.vocabulary}};
  std::vector<RandomTensor> tensors{{"shared.weight", {tokens.vocabulary, hidden}}};
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string block = fmt::format("encoder.block.{}.layer.", i);
    for (const char* name : {"q", "k", "v"}) {
      add(tensors, block + "0.SelfAttention." + name, heads * head_size, hidden, false);
    }
    add(tensors, block + "0.SelfAttention.o", hidden, heads * head_size, false);
    if (i == 0) add(tensors, block + "0.SelfAttention.relative_attention_bias", buckets, heads, false);
    add_norm(tensors, block + "0.layer_norm", hidden, false);
    add(tensors, block + "1.DenseReluDense.wi_0", width, hidden, false);
    add(tensors, block + "1.DenseReluDense.wi_1", width, hidden, false);
    add(tensors, block + "1.DenseReluDense.wo", hidden, width, false);
    add_norm(tensors, block + "1.layer_norm", hidden, false);
  }
  add_norm(tensors, "encoder.final_layer_norm", hidden, false);
  write_part(model / "text_encoder_3", "model", config, std::move(tensors), seed);
}

void write_llama(const fs::path& folder, std::int64_t hidden, std::int64_t layers, std::uint64_t seed) {
  const TinyTokenizer tokens = write_tiny_llama_tokenizer(folder);
  const std::int64_t width = 96, heads = 6, groups = 2, head_size = hidden / heads;
  const Json config = {{"architectures", {"LlamaForCausalLM"}},
                       {"model_type", "llama"},
                       {"bos_token_id", tokens.begin},
                       {"eos_token_id", tokens.end},
                       {"head_dim", head_size},
                       {"hidden_act", "silu"},
                       {"hidden_size", hidden},
                       {"intermediate_size", width},
                       {"max_position_embeddings", 512},
                       {"num_attention_heads", heads},
                       {"num_hidden_layers", layers},
                       {"num_key_value_heads", groups},
                       {"rms_norm_eps", 1e-5},
                       {"rope_theta", 500000.0},
                       {"tie_word_embeddings", false},
                       {"vocab_size", tokens.vocabulary}};
  std::vector<RandomTensor> tensors{{"model.embed_tokens.weight", {tokens.vocabulary, hidden}}};
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    add(tensors, layer + "self_attn.q_proj", heads * head_size, hidden, false);
    add(tensors, layer + "self_attn.k_proj", groups * head_size, hidden, false);
    add(tensors, layer + "self_attn.v_proj", groups * head_size, hidden, false);
    add(tensors, layer + "self_attn.o_proj", hidden, heads * head_size, false);
    add(tensors, layer + "mlp.gate_proj", width, hidden, false);
    add(tensors, layer + "mlp.up_proj", width, hidden, false);
    add(tensors, layer + "mlp.down_proj", hidden, width, false);
    add_norm(tensors, layer + "input_layernorm", hidden, false);
    add_norm(tensors, layer + "post_attention_layernorm", hidden, false);
  }
  add_norm(tensors, "model.norm", hidden, false);
  add(tensors, "lm_head", tokens.vocabulary, hidden, false);
  write_part(folder, "model", config, std::move(tensors), seed);
}

Json tiny_dit_config(const std::vector<std::int64_t>& max_resolution) {
  return {{"_class_name", "HiDreamImageTransformer2DModel"},
          {"attention_head_dim", 16},
          {"axes_dims_rope", {8, 4, 4}},
          {"caption_channels", {32, 48}},
          {"force_inference_output", false},
          {"in_channels", 16},
          {"llama_layers", {0, 1, 2, 2}},
          {"max_resolution", max_resolution},
          {"num_activated_experts", 2},
          {"num_attention_heads", 4},
          {"num_layers", 2},
          {"num_routed_experts", 4},
          {"num_single_layers", 2},
          {"out_channels", 16},
          {"patch_size", 2},
          {"text_emb_dim", 64}};
}

void write_dit(const fs::path& folder, const Json& config, std::uint64_t seed) {
  write_part(folder, "diffusion_pytorch_model", config,
             dit_random_tensors(spec::dit_from_json(config, (folder / "config.json").string())), seed);
}

void write_autoencoder(const fs::path& folder, std::uint64_t seed) {
  const Json config = {{"_class_name", "AutoencoderKL"},
                       {"act_fn", "silu"},
                       {"block_out_channels", {16, 32, 32, 32}},
                       {"down_block_types", std::vector<std::string>(4, "DownEncoderBlock2D")},
                       {"in_channels", 3},
                       {"latent_channels", 16},
                       {"layers_per_block", 1},
                       {"mid_block_add_attention", true},
                       {"norm_num_groups", 8},
                       {"out_channels", 3},
                       {"sample_size", 256},
                       {"scaling_factor", 0.3611},
                       {"shift_factor", 0.1159},
                       {"up_block_types", std::vector<std::string>(4, "UpDecoderBlock2D")},
                       {"use_post_quant_conv", false},
                       {"use_quant_conv", false}};
  Autoencoder shapes(autoencoder_from_json(config, "the small autoencoder"));
  std::vector<RandomTensor> tensors;
  for (const nn::Parameter& parameter : shapes.parameters()) {
    tensors.push_back({parameter.name, parameter.value().sizes().vec()});
  }
  write_part(folder, "diffusion_pytorch_model", config, std::move(tensors), seed);
}

Json library(const char* from, const char* name) { return Json::array({from, name}); }

void write_index(const fs::path& folder) {
  Json index = {{"_class_name", "HiDreamImagePipeline"}, {"_made_by", kLabel}};
  index["scheduler"] = library("diffusers", "FlowMatchEulerDiscreteScheduler");
  index["text_encoder"] = index["text_encoder_2"] = library("transformers", "CLIPTextModelWithProjection");
  index["text_encoder_3"] = library("transformers", "T5EncoderModel");
  index["tokenizer"] = index["tokenizer_2"] = library("transformers", "CLIPTokenizer");
  index["tokenizer_3"] = library("transformers", "T5Tokenizer");
  index["transformer"] = library("diffusers", "HiDreamImageTransformer2DModel");
  index["vae"] = library("diffusers", "AutoencoderKL");
  write_file(folder / "model_index.json", to_text(index));
  const Json scheduler = {{"_class_name", "FlowMatchEulerDiscreteScheduler"},
                          {"num_train_timesteps", 1000},
                          {"shift", 3.0},
                          {"use_dynamic_shifting", false}};
  write_file(folder / "scheduler" / "scheduler_config.json", to_text(scheduler));
}

/// A folder that holds something is not written over.
void check_empty(const fs::path& folder) {
  std::error_code code;
  if (fs::exists(folder, code) && !fs::is_directory(folder, code)) {
    fail("{}: is a file, expected a folder or a name that is free", folder.string());
  }
  if (fs::exists(folder, code) && !fs::is_empty(folder, code)) {
    fail("{}: is not empty; give a folder that is, or a name that is free", folder.string());
  }
}

}  // namespace

void write_tiny_pipeline(const fs::path& folder, std::uint64_t seed) {
  check_empty(folder);
  write_clip(folder, "", 32, 24, seed);
  write_clip(folder, "_2", 48, 40, seed + 1);
  write_t5(folder, 32, seed + 2);
  write_llama(folder / "llama", 48, 3, seed + 3);
  write_dit(folder / "transformer", tiny_dit_config({32, 32}), seed + 4);
  write_dit(folder / "edit_transformer", tiny_dit_config({32, 64}), seed + 5);
  write_autoencoder(folder / "vae", seed + 6);
  write_index(folder);
}

Converted write_random_transformer(const fs::path& folder, std::uint64_t seed, const ConvertOptions& options) {
  check_empty(folder);
  const spec::Dit config = std::get<spec::Dit>(spec::load_model("hidream-i1"));
  ConvertOptions labelled = options;
  labelled.metadata = {{"format", "pt"}, {"made_by", kLabel}};
  const Converted converted = convert_weights(*random_source(dit_random_tensors(config), seed),
                                              folder / "diffusion_pytorch_model.safetensors", labelled);
  if (!converted.complete) return converted;
  Json published = to_json(config);
  published["_class_name"] = "HiDreamImageTransformer2DModel";
  published["_made_by"] = kLabel;
  write_file(folder / "config.json", to_text(published));
  return converted;
}

}  // namespace filigree::image
