#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace filigree::tensor {

/// Operations a second (2 n³ for n × n matrices) of plain matrix products on this device now, with as many threads as
/// LibTorch uses: what a share of "the hardware" is measured against. Takes some tenths of a second.
double matmul_rate(c10::Device device, c10::ScalarType dtype);

}  // namespace filigree::tensor
