#include "spec/count.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "spec/hf_config.h"

namespace filigree::spec {
namespace {

Count count_of(const std::string& recipe) { return count(load_language_model(recipe)); }

Dit hidream() { return std::get<Dit>(load_model("hidream-i1")); }

TEST(Count, PublishedTotals) {
  // Parameters of the published checkpoints, without multi-token prediction.
  EXPECT_EQ(count_of("deepseekv2").total, 235741434880);
  EXPECT_EQ(count_of("deepseekv3").total, 671026419200);
  EXPECT_EQ(count_of("gpt-oss-20b").total, 20914757184);
  EXPECT_EQ(count_of("gpt-oss-120b").total, 116829156672);
  EXPECT_EQ(count_of("llama3-8b").total, 8030261248);
  EXPECT_EQ(count_of("llama3-70b").total, 70553706496);
  EXPECT_EQ(count_of("llama3-405b").total, 405853388800);
  EXPECT_EQ(count_of("mixtral-8x7b").total, 46702792704);
  EXPECT_EQ(count_of("mixtral-8x22b").total, 140620634112);
  EXPECT_EQ(count_of("qwen3-30b-a3b").total, 30532122624);
  EXPECT_EQ(count_of("qwen3-235b-a22b").total, 235093634560);
}

TEST(Count, RoundedTotals) {
  EXPECT_NEAR(static_cast<double>(count_of("kimi-k2").total), 1.03e12, 0.01e12);  // "1 T", arXiv 2507.20534
  EXPECT_NEAR(static_cast<double>(count_of("nemotron-3-nano").total), 31.6e9, 0.05e9);
  EXPECT_NEAR(static_cast<double>(count_of("gpt3-175b").total), 174.6e9, 0.05e9);  // arXiv 2005.14165
}

TEST(Count, ActiveAsPublished) {
  EXPECT_NEAR(static_cast<double>(count_of("gpt-oss-120b").active), 5.13e9, 0.005e9);
  EXPECT_NEAR(static_cast<double>(count_of("gpt-oss-20b").active), 3.61e9, 0.005e9);
  EXPECT_NEAR(static_cast<double>(count_of("deepseekv3").active), 37e9, 0.5e9);
  EXPECT_NEAR(static_cast<double>(count_of("deepseekv2").active), 21e9, 0.5e9);
  EXPECT_NEAR(static_cast<double>(count_of("kimi-k2").active), 32e9, 0.5e9);
  EXPECT_NEAR(static_cast<double>(count_of("qwen3-235b-a22b").active), 22e9, 0.5e9);
  EXPECT_NEAR(static_cast<double>(count_of("qwen3-30b-a3b").active), 3e9, 0.5e9);
  EXPECT_NEAR(static_cast<double>(count_of("mixtral-8x7b").active), 12.9e9, 0.2e9);
  EXPECT_NEAR(static_cast<double>(count_of("nemotron-3-nano").active), 3.2e9, 0.05e9);
}

TEST(Count, Pangu) {
  const Count pangu = count_of("pangu-ultra-moe");
  EXPECT_GE(pangu.total, 718'000'000'000);
  EXPECT_LE(pangu.total, 719'100'000'000);
  EXPECT_NEAR(static_cast<double>(pangu.active), 39.2e9, 0.05e9);
  EXPECT_NEAR(static_cast<double>(pangu.active - pangu.head), 38.0e9, 0.05e9);
  EXPECT_NEAR(static_cast<double>(pangu.mtp), 12.4e9, 0.05e9);
  // One expert and one layer's attention.
  const Model model = load_language_model("pangu-ultra-moe");
  const LayerCount layer = count_layer(model, layer_kinds(model).back());
  EXPECT_EQ(layer.experts / 256, 3 * 7680 * 2048);
  EXPECT_NEAR(static_cast<double>(layer.attention), 196.6e6, 0.05e6);
  EXPECT_EQ(layer.active(&*model.experts), layer.total() - 248LL * 3 * 7680 * 2048);
}

TEST(Count, ModulesAddUp) {
  for (const char* name : {"pangu-ultra-moe", "gpt3-175b", "nemotron-3-nano", "gpt-oss-120b", "qwen3-30b-a3b"}) {
    const Model model = load_language_model(name);
    const Count whole = count(model);
    std::int64_t total = 0, active = 0, layers = 0;
    for (const ModuleCount& module : whole.modules) total += module.total, active += module.active;
    for (const LayerKind kind : layer_kinds(model)) layers += count_layer(model, kind).total();
    EXPECT_EQ(total, whole.total) << name;
    EXPECT_EQ(active, whole.active) << name;
    EXPECT_EQ(layers + whole.embedding + whole.final_norm + whole.head, whole.total) << name;
  }
}

TEST(Count, TiedEmbeddingCountsOnce) {
  Model model = load_language_model("llama3-8b");
  const Count untied = count(model);
  model.tied_embeddings = true;
  const Count tied = count(model);
  EXPECT_EQ(tied.total, untied.total - untied.head);
  EXPECT_EQ(tied.active, untied.active);
  EXPECT_EQ(tied.head, 0);
}

TEST(Count, Layers) {
  const auto letters = [](const Model& model) {
    std::string text;
    for (const LayerKind kind : layer_kinds(model)) {
      text += "-awm"[static_cast<int>(kind.mixer)];
      text += "-de"[static_cast<int>(kind.feed_forward)];
    }
    return text;
  };
  Model model;
  model.layers = 6;
  EXPECT_EQ(letters(model), "adadadadadad");
  model.experts = Experts{};
  model.dense_prefix = 2;
  EXPECT_EQ(letters(model), "adadaeaeaeae");
  model.expert_period = 2;
  EXPECT_EQ(letters(model), "adadadaeadae");
  model.attention.window = 128;
  EXPECT_EQ(letters(model), "wdwdwdwewdwe");
  model.attention.window_period = 3;
  EXPECT_EQ(letters(model), "wdwdadwewdae");
  model.layer_pattern = "M*E-";
  EXPECT_EQ(letters(model), "m-a--e-d");
}

TEST(Count, HandCountedLayer) {
  Model model;
  model.layers = 2;
  model.hidden = 10;
  model.attention = {.heads = 4, .kv_heads = 2, .head_dim = 3, .v_head_dim = 5};
  model.dense_width = 7;
  model.experts = Experts{.routed = 6, .top_k = 2, .width = 4, .shared_width = 8};
  const LayerKind dense{Mixer::attention, FeedForward::dense}, sparse{Mixer::attention, FeedForward::experts};
  // Queries 4·3, keys 2·3, values 2·5 from 10; 4·5 back to 10.
  EXPECT_EQ(count_layer(model, dense).attention, 10 * (12 + 6 + 10) + 20 * 10);
  EXPECT_EQ(count_layer(model, dense).dense, 3 * 10 * 7);
  EXPECT_EQ(count_layer(model, dense).norms, 20);
  EXPECT_EQ(count_layer(model, sparse).router, 60);
  EXPECT_EQ(count_layer(model, sparse).experts, 6 * 3 * 10 * 4);
  EXPECT_EQ(count_layer(model, sparse).shared, 3 * 10 * 8);
  model.attention.qkv_bias = model.attention.output_bias = model.attention.qk_norm = model.attention.sinks = true;
  EXPECT_EQ(count_layer(model, dense).attention, 10 * 28 + 200 + 28 + 10 + 6 + 4);
  model.layer_norm = model.sandwich_norm = model.feed_forward_bias = true;
  EXPECT_EQ(count_layer(model, dense).norms, 80);
  EXPECT_EQ(count_layer(model, dense).dense, 3 * 10 * 7 + 2 * 7 + 10);
  model.feed_forward = FeedForwardKind::gelu;
  EXPECT_EQ(count_layer(model, dense).dense, 2 * 10 * 7 + 7 + 10);
  model.experts->bias = model.experts->router_bias = model.experts->shared_gate = true;
  EXPECT_EQ(count_layer(model, sparse).experts, 6 * (2 * 10 * 4 + 4 + 10));
  EXPECT_EQ(count_layer(model, sparse).router, 66);
  EXPECT_EQ(count_layer(model, sparse).shared, 2 * 10 * 8 + 10);
}

TEST(Count, HandCountedMamba) {
  Model model;
  model.hidden = 10;
  model.mamba = Mamba{.heads = 4, .head_dim = 3, .state = 5, .groups = 2, .convolution = 4};
  // In: gate 12, x 12, B and C 2·2·5, time step 4. Convolution over x, B and C.
  EXPECT_EQ(count_layer(model, {Mixer::mamba, FeedForward::none}).mamba,
            10 * (12 + 12 + 20 + 4) + 32 * 5 + 12 + 12 + 12 * 10);
  EXPECT_EQ(count_layer(model, {Mixer::mamba, FeedForward::none}).norms, 10);
}

TEST(CountDit, HiDream) {
  const Count whole = count(hidream());
  EXPECT_EQ(whole.total, 17'105'733'184);
  EXPECT_NEAR(static_cast<double>(whole.active), 12.0e9, 0.05e9);
  std::map<std::string, std::int64_t> totals;
  for (const ModuleCount& module : whole.modules) totals[module.name] = module.total;
  EXPECT_EQ(totals["routed experts"], 48LL * 4 * 3 * 2560 * 6912);
  EXPECT_EQ(totals["caption projections"], 513'802'240);
}

TEST(CountDit, Tensors) {
  const std::vector<TensorInfo> tensors = dit_tensors(hidream());
  EXPECT_EQ(tensors.size(), 1615U);
  std::map<std::string, TensorInfo> by_name;
  std::int64_t total = 0, dual = 0, single = 0;
  for (const TensorInfo& tensor : tensors) {
    EXPECT_TRUE(by_name.emplace(tensor.name, tensor).second) << tensor.name;
    total += tensor.size();
    if (tensor.name.starts_with("double_stream_blocks.15.")) dual += tensor.size();
    if (tensor.name.starts_with("single_stream_blocks.31.")) single += tensor.size();
  }
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(total, 17'105'733'184);
  EXPECT_EQ(dual, 424'089'600);
  EXPECT_EQ(single, 305'438'720);
  EXPECT_EQ(by_name.at("double_stream_blocks.0.block.adaLN_modulation.1.weight").shape, (Shape{30720, 2560}));
  EXPECT_EQ(by_name.at("single_stream_blocks.0.block.ff_i.experts.3.w2.weight").shape, (Shape{2560, 6912}));
  EXPECT_EQ(by_name.at("double_stream_blocks.0.block.ff_i.shared_experts.w1.weight").shape, (Shape{3584, 2560}));
  EXPECT_EQ(by_name.at("double_stream_blocks.0.block.attn1.k_rms_norm_t.weight").shape, (Shape{2560}));
  EXPECT_EQ(by_name.at("caption_projection.48.linear.weight").shape, (Shape{2560, 4096}));
  EXPECT_EQ(by_name.at("final_layer.linear.bias").shape, (Shape{64}));
}

TEST(Flops, TwoForEveryParameterOfAMatrix) {
  // What multiplies a token: all parameters but embedding, norms and biases.
  const Model model = load_language_model("llama3-8b");
  const Count whole = count(model);
  const double matrices = static_cast<double>(whole.total - whole.embedding - whole.final_norm - 32 * 2 * 4096);
  EXPECT_DOUBLE_EQ(forward_flops(model, 1).matrix, 2 * matrices);
  const Model pangu = load_language_model("pangu-ultra-moe");
  const Flops forward = forward_flops(pangu, 4096), mtp = mtp_flops(pangu, 4096);
  EXPECT_NEAR(forward.matrix - mtp.matrix, 2 * static_cast<double>(count(pangu).active), 1e7);
}

TEST(Flops, CausalAttentionCountsHalf) {
  const Model model = load_language_model("llama3-8b");
  const Flops layer = layer_flops(model, {Mixer::attention, FeedForward::dense}, 8192);
  // Scores and values: 2 products of 2·(8192/2)·32·128.
  EXPECT_DOUBLE_EQ(layer.attention, 2.0 * 2 * 4096 * 32 * 128);
}

TEST(Flops, WindowSeesItsKeys) {
  Model model = load_language_model("gpt-oss-120b");
  const LayerKind window{Mixer::window_attention, FeedForward::experts}, full{Mixer::attention, FeedForward::experts};
  const double per_key = 4.0 * 64 * 64;
  EXPECT_DOUBLE_EQ(layer_flops(model, full, 4096).attention, per_key * 2048);
  EXPECT_DOUBLE_EQ(layer_flops(model, window, 4096).attention, per_key * (128 - 128.0 * 128 / 8192));
  // A sequence inside the window is as without one.
  EXPECT_DOUBLE_EQ(layer_flops(model, window, 128).attention, layer_flops(model, full, 128).attention);
  EXPECT_DOUBLE_EQ(layer_flops(model, window, 64).attention, layer_flops(model, full, 64).attention);
}

TEST(Flops, AgreeWithPublishedRates) {
  // Model TFLOP/s over tokens/s of published runs (NVIDIA-NeMo/Megatron-Bridge: docs/performance-summary-archive.md).
  EXPECT_NEAR(model_flops_per_token(load_language_model("llama3-8b"), 8192), 744e12 / 14451, 0.002e12 / 14.451);
  EXPECT_NEAR(model_flops_per_token(load_language_model("llama3-70b"), 8192), 719e12 / 1602, 1e9);
  EXPECT_NEAR(model_flops_per_token(load_language_model("deepseekv3"), 4096), 338e12 / 1297, 0.5e9);
  EXPECT_NEAR(model_flops_per_token(load_language_model("qwen3-235b-a22b"), 4096), 233e12 / 1575, 1e9);
}

TEST(Flops, MambaScan) {
  Model model;
  model.hidden = 10;
  model.mamba = Mamba{.heads = 4, .head_dim = 3, .state = 5, .groups = 2, .convolution = 4};
  const Flops flops = layer_flops(model, {Mixer::mamba, FeedForward::none}, 100);
  EXPECT_DOUBLE_EQ(flops.matrix, 2 * (10 * 48 + 12 * 10));
  EXPECT_DOUBLE_EQ(flops.attention, 2 * 32 * 4 + 7 * 12 * 5);
}

TEST(Flops, HiDream) {
  // TFLOP of a forward pass at 1024×1024: 77.7 and 0.13 of caption projections; 9.9 in the scores.
  const Flops flops = forward_flops(hidream(), 4096);
  EXPECT_NEAR(flops.total(), 77.8e12, 0.1e12);
  EXPECT_NEAR(flops.attention, 9.9e12, 0.05e12);
  EXPECT_NEAR(forward_flops(hidream(), 8192).total(), 166.9e12, 0.2e12);
  EXPECT_DOUBLE_EQ(model_flops_per_sample(hidream(), 4096), 3 * flops.total());
}

}  // namespace
}  // namespace filigree::spec
