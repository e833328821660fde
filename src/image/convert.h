#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/progress.h"
#include "base/visit.h"
#include "tensor/weight_source.h"

/// Weights from one form into another, tensor by tensor.
namespace filigree::image {

enum class WeightForm { float32, bfloat16, float16, q8, q4 };

struct ConvertOptions {
  WeightForm form = WeightForm::bfloat16;
  std::map<std::string, std::string> metadata = {};
  ProgressSink* progress = nullptr;
};

struct Converted {
  bool complete = true;  ///< false where the work was cancelled: then there is no file
  std::int64_t tensors = 0, packed = 0;
  std::int64_t bytes = 0;  ///< of the file
};

/// Whether the forms q8 and q4 pack this tensor (tensor/packed.h): the large matrices. Norms, biases, routers, the first
/// projection and the last one stay as they were (float32) or become bfloat16.
bool is_packed(const std::string& name, const std::vector<std::int64_t>& shape);

/// Writes one safetensors file, which appears complete or not at all. One tensor is held at a time.
Converted convert_weights(const tensor::WeightSource& source, const std::filesystem::path& file,
                          const ConvertOptions& options);

}  // namespace filigree::image

template <>
struct filigree::EnumNames<filigree::image::WeightForm> {
  using F = filigree::image::WeightForm;
  static constexpr std::array<std::pair<F, std::string_view>, 5> table{
      {{F::float32, "float32"}, {F::bfloat16, "bfloat16"}, {F::float16, "float16"}, {F::q8, "q8"}, {F::q4, "q4"}}};
};
