#pragma once

#include <c10/core/Device.h>

namespace filigree {

/// Most bytes that tensors on the device took together since the last reset_peak_memory. 0 on the CPU, and where LibTorch
/// (before 2.11) does not tell without CUDA's headers.
double peak_memory(at::Device device);

void reset_peak_memory(at::Device device);

}  // namespace filigree
