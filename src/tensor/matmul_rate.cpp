#include "tensor/matmul_rate.h"

#include <algorithm>
#include <chrono>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace filigree::tensor {

double matmul_rate(c10::Device device, c10::ScalarType dtype) {
  const c10::NoGradGuard no_grad;
  const std::int64_t n = device.is_cpu() ? 768 : 8192;
  constexpr int kTries = 5, kProducts = 4;
  const at::TensorOptions options = at::TensorOptions().device(device).dtype(dtype);
  const at::Tensor a = at::randn({n, n}, options), b = at::randn({n, n}, options);
  at::Tensor c = at::matmul(a, b);
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    c[0][0].item();  // the device is idle
    const auto begin = std::chrono::steady_clock::now();
    for (int k = 0; k < kProducts; ++k) at::matmul_out(c, a, b);
    c[0][0].item();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto size = static_cast<double>(n);
    best = std::max(best, 2 * size * size * size * kProducts / seconds);
  }
  return best;
}

}  // namespace filigree::tensor
