#include "spec/hf_config.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "spec/count.h"
#include "support/expect_error.h"

namespace filigree::spec {
namespace {

Json recipe(const std::string& name) { return load_json(find_recipe("models", name)); }

/// The recipe with one field set to another value, or taken out where the value is empty.
Json changed(const std::string& name, const std::string& key, const std::string& value) {
  Json json = recipe(name);
  if (value.empty())
    json.erase(key);
  else
    json[key] = parse_json(value, "test");
  return json;
}

std::string problem(const Json& json) {
  try {
    any_model_from_json(json, "x.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string problem(const std::string& name, const std::string& key, const std::string& value) {
  return problem(changed(name, key, value));
}

const char* const own_recipe = R"({
  "name": "tiny", "layers": 4, "hidden": 64, "vocabulary": 1000,
  "attention": {"heads": 4, "kv_heads": 2, "head_dim": 16, "v_head_dim": 16},
  "dense_width": 128, "dense_prefix": 1,
  "experts": {"routed": 8, "top_k": 2, "width": 32}
})";

/// Our own recipe with a part of its text replaced.
std::string own_problem(const std::string& part, const std::string& by) {
  std::string text = own_recipe;
  const std::size_t at = text.find(part);
  if (at == std::string::npos) return "no such part";
  return problem(parse_json(text.replace(at, part.size(), by), "x.json"));
}

TEST(HfConfig, EveryRecipeLoads) {
  const std::vector<std::string> names = recipe_names("models");
  EXPECT_GE(names.size(), 11U);
  for (const std::string& name : names) EXPECT_NO_THROW(load_model(name)) << name;
}

TEST(HfConfig, Pangu) {
  const Model model = load_language_model("pangu-ultra-moe");
  EXPECT_EQ(model.name, "pangu-ultra-moe");
  EXPECT_EQ(model.layers, 61);
  EXPECT_EQ(model.hidden, 7680);
  EXPECT_EQ(model.vocabulary, 153600);
  EXPECT_EQ(model.dense_width, 18432);
  EXPECT_EQ(model.dense_prefix, 3);
  EXPECT_EQ(model.mtp_layers, 1);
  EXPECT_TRUE(model.sandwich_norm);
  EXPECT_TRUE(model.attention.latent());
  EXPECT_EQ(model.attention.head_dim, 192);
  EXPECT_EQ(model.attention.v_head_dim, 128);
  EXPECT_EQ(model.attention.q_lora_rank, 1536);
  EXPECT_EQ(model.experts->routed, 256);
  EXPECT_EQ(model.experts->top_k, 8);
  EXPECT_EQ(model.experts->width, 2048);
  EXPECT_EQ(model.experts->shared_width, 2048);
  EXPECT_FALSE(model.experts->router_bias);
}

TEST(HfConfig, Families) {
  const Model gpt_oss = load_language_model("gpt-oss-120b");
  EXPECT_EQ(gpt_oss.attention.window, 128);
  EXPECT_EQ(gpt_oss.attention.window_period, 2);
  EXPECT_TRUE(gpt_oss.attention.sinks);
  EXPECT_EQ(gpt_oss.experts->width, 2880);
  const Model deepseek = load_language_model("deepseekv3");
  EXPECT_EQ(deepseek.mtp_layers, 1);
  EXPECT_TRUE(deepseek.experts->router_bias);
  EXPECT_FALSE(load_language_model("deepseekv2").experts->router_bias);
  EXPECT_EQ(load_language_model("deepseekv2").experts->shared_width, 3072);
  EXPECT_EQ(load_language_model("kimi-k2").experts->routed, 384);
  const Model gpt3 = load_language_model("gpt3-175b");
  EXPECT_EQ(gpt3.feed_forward, FeedForwardKind::gelu);
  EXPECT_EQ(gpt3.dense_width, 4 * 12288);
  EXPECT_TRUE(gpt3.learned_positions && gpt3.tied_embeddings && gpt3.layer_norm && gpt3.feed_forward_bias);
  EXPECT_TRUE(load_language_model("qwen3-30b-a3b").attention.qk_norm);
  const Model nemotron = load_language_model("nemotron-3-nano");
  EXPECT_EQ(nemotron.feed_forward, FeedForwardKind::relu2);
  EXPECT_EQ(nemotron.mamba->heads, 64);
  EXPECT_EQ(nemotron.experts->shared_width, 3712);
}

TEST(HfConfig, ArchitectureStandsInForModelType) {
  Json json = recipe("mixtral-8x7b");
  json.erase("model_type");
  EXPECT_EQ(model_from_json(json, "some/where.json").name, "where");
  EXPECT_EQ(model_from_json(json, "models/mine/config.json").name, "mine");
}

TEST(HfConfig, DenseQwen) {
  // The published sizes of Qwen3-8B.
  const Json json = parse_json(R"({"model_type": "qwen3", "hidden_size": 4096, "num_hidden_layers": 36, "head_dim": 128,
      "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 12288, "vocab_size": 151936,
      "tie_word_embeddings": false, "use_sliding_window": false, "sliding_window": null, "hidden_act": "silu"})",
                               "qwen3-8b.json");
  EXPECT_EQ(count(model_from_json(json, "qwen3-8b.json")).total, 8190735360);
}

TEST(HfConfig, MissingFields) {
  EXPECT_EQ(problem("pangu-ultra-moe", "hidden_size", ""), "x.json: key 'hidden_size' is missing at the top level");
  EXPECT_EQ(problem("pangu-ultra-moe", "num_mtp_layers", ""),
            "x.json: key 'num_mtp_layers' is missing at the top level");
  EXPECT_EQ(problem("deepseekv3", "kv_lora_rank", ""), "x.json: key 'kv_lora_rank' is missing at the top level");
  EXPECT_EQ(problem("llama3-8b", "num_attention_heads", ""),
            "x.json: key 'num_attention_heads' is missing at the top level");
  EXPECT_EQ(problem("gpt3-175b", "n_embd", ""), "x.json: key 'n_embd' is missing at the top level");
  EXPECT_EQ(problem("gpt3-175b", "n_head", ""), "x.json: key 'n_head' is missing at the top level");
  EXPECT_EQ(problem("gpt-oss-120b", "num_hidden_layers", ""),
            "x.json: key 'num_hidden_layers' is missing at the top level");
  EXPECT_EQ(problem("nemotron-3-nano", "hybrid_override_pattern", ""),
            "x.json: key 'hybrid_override_pattern' is missing at the top level");
  EXPECT_EQ(problem("hidream-i1", "num_layers", ""), "x.json: key 'num_layers' is missing at the top level");
}

TEST(HfConfig, EveryNeededFieldIsNeeded) {
  for (const std::string& name : recipe_names("models")) {
    const Json whole = recipe(name);
    int needed = 0;
    for (const auto& [key, value] : whole.items()) {
      const std::string text = problem(name, key, "");
      needed += text == "x.json: key '" + key + "' is missing at the top level";
      EXPECT_TRUE(text.empty() || text.starts_with("x.json: ")) << name << " without " << key << ": " << text;
    }
    EXPECT_GE(needed, 5) << name;
  }
}

TEST(HfConfig, UnknownFields) {
  EXPECT_EQ(problem("pangu-ultra-moe", "num_routed_expert", "256"),
            "x.json: unknown key 'num_routed_expert' at the top level; did you mean 'num_routed_experts'?");
  EXPECT_EQ(problem("llama3-8b", "zzz", "1"), "x.json: unknown key 'zzz' at the top level");
  EXPECT_EQ(problem("hidream-i1", "num_layer", "1"),
            "x.json: unknown key 'num_layer' at the top level; did you mean 'num_layers'?");
  EXPECT_EQ(problem("hidream-i1", "_anything", "1"), "");
  // A mistyped key is named rather than the one that is missing for it.
  Json json = changed("llama3-8b", "hidden_size", "");
  json["hiden_size"] = 4096;
  EXPECT_EQ(problem(json), "x.json: unknown key 'hiden_size' at the top level; did you mean 'hidden_size'?");
}

TEST(HfConfig, WrongValues) {
  EXPECT_EQ(problem("llama3-8b", "hidden_size", "\"big\""),
            "x.json: hidden_size must be a whole number, got the text 'big'");
  EXPECT_EQ(problem("llama3-8b", "hidden_size", "0"), "x.json: hidden_size must be between 1 and 1073741824, got 0");
  EXPECT_EQ(problem("llama3-8b", "hidden_size", "null"), "x.json: hidden_size must be a whole number, got null");
  EXPECT_EQ(problem("llama3-8b", "tie_word_embeddings", "1"),
            "x.json: tie_word_embeddings must be true or false, got the number 1");
  EXPECT_EQ(problem("llama3-8b", "hidden_size", "1000000000"),
            "x.json: hidden must be at most 16777216, got 1000000000");
  EXPECT_EQ(problem("llama3-8b", "num_hidden_layers", "100000"), "x.json: layers must be at most 65536, got 100000");
  EXPECT_THAT(problem("llama3-8b", "intermediate_size", "16777216"), ::testing::IsEmpty());
  EXPECT_EQ(problem("hidream-i1", "num_layers", "-1"), "x.json: num_layers must be at least 0, got -1");
  EXPECT_EQ(problem(parse_json("[1]", "x.json")), "x.json: the top level must be an object, got a list");
}

TEST(HfConfig, UnknownFamilies) {
  EXPECT_EQ(problem("llama3-8b", "model_type", "\"llama5\"").substr(0, 62),
            "x.json: model_type cannot be 'llama5'; did you mean 'llama'? (");
  EXPECT_EQ(
      problem(parse_json(R"({"hidden_size": 4})", "x.json")),
      "x.json: is neither a recipe (it has no key 'layers') nor a published config (its 'model_type' is missing; known "
      "are pangu_ultra_moe, deepseek_v3, deepseek_v2, kimi_k2, mixtral, qwen3_moe, qwen3, gpt_oss, llama, gpt2, "
      "nemotron_h)");
}

TEST(HfConfig, WhatIsNotSupported) {
  EXPECT_EQ(problem("qwen3-30b-a3b", "use_sliding_window", "true"),
            "x.json: use_sliding_window is not supported for this family; set it to false");
  EXPECT_EQ(problem("qwen3-30b-a3b", "mlp_only_layers", "[1]"),
            "x.json: mlp_only_layers is supported only for the leading layers 0, 1, …");
  EXPECT_EQ(problem("nemotron-3-nano", "use_conv_bias", "false"), "x.json: use_conv_bias is supported only as true");
  EXPECT_EQ(problem("nemotron-3-nano", "mamba_proj_bias", "true"),
            "x.json: mamba_proj_bias is supported only as false");
  EXPECT_EQ(problem("nemotron-3-nano", "use_bias", "true"), "x.json: use_bias is supported only as false");
  EXPECT_EQ(problem("nemotron-3-nano", "sliding_window", "128"), "x.json: sliding_window is supported only as null");
  EXPECT_EQ(problem("nemotron-3-nano", "mlp_hidden_act", "\"silu\""),
            "x.json: mlp_hidden_act is supported only as 'relu2'");
  EXPECT_EQ(problem("gpt-oss-120b", "num_hidden_layers", "35"),
            "x.json: layer_types must have one entry for each of num_hidden_layers");
  EXPECT_EQ(problem("gpt-oss-120b", "layer_types", R"(["full_attention", "sliding_attention"])"),
            "x.json: layer_types is supported only where every n-th layer is 'full_attention' and the others are "
            "'sliding_attention'");
  EXPECT_EQ(problem("gpt3-175b", "n_head", "7"), "x.json: n_head does not divide n_embd");
  EXPECT_EQ(problem("llama3-8b", "num_attention_heads", "48"),
            "x.json: head_dim is missing and hidden_size does not divide over num_attention_heads");
}

TEST(HfConfig, MlpOnlyLayersAreADensePrefix) {
  EXPECT_EQ(model_from_json(changed("qwen3-30b-a3b", "mlp_only_layers", "[1, 0]"), "x.json").dense_prefix, 2);
}

TEST(HfConfig, OwnRecipe) {
  const Model model = model_from_json(parse_json(own_recipe, "x.json"), "x.json");
  EXPECT_EQ(model.name, "tiny");
  EXPECT_EQ(model.experts->routed, 8);
  EXPECT_EQ(own_problem("\"hidden\": 64, ", ""), "x.json: key 'hidden' is missing at the top level");
  EXPECT_EQ(own_problem("\"top_k\"", "\"topk\""), "x.json: unknown key 'topk' in experts; did you mean 'top_k'?");
}

TEST(HfConfig, ContradictionsInOwnRecipe) {
  EXPECT_EQ(own_problem("\"top_k\": 2", "\"top_k\": 9"), "x.json: a token cannot use 9 of 8 experts");
  EXPECT_EQ(own_problem("\"kv_heads\": 2", "\"kv_heads\": 3"),
            "x.json: 4 query heads do not divide over 3 key/value heads");
  EXPECT_EQ(own_problem("\"dense_width\": 128, ", ""), "x.json: there are dense layers, but dense_width is 0");
  EXPECT_EQ(own_problem("\"dense_prefix\": 1", "\"dense_prefix\": 5"),
            "x.json: dense_prefix is 5, but there are 4 layers");
  EXPECT_EQ(own_problem("\"dense_prefix\": 1", "\"layer_pattern\": \"E*E\""),
            "x.json: layer_pattern has 3 letters for 4 layers");
  EXPECT_EQ(own_problem("\"dense_prefix\": 1", "\"layer_pattern\": \"E*EX\""),
            "x.json: layer_pattern has 'X'; it takes M (Mamba-2), E (experts), * (attention) and - (dense)");
  EXPECT_EQ(own_problem("\"dense_prefix\": 1", "\"layer_pattern\": \"E*ME\""),
            "x.json: layer_pattern has Mamba-2 layers, but 'mamba' is missing");
  EXPECT_EQ(own_problem("\"experts\": {\"routed\": 8, \"top_k\": 2, \"width\": 32}", "\"layer_pattern\": \"E*--\""),
            "x.json: layer_pattern has expert layers, but 'experts' is missing");
  EXPECT_EQ(own_problem("\"v_head_dim\": 16", "\"v_head_dim\": 16, \"kv_lora_rank\": 8"),
            "x.json: latent attention needs rope_head_dim between 1 and head_dim - 1 = 15, got 0");
  EXPECT_EQ(own_problem("\"v_head_dim\": 16", "\"v_head_dim\": 16, \"kv_lora_rank\": 8, \"rope_head_dim\": 8"),
            "x.json: latent attention has as many key/value heads as query heads, got 2 and 4");
  EXPECT_EQ(own_problem("\"v_head_dim\": 16", "\"v_head_dim\": 16, \"q_lora_rank\": 8"),
            "x.json: q_lora_rank and rope_head_dim belong to latent attention, but kv_lora_rank is 0");
  EXPECT_EQ(own_problem("\"v_head_dim\": 16", "\"v_head_dim\": 16, \"window_period\": 2"),
            "x.json: window_period is 2, but there is no window");
  EXPECT_EQ(own_problem("\"width\": 32", "\"width\": 32, \"shared_gate\": true"),
            "x.json: shared_gate is set, but there is no shared expert");
  EXPECT_EQ(own_problem("\"dense_prefix\": 1", "\"learned_positions\": true"),
            "x.json: learned_positions needs max_positions");
  EXPECT_EQ(
      own_problem("\"dense_prefix\": 1", "\"mamba\": {\"heads\": 8, \"head_dim\": 2, \"state\": 4, \"groups\": 3}"),
      "x.json: 8 Mamba-2 heads do not divide into 3 groups");
  EXPECT_EQ(own_problem("\"layers\": 4, \"hidden\": 64", "\"layers\": 60000, \"hidden\": 16000000"),
            "x.json: the sizes give about 3.1e+19 parameters; at most 1e+17 are planned for");
  EXPECT_EQ(own_problem("\"dense_prefix\": 1", "\"max_positions\": 9000000000"),
            "x.json: max_positions must be at most 1073741824, got 9000000000");
}

TEST(HfConfig, ContradictionsInDit) {
  EXPECT_EQ(problem("hidream-i1", "num_activated_experts", "5"), "x.json: a token cannot use 5 of 4 experts");
  EXPECT_EQ(problem("hidream-i1", "caption_channels", "[4096]"),
            "x.json: caption_channels must have 2 numbers (T5, Llama), got 1");
  EXPECT_EQ(problem("hidream-i1", "max_resolution", "[128]"),
            "x.json: max_resolution must have 2 numbers (height, width), got 1");
  EXPECT_EQ(problem("hidream-i1", "axes_dims_rope", "[64, 32]"),
            "x.json: axes_dims_rope adds up to 96, but attention_head_dim is 128");
  EXPECT_EQ(problem("hidream-i1", "llama_layers", "[0, 1]"), "x.json: llama_layers has 2 entries for 48 blocks");
  EXPECT_EQ(problem("hidream-i1", "num_routed_experts", "10000"),
            "x.json: 48 blocks of 10000 experts are more than the 100000 experts that are planned for");
  Json json = changed("hidream-i1", "num_layers", "0");
  json["num_single_layers"] = 0;
  EXPECT_EQ(problem(json), "x.json: num_layers and num_single_layers are both 0");
  EXPECT_EQ(problem("hidream-i1", "num_attention_heads", "10000000"),
            "x.json: the sizes give about 1.1e+22 parameters; at most 1e+17 are planned for");
}

TEST(LoadModel, ByNameFolderOrFile) {
  EXPECT_EQ(std::get<Model>(load_model("LLAMA3.1_405B")).layers, 126);
  EXPECT_EQ(std::get<Dit>(load_model("HiDream-I1")).num_layers, 16);
  EXPECT_EQ(load_language_model(find_recipe("models", "kimi-k2").string()).name, "kimi-k2");
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "my-model";
  write_file(folder / "config.json", to_text(recipe("llama3-8b")));
  EXPECT_EQ(load_language_model(folder.string()).name, "my-model");
  std::filesystem::remove_all(folder);
}

TEST(LoadModel, Errors) {
  EXPECT_ERROR(load_language_model("hidream-i1"), "hidream-i1: is a diffusion transformer, expected a language model");
  try {
    load_model("llama3-7b");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'llama3-7b'; did you mean 'llama3-70b'?"));
  }
}

TEST(CutLayers, KeepsTheStart) {
  const Model model = cut_layers(load_language_model("deepseekv3"), 4);
  EXPECT_EQ(model.layers, 4);
  EXPECT_EQ(model.dense_prefix, 1);
  EXPECT_EQ(cut_layers(load_language_model("deepseekv3"), 61).dense_prefix, 3);
  EXPECT_EQ(cut_layers(load_language_model("nemotron-3-nano"), 6).layer_pattern, "MEMEM*");
  EXPECT_EQ(cut_layers(load_language_model("llama3-70b"), 12).layers, 12);
  EXPECT_ERROR(cut_layers(load_language_model("llama3-8b"), 33),
               "llama3-8b: cannot be cut to 33 layers, expected 1 to 32");
}

}  // namespace
}  // namespace filigree::spec
