#include "language/measure_device.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <unistd.h>

#include "nn/attention.h"
#include "ops/grouped_matmul.h"
#include "spec/layout.h"
#include "tensor/matmul_rate.h"

namespace filigree::language {
namespace {

/// Least time of one call, in seconds, over a tenth of a second of calls; `probe` is an element to wait for.
double time_of(const std::function<at::Tensor()>& call) {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  const auto wait = [](const at::Tensor& t) { t.flatten()[0].item(); };
  wait(call());
  double best = 1e9, spent = 0;
  while (spent < 0.1) {
    const auto begin = now();
    wait(call());
    const double seconds = std::chrono::duration<double>(now() - begin).count();
    best = std::min(best, seconds);
    spent += seconds;
  }
  return best;
}

struct Product {
  double m = 0, k = 0, n = 0, seconds = 0;
};

/// The curve of spec::MatrixCurve that has the least squared relative error over the products, searched on a grid.
spec::MatrixCurve fit_curve(const std::vector<Product>& products, double peak, double units, double start) {
  spec::MatrixCurve best;
  double least = 1e300;
  for (double max = 0.3; max <= 1.001; max += 0.05) {
    for (const double k_fill : {0., 16., 32., 64., 128., 256., 512.}) {
      for (const double tile : {1., 16., 32., 64., 128.}) {
        double error = 0;
        for (const Product& p : products) {
          const double outputs = std::max(p.m * p.n, units * tile * tile);
          const double predicted = start + 2 * outputs * (p.k + k_fill) / (peak * max);
          error += std::pow(std::log(predicted / p.seconds), 2);
        }
        if (error >= least) continue;
        least = error;
        best = {.max = std::min(max, 1.0), .k_fill = k_fill, .tile = tile, .unaligned = 1};
      }
    }
  }
  return best;
}

class Measurement {
 public:
  Measurement(c10::Device device, c10::ScalarType dtype)
      : cpu_(device.is_cpu()), options_(at::TensorOptions().device(device).dtype(dtype)) {
    cluster_.accelerator.units = cpu_ ? at::get_num_threads() : 132;
    peak_ = tensor::matmul_rate(device, dtype);
    dtype_ = dtype == at::kBFloat16 ? "bf16" : dtype == at::kHalf ? "fp16" : "fp32";
  }

  spec::Cluster run() {
    const c10::NoGradGuard no_grad;
    spec::Accelerator& a = cluster_.accelerator;
    a.name = cpu_ ? "CPU, " + std::to_string(at::get_num_threads()) + " threads" : "GPU";
    cluster_.name = "this device, as measured";
    a.peak_tflops[dtype_] = peak_ / 1e12;
    constexpr double kAssumed = 80;  // GiB; LibTorch has no common way to ask a GPU
    const double pages = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
    a.memory_gib = cpu_ ? pages / (1 << 30) : kAssumed;
    a.sources["memory_gib"] = cpu_ ? "what the system reports" : "assumed";
    measure_start();
    measure_memory();
    a.matrix[dtype_] = fit_curve(products(), peak_, a.units, start_);
    a.grouped[dtype_] = fit_curve(grouped(), peak_, a.units, start_);
    measure_attention();
    cluster_.tiers = {{.name = "none", .devices = 0, .gb_s = 10, .latency_us = 1}};
    cluster_.host_gb_s = a.memory_gb_s;
    const std::string how = "measured on this device when the run began";
    for (const char* key : {"peak_tflops", "memory_gb_s", "matrix", "grouped", "kernel_us"}) a.sources[key] = how;
    a.sources["attention"] = cpu_ ? "assumed: separate operators at the rate of copies" : how;
    return cluster_;
  }

 private:
  /// One small operator, as training runs it: recorded, and with the operator of its gradient.
  void measure_start() {
    const c10::AutoGradMode with_gradients(true);
    at::Tensor x = at::ones({8}, options_).requires_grad_(true);
    constexpr int kMany = 100;
    const double seconds = time_of([&] {
      at::Tensor y = x;
      for (int i = 0; i < kMany; ++i) y = y * 1.001;
      y.sum().backward();
      return x.grad();
    });
    start_ = seconds / (2 * kMany);
    // On a CPU an operator's fixed cost and its work come one after the other; on a GPU the host runs ahead.
    cluster_.accelerator.kernel_us = cpu_ ? 1e6 * start_ : 3;
    cluster_.accelerator.host_us = cpu_ ? 0 : 1e6 * start_;
  }

  void measure_memory() {
    const std::int64_t numbers = cpu_ ? 1 << 24 : 1 << 28;
    const at::Tensor from = at::ones({numbers}, options_);
    at::Tensor to = at::empty_like(from);
    const double seconds = time_of([&] { return to.copy_(from); });
    cluster_.accelerator.memory_gb_s = 2 * static_cast<double>(from.nbytes()) / seconds / 1e9;
    cluster_.accelerator.memory_efficiency = elementwise_share();
  }

  /// The bandwidth that operators between the products reach, as training runs them (an activation with its gradient, a
  /// norm in several passes), over a copy's.
  double elementwise_share() const {
    const c10::AutoGradMode with_gradients(true);
    at::Tensor x = at::randn({cpu_ ? 1024 : 16384, cpu_ ? 128 : 2048}, options_).requires_grad_(true);
    const double seconds = time_of([&] {
      const at::Tensor gated = at::silu(x) * x;
      const at::Tensor unit = gated * at::rsqrt(gated.square().mean(-1, true) + 1e-5);
      unit.sum().backward();
      return x.grad();
    });
    // Passes of reading or writing all of x: silu 2, product 3, square 2, mean 1, product 2, sum 1; twice as much and the
    // addition to the gradient on the way back.
    constexpr double kPasses = 11 + 22 + 3;
    const double rate = kPasses * static_cast<double>(x.nbytes()) / seconds / 1e9;
    return std::clamp(rate / cluster_.accelerator.memory_gb_s, 0.05, 1.0);
  }

  /// Shares of the matrix rate that causal attention of 4,096 tokens reaches. On the CPU it is separate operators.
  void measure_attention() {
    spec::AttentionCurve& curve = cluster_.accelerator.attention;
    curve = {.forward = 0.3, .backward = 0.3, .unfused = 1};
    if (cpu_) return;
    constexpr std::int64_t kHeads = 32, kTokens = 4096, kSize = 128;
    const auto random = [&] { return at::randn({1, kHeads, kTokens, kSize}, options_).requires_grad_(true); };
    const at::Tensor q = random(), k = random(), v = random();
    const double half = static_cast<double>(kHeads * kTokens * kTokens * kSize);  // of one causal product, both factors
    const double forward = time_of([&] { return nn::attend(q, k, v, 0.1, {}); });
    const c10::AutoGradMode with_gradients(true);
    const double both = time_of([&] {
      nn::attend(q, k, v, 0.1, {}).sum().backward();
      return q.grad();
    });
    curve.forward = std::clamp(2 * half / forward / peak_, 0.05, 1.0);
    curve.backward = std::clamp(5 * half / std::max(both - forward, 0.1 * both) / peak_, 0.05, 1.0);
  }

  std::vector<Product> products() const {
    std::vector<Product> all;
    const std::int64_t size = cpu_ ? 1 : 8;
    for (const std::int64_t rows : {256, 1024}) {
      for (const std::int64_t k : {64, 128, 384}) {
        for (const std::int64_t n : {64, 256}) {
          const at::Tensor a = at::randn({rows * size, k * size}, options_),
                           b = at::randn({k * size, n * size}, options_);
          const double seconds = time_of([&] { return at::matmul(a, b); });
          all.push_back({static_cast<double>(a.size(0)), static_cast<double>(a.size(1)), static_cast<double>(b.size(1)),
                         seconds});
        }
      }
    }
    return all;
  }

  std::vector<Product> grouped() const {
    std::vector<Product> all;
    constexpr std::int64_t kGroups = 8;
    const std::int64_t size = cpu_ ? 1 : 8;
    for (const std::int64_t rows : {64, 256}) {
      for (const std::int64_t k : {64, 256}) {
        const std::int64_t n = 128 * size;
        const at::Tensor x = at::randn({kGroups * rows * size, k * size}, options_);
        const at::Tensor w = at::randn({kGroups, n, k * size}, options_);
        const at::Tensor count = at::full({kGroups}, rows * size, options_.dtype(at::kLong));
        const double seconds = time_of([&] { return ops::grouped_matmul(x, w, count); });
        all.push_back({static_cast<double>(x.size(0)), static_cast<double>(k * size), static_cast<double>(n), seconds});
      }
    }
    return all;
  }

  bool cpu_;
  at::TensorOptions options_;
  spec::Cluster cluster_;
  double peak_ = 0, start_ = 0;
  std::string dtype_;
};

}  // namespace

spec::Cluster measure_device(c10::Device device, c10::ScalarType dtype) { return Measurement(device, dtype).run(); }

}  // namespace filigree::language
