#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "base/text.h"
#include "device_timing.h"
#include "image/dit.h"
#include "image/memory_plan.h"
#include "peak_memory.h"
#include "spec/count.h"
#include "spec/hf_config.h"
#include "tensor/device.h"

/// One step of the diffusion transformer with random latents and texts, beside the rate of a plain matrix product in the
/// same run, and with the lossless savings on and off. On a GPU: HiDream-I1's size with random weights in bfloat16, batch 1
/// and 2; without one a small transformer in float32, or that of a folder, streamed, for one step.
///
///     bench_image_step [SIZE BATCH [FOLDER]]
///
/// Times are medians; the host waits for the device at both ends.
namespace filigree {
namespace {

using Clock = std::chrono::steady_clock;

struct Setting {
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  std::int64_t size = 256, matrix = 1024;
  std::vector<std::int64_t> batches{1, 2};
  int repeats = 3;
  std::string folder;
};

Setting read_setting(int argc, char** argv) {
  Setting setting;
  if (tensor::device_names().size() > 1) {
    setting.device = tensor::parse_device("cuda");
    setting.dtype = at::kBFloat16;
    setting.size = 1024;
    setting.matrix = 8192;
    setting.repeats = 5;
  }
  if (argc > 2) {
    setting.size = text::parse_int(argv[1]).value_or(setting.size);
    setting.batches = {text::parse_int(argv[2]).value_or(1)};
  }
  if (argc > 3) setting.folder = argv[3];
  return setting;
}

double once(at::Device device, const std::function<void()>& run) {
  wait(device);
  const auto begin = Clock::now();
  run();
  wait(device);
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

/// Of each, in turns, so that what else the machine does hits both alike.
std::vector<double> medians(const Setting& setting, const std::vector<std::function<void()>>& runs) {
  std::vector<std::vector<double>> seconds(runs.size());
  for (int i = -2; i < setting.repeats; ++i) {
    for (std::size_t r = 0; r < runs.size(); ++r) {
      const double time = once(setting.device, runs[r]);
      if (i >= 0) seconds[r].push_back(time);
    }
  }
  std::vector<double> out;
  for (const std::vector<double>& times : seconds) out.push_back(median(times));
  return out;
}

/// Operations per second of one matrix product.
double matrix_rate(const Setting& setting) {
  const at::TensorOptions options = at::TensorOptions().device(setting.device).dtype(setting.dtype);
  return filigree::matrix_rate(options, setting.matrix, [&](const auto& run) { return medians(setting, {run})[0]; });
}

spec::Dit read_config(const Setting& setting) {
  auto config = std::get<spec::Dit>(spec::load_model("hidream-i1"));
  if (setting.device.is_cuda()) return config;
  config.num_attention_heads = 4;  // a fifth of the width, an eighth of the blocks
  config.num_layers = 2;
  config.num_single_layers = 4;
  config.llama_layers = {0, 1, 2, 3, 4, 5};
  config.caption_channels = {512, 512};
  return config;
}

image::Dit make_dit(const Setting& setting) {
  const at::TensorOptions options = at::TensorOptions().device(setting.device).dtype(setting.dtype);
  if (!setting.folder.empty()) {
    image::DitLoading loading;
    loading.options = options;
    loading.stream = setting.device.is_cpu();
    return image::load_dit(setting.folder, loading);
  }
  image::Dit dit(read_config(setting), options);
  at::manual_seed(1);
  for (const nn::Parameter& parameter : dit.parameters()) {
    if (parameter.value().dim() > 1) parameter.value().normal_(0, 0.02);
  }
  return dit;
}

image::Conditioning make_texts(const spec::Dit& config, std::int64_t batch, const at::TensorOptions& options) {
  constexpr std::int64_t kTokens = 128;
  const std::int64_t layers = 1 + *std::max_element(config.llama_layers.begin(), config.llama_layers.end());
  return {at::randn({batch, kTokens, config.caption_channels[0]}, options),
          at::randn({layers, batch, kTokens, config.caption_channels[1]}, options),
          at::randn({batch, config.text_emb_dim}, options)};
}

double peak_bytes(const Setting& setting) {
  if (setting.device.is_cuda()) return peak_memory(setting.device);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

void run_batch(const Setting& setting, image::Dit& dit, std::int64_t batch, double rate) {
  const at::TensorOptions options = at::TensorOptions().device(setting.device).dtype(setting.dtype);
  const at::Tensor latents = at::randn({batch, dit.config().in_channels, setting.size / 8, setting.size / 8}, options);
  const image::Conditioning texts = make_texts(dit.config(), batch, options);
  const at::Tensor timesteps = at::linspace(1000, 100, 4).to(setting.device);
  reset_peak_memory(setting.device);
  image::Prepared prepared;
  const double prepare = once(setting.device, [&] { prepared = dit.prepare(texts, timesteps); });
  at::Tensor on, off;
  const bool large = dit.streamed();
  const auto step = [&] {
    dit.options.skip_discarded = true;
    on = dit(latents, prepared, 1);
  };
  const auto plain = [&] {
    dit.options.skip_discarded = false;
    off = dit(latents, timesteps[1].expand({batch}), texts);
  };
  std::vector<double> seconds{0};
  if (large) {
    seconds[0] = once(setting.device, step);
  } else {
    seconds = medians(setting, {step, plain});
  }
  const auto tokens = static_cast<double>((setting.size / 16) * (setting.size / 16));
  const double flops = static_cast<double>(batch) * spec::forward_flops(dit.config(), tokens).total() / seconds[0];
  fmt::print(
      "batch {} at {}x{}: {:.1f} ms a step, {:.2f} TFLOP/s by the published count, {:.1f} % of the matrix product\n",
      batch, setting.size, setting.size, 1e3 * seconds[0], flops / 1e12, 100 * flops / rate);
  fmt::print("  preparing texts and the modulation of {} steps: {:.1f} ms\n", timesteps.numel(), 1e3 * prepare);
  fmt::print("  peak memory {:.2f} GiB\n", peak_bytes(setting) / (1 << 30));
  if (!on.isfinite().all().item<bool>()) fmt::print("  the output has values that are not finite\n");
  if (large) return;
  const double difference = ((on - off).to(at::kFloat).norm() / off.to(at::kFloat).norm()).item<double>();
  fmt::print("  without the savings: {:.1f} ms; they save {:.1f} %; relative difference {:.1e}\n", 1e3 * seconds[1],
             100 * (1 - seconds[0] / seconds[1]), difference);
}

void run(const Setting& setting) {
  const c10::NoGradGuard no_grad;
  tensor::use_threads();
  image::Dit dit = make_dit(setting);
  const double rate = matrix_rate(setting);
  fmt::print("{} on {}, {:.2f} billion parameters{}; matrix product {:.2f} TFLOP/s\n",
             tensor::dtype_name(setting.dtype), setting.device.str(),
             static_cast<double>(spec::count(dit.config()).total) / 1e9,
             dit.streamed() ? ", streamed" : ", random weights", rate / 1e12);
  for (const std::int64_t batch : setting.batches) run_batch(setting, dit, batch, rate);
}

}  // namespace
}  // namespace filigree

int main(int argc, char** argv) {
  try {
    filigree::run(filigree::read_setting(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_image_step: {}\n", error.what());
    return 1;
  }
}
