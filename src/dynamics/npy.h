#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// numpy's NPY files (numpy: doc/neps/nep-0001-npy-format), of real numbers.
namespace filigree::dynamics {

struct NpyArray {
  std::vector<std::int64_t> shape;
  std::vector<double> values;  ///< in C order: the last index varies fastest
};

/// Versions 1 to 3, float32 and float64 in either byte order, C and Fortran order.
/// Error where it is none of these, is cut short or holds more than it says.
NpyArray parse_npy(std::string_view bytes, const std::string& where);
NpyArray read_npy(const std::filesystem::path& path);

/// Version 1, little-endian float64, C order.
std::string npy_bytes(const NpyArray& array);

}  // namespace filigree::dynamics
