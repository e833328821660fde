#include "tensor/device.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/cuda.h>

#include "base/error.h"
#include "base/text.h"

namespace filigree::tensor {
namespace {

constexpr std::array<std::pair<at::ScalarType, const char*>, 4> kTypes{
    {{at::kFloat, "float32"}, {at::kBFloat16, "bfloat16"}, {at::kHalf, "float16"}, {at::kDouble, "float64"}}};

constexpr int kSize = 256;

/// The best of some runs, so that what else the machine does counts little.
template <class Run>
double best_seconds(int runs, Run run) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// c += a b, row by row, as a compiler makes of it.
void multiply_plainly(const float* a, const float* b, float* c) {
  for (int i = 0; i < kSize; ++i) {
    for (int k = 0; k < kSize; ++k) {
      const float factor = a[i * kSize + k];
      for (int j = 0; j < kSize; ++j) c[i * kSize + j] += factor * b[k * kSize + j];
    }
  }
}

}  // namespace

std::vector<std::string> device_names() {
  std::vector<std::string> names = {"cpu"};
  const int count = static_cast<int>(torch::cuda::device_count());
  for (int i = 0; i < count; ++i) names.push_back(fmt::format("cuda:{}", i));
  return names;
}

at::Device parse_device(const std::string& name) {
  const std::string wanted = name == "cuda" ? "cuda:0" : name;
  const std::vector<std::string> names = device_names();
  const auto it = std::find(names.begin(), names.end(), wanted);
  if (it == names.begin()) return at::kCPU;
  if (it != names.end()) {
    // Who asks for float32 gets it: cuDNN's convolutions would take ten bits of mantissa otherwise.
    at::globalContext().setAllowTF32CuDNN(false);
    return {at::kCUDA, static_cast<c10::DeviceIndex>(it - names.begin() - 1)};
  }
  const std::string hint =
      name.rfind("cuda", 0) == 0 && names.size() == 1 ? ": LibTorch was built without CUDA, or finds no GPU" : "";
  fail("there is no device '{}' here{} (one of: {})", name, hint, text::join(names, ", "));
}

at::ScalarType parse_dtype(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [type, text] : kTypes) {
    if (name == text) return type;
    names.emplace_back(text);
  }
  fail("there is no floating-point type '{}'{} (one of: {})", name, text::did_you_mean(name, names),
       text::join(names, ", "));
}

std::string dtype_name(at::ScalarType dtype) {
  for (const auto& [type, text] : kTypes) {
    if (dtype == type) return text;
  }
  switch (dtype) {
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    default:
      return text::lower(c10::toString(dtype));
  }
}

int use_threads(int count) {
  if (count < 0) fail("the number of threads must be at least 1, or 0 for all cores; got {}", count);
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  at::set_num_threads(count == 0 ? cores : count);
  return at::get_num_threads();
}

BlasTimes measure_blas() {
  const c10::NoGradGuard no_grad;
  // One thread: several that wait for each other on a busy machine would be measured instead of the BLAS.
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor a = at::ones({kSize, kSize}, at::kFloat), b = at::ones({kSize, kSize}, at::kFloat);
  at::Tensor c = at::zeros({kSize, kSize}, at::kFloat);
  BlasTimes times;
  at::mm_out(c, a, b);
  times.blas = best_seconds(8, [&] { at::mm_out(c, a, b); });
  times.plain =
      best_seconds(8, [&] { multiply_plainly(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>()); });
  at::set_num_threads(threads);
  return times;
}

bool is_slow(const BlasTimes& times) {
  // OpenBLAS takes half as long as the loops, the reference BLAS three times as long or more.
  return times.blas > 1.25 * times.plain;
}

std::optional<std::string> blas_warning() {
  static const BlasTimes times = measure_blas();
  if (!is_slow(times)) return std::nullopt;
  return fmt::format(
      "LibTorch multiplies matrices with a slow BLAS ({:.1f} GFLOP/s on one core, of some 50 to 100 that are usual); "
      "on "
      "Debian install libopenblas0-openmp",
      2e-9 * kSize * kSize * kSize / times.blas);
}

}  // namespace filigree::tensor
