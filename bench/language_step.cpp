#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "base/text.h"
#include "device_timing.h"
#include "language/model.h"
#include "moe/balance.h"
#include "peak_memory.h"
#include "spec/count.h"
#include "tensor/device.h"

/// One training step of a language model, forward and backward, with random weights, beside the rate of a plain matrix
/// product in the same run. On a GPU: 5 billion parameters in bfloat16; without one a small model in float32.
///
///     bench_language_step [BATCH TOKENS [CONFIG.json]]
///
/// Times are medians; the host waits for the device at both ends.
namespace filigree {
namespace {

using Clock = std::chrono::steady_clock;

/// The names of DeepSeek-V3, whose architecture this is, without groups of experts.
constexpr const char* kLarge = R"({
  "model_type": "deepseek_v3", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 8192,
  "moe_intermediate_size": 1024, "num_hidden_layers": 12, "num_nextn_predict_layers": 0, "num_attention_heads": 16,
  "num_key_value_heads": 16, "n_shared_experts": 1, "n_routed_experts": 64, "routed_scaling_factor": 2.5,
  "kv_lora_rank": 512, "q_lora_rank": 768, "qk_rope_head_dim": 64, "v_head_dim": 128, "qk_nope_head_dim": 128,
  "num_experts_per_tok": 8, "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_group": 1, "topk_group": 1,
  "topk_method": "noaux_tc", "scoring_func": "sigmoid", "norm_topk_prob": true, "hidden_act": "silu",
  "max_position_embeddings": 4096, "rms_norm_eps": 1e-06, "tie_word_embeddings": false, "rope_theta": 10000})";

struct Setting {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  std::int64_t batch = 1, tokens = 256, matrix = 1024;
  int repeats = 3;
  Json config;
};

Setting read_setting(int argc, char** argv) {
  Setting setting;
  setting.config = parse_json(kLarge, "moe-5b");
  if (tensor::device_names().size() > 1) {
    setting.device = tensor::parse_device("cuda");
    setting.dtype = at::kBFloat16;
    setting.batch = 4;
    setting.tokens = 4096;
    setting.matrix = 8192;
    setting.repeats = 10;
  } else {
    setting.config.update({{"hidden_size", 256},
                           {"num_hidden_layers", 4},
                           {"intermediate_size", 1024},
                           {"moe_intermediate_size", 128},
                           {"num_attention_heads", 4},
                           {"num_key_value_heads", 4},
                           {"q_lora_rank", 96},
                           {"kv_lora_rank", 64}});
  }
  if (argc > 2) {
    setting.batch = text::parse_int(argv[1]).value_or(setting.batch);
    setting.tokens = text::parse_int(argv[2]).value_or(setting.tokens);
  }
  if (argc > 3) setting.config = load_json(argv[3]);
  return setting;
}

/// Median of some runs after two warm-ups, in seconds: until the device is done, and until the host was.
std::pair<double, double> seconds(const Setting& setting, const std::function<void()>& run) {
  std::vector<double> all, host;
  for (int i = -2; i < setting.repeats; ++i) {
    wait(setting.device);
    const auto begin = Clock::now();
    run();
    const auto called = Clock::now();
    wait(setting.device);
    if (i < 0) continue;
    host.push_back(std::chrono::duration<double>(called - begin).count());
    all.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::sort(all.begin(), all.end());
  std::sort(host.begin(), host.end());
  return {all[all.size() / 2], host[host.size() / 2]};
}

/// Operations per second of one matrix product.
double matrix_rate(const Setting& setting) {
  const at::TensorOptions options = at::TensorOptions().device(setting.device).dtype(setting.dtype);
  return filigree::matrix_rate(options, setting.matrix, [&](const auto& run) { return seconds(setting, run).first; });
}

void fill(const nn::Parameters& parameters) {
  at::manual_seed(1);
  for (const nn::Parameter& parameter : parameters) {
    if (parameter.value().dim() > 1) parameter.value().normal_(0, 0.02);
  }
}

/// How far the random router is from equal loads: most over mean, the worst layer's.
double imbalance(const language::Model& model, const at::Tensor& ids_BT) {
  const c10::NoGradGuard no_grad;
  std::vector<moe::Routing> routings;
  language::Pass pass;
  pass.routings = &routings;
  model.forward(ids_BT, pass);
  double worst = 1;
  for (const moe::Routing& routing : routings) {
    const at::Tensor load = moe::expert_load(routing.expert_TK, routing.score_TE.size(1)).to(at::kFloat);
    worst = std::max(worst, (load.max() / load.mean()).item<double>());
  }
  return worst;
}

void run(const Setting& setting) {
  tensor::use_threads();
  language::Model model(language::config_from_json(setting.config, "moe-5b"),
                        at::TensorOptions().device(setting.device).dtype(setting.dtype));
  nn::Parameters parameters = model.parameters();
  fill(parameters);
  nn::record_gradients(parameters);
  const spec::Model& spec = model.config().model;
  const at::Tensor ids =
      at::randint(spec.vocabulary, {setting.batch, setting.tokens + 1}, at::kLong).to(setting.device);
  const at::Tensor input = ids.narrow(1, 0, setting.tokens).contiguous();
  const at::Tensor target = ids.narrow(1, 1, setting.tokens).contiguous();
  const auto forward = [&] { return language::cross_entropy(model.forward(input).logits_BTV, target); };
  const double unequal = imbalance(model, input);
  reset_peak_memory(setting.device);
  const auto [forward_seconds, forward_host] = seconds(setting, [&] { forward(); });
  const auto [step_seconds, step_host] = seconds(setting, [&] {
    for (const nn::Parameter& parameter : parameters) parameter.tensor->mutable_grad() = at::Tensor();
    forward().backward();
  });
  const double rate = matrix_rate(setting);
  const double tokens = static_cast<double>(setting.batch * setting.tokens);
  const double flops = spec::model_flops_per_token(spec, static_cast<double>(setting.tokens)) * tokens / step_seconds;
  fmt::print("{} on {}, {:.2f} billion parameters, batch {} x {}, random weights, loss {:.3f}\n",
             tensor::dtype_name(setting.dtype), setting.device.str(),
             static_cast<double>(spec::count(spec).total) / 1e9, setting.batch, setting.tokens,
             forward().item<double>());
  fmt::print("expert load, most / mean    {:8.2f}\n", unequal);
  fmt::print("matrix product {:5}^3       {:8.1f} TFLOP/s\n", setting.matrix, rate / 1e12);
  fmt::print("forward                     {:8.1f} ms, host {:.1f} ms\n", 1e3 * forward_seconds, 1e3 * forward_host);
  fmt::print("forward and backward        {:8.1f} ms, host {:.1f} ms\n", 1e3 * step_seconds, 1e3 * step_host);
  fmt::print("tokens                      {:8.0f} / s\n", tokens / step_seconds);
  fmt::print("model operations            {:8.1f} TFLOP/s, {:.1f} % of the matrix product\n", flops / 1e12,
             100 * flops / rate);
  fmt::print("peak memory                 {:8.1f} GiB\n", peak_memory(setting.device) / (1 << 30));
}

}  // namespace
}  // namespace filigree

int main(int argc, char** argv) {
  try {
    filigree::run(filigree::read_setting(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_language_step: {}\n", error.what());
    return 1;
  }
}
