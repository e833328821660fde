#pragma once

#include <cstdint>

#include <ATen/ATen.h>

/// What benchmarks of whole models share.
namespace filigree {

/// Waits until the device has done all that it was given.
inline void wait(at::Device device) { at::zeros({1}, at::TensorOptions().device(device)).item<float>(); }

/// Operations per second of the product of two n × n matrices. `median` gives the median seconds of a function.
template <class Median>
double matrix_rate(const at::TensorOptions& options, std::int64_t n, const Median& median) {
  const at::Tensor a = at::randn({n, n}, options), b = at::randn_like(a);
  at::Tensor c = at::empty_like(a);
  constexpr int kProducts = 20;
  const auto run = [&] {
    for (int i = 0; i < kProducts; ++i) at::mm_out(c, a, b);
  };
  const auto size = static_cast<double>(n);
  return kProducts * 2 * size * size * size / median(run);
}

}  // namespace filigree
