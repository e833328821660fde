#pragma once

#include <optional>
#include <string>
#include <vector>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

/// Devices, types and threads by the words that users write.
namespace filigree::tensor {

/// "cpu", "cuda", "cuda:0", …: what there is on this machine.
std::vector<std::string> device_names();

/// A device from its name; "cuda" is the first one. On a GPU float32 is computed in float32 from then on, not in TF32. Error, with those that there are, where this machine has none such.
at::Device parse_device(const std::string& name);

/// A floating-point type: "float32", "bfloat16", "float16" or "float64". Error, with these, for any other name.
at::ScalarType parse_dtype(const std::string& name);

/// "float32", "int64", "bool", …
std::string dtype_name(at::ScalarType dtype);

/// Lets LibTorch use so many threads, or all of this machine's cores for 0, and returns their number.
/// (LibTorch of Debian uses one unless told.) Error where the number is negative.
int use_threads(int count = 0);

/// Seconds that one thread takes for the product of two float32 matrices of 256×256: with LibTorch's BLAS, and with three
/// plain loops.
struct BlasTimes {
  double blas = 0;
  double plain = 0;
};
BlasTimes measure_blas();

/// Whether LibTorch multiplies matrices with a BLAS that is hardly better than three loops, such as the reference BLAS.
bool is_slow(const BlasTimes& times);

/// A sentence to show at start-up where the BLAS is slow; measured once (in some 30 to 100 ms), then remembered.
std::optional<std::string> blas_warning();

}  // namespace filigree::tensor
