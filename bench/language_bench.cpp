#include <filesystem>

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include "base/file.h"
#include "language/batches.h"
#include "language/generate.h"
#include "language/model.h"
#include "moe/layer.h"
#include "tensor/device.h"
#include "text/train.h"

/// The mixture of experts against its readable twin, and the latent cache against computing everything again. Random
/// weights. Read the ratios; times depend on the machine.
namespace filigree {
namespace {

void fill(const nn::Parameters& parameters, double deviation) {
  at::manual_seed(1);
  for (const nn::Parameter& parameter : parameters) {
    if (parameter.value().dim() > 1) parameter.value().normal_(0, deviation);
  }
}

/// Forward and backward of 4,096 tokens through 16 experts, two for each token, hidden 256, width 512.
void moe_layer(benchmark::State& state, bool loop) {
  tensor::use_threads();
  moe::Layer layer({.routed = 16, .top_k = 2, .width = 512}, 256, {.top_k = 2}, {});
  nn::Parameters parameters;
  layer.list(parameters, "mlp");
  fill(parameters, 0.05);
  nn::record_gradients(parameters);
  const at::Tensor x = at::randn({4096, 256}).requires_grad_(true);
  for (auto _ : state) {
    const at::Tensor y = loop ? moe::forward_by_loop(layer, x) : layer(x).y_TD;
    y.square().mean().backward();
  }
}
BENCHMARK_CAPTURE(moe_layer, grouped, false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(moe_layer, loop, true)->Unit(benchmark::kMillisecond)->UseRealTime();

language::Model decoding_model() {
  const Json json = parse_json(R"({
    "model_type": "pangu_ultra_moe", "vocab_size": 1000, "hidden_size": 256, "intermediate_size": 512,
    "moe_intermediate_size": 128, "num_hidden_layers": 4, "num_mtp_layers": 0, "num_attention_heads": 8,
    "num_key_value_heads": 8, "num_shared_experts": 1, "num_routed_experts": 16, "routed_scaling_factor": 2.5,
    "attention_kv_lora_dim": 64, "attention_q_lora_dim": 96, "attention_qk_rope_dim": 16, "attention_v_dim": 32,
    "attention_qk_dim": 32, "num_experts_per_tok": 2, "num_dense_layers": 1, "norm_topk_prob": true,
    "hidden_act": "silu", "max_position_embeddings": 4096, "rms_norm_eps": 1e-05, "tie_word_embeddings": false,
    "rope_theta": 10000, "sandwich_norm": true})",
                               "bench");
  language::Model model(language::config_from_json(json, "bench"));
  fill(model.parameters(), 0.05);
  return model;
}

/// 16 new tokens after 512.
void decode(benchmark::State& state, bool cache, bool absorbed) {
  tensor::use_threads();
  const language::Model model = decoding_model();
  const std::vector<std::int64_t> prompt(512, 7);
  for (auto _ : state) {
    const language::Generated generated =
        language::generate(model, {prompt}, {.max_new_tokens = 16, .cache = cache, .absorbed = absorbed});
    // With a cache, the first token comes of the prefill.
    const double tokens = cache ? 15 : 16;
    state.SetIterationTime(generated.decode_seconds / tokens);
  }
}
BENCHMARK_CAPTURE(decode, absorbed_cache, true, true)->Unit(benchmark::kMillisecond)->UseManualTime()->Iterations(5);
BENCHMARK_CAPTURE(decode, expanded_cache, true, false)->Unit(benchmark::kMillisecond)->UseManualTime()->Iterations(5);
BENCHMARK_CAPTURE(decode, no_cache, false, false)->Unit(benchmark::kMillisecond)->UseManualTime()->Iterations(3);

/// A batch of 16 sequences of 128 from a token file of a million: what a training step waits for its data.
void next_batch(benchmark::State& state) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "filigree_bench_tokens";
  std::string text;
  for (int i = 0; i < 40'000; ++i) text += "the fox and the hen run off";
  write_file(folder / "text.txt", text);
  text::save_tokenizer(text::train_characters({folder / "text.txt"}), folder);
  language::write_tokens({folder / "text.txt"}, text::load_tokenizer(folder), folder);
  const language::TokenFile tokens = language::TokenFile::open(folder);
  const language::PackedBatches batches(tokens, {0, tokens.size()}, 16, 128, 1);
  std::int64_t number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(batches.batch(number++));
  std::filesystem::remove_all(folder);
}
BENCHMARK(next_batch)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
}  // namespace filigree

BENCHMARK_MAIN();
