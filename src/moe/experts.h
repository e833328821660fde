#pragma once

#include <cstdint>

#include "nn/parameters.h"

namespace filigree::moe {

/// E SwiGLU networks of width F over hidden D, stored stacked and named one by one: prefix.3.gate_proj.weight.
struct Experts {
  at::Tensor gate_EFD, up_EFD, down_EDF;

  Experts() = default;
  Experts(std::int64_t experts, std::int64_t hidden, std::int64_t width, const at::TensorOptions& options);

  std::int64_t size() const { return gate_EFD.size(0); }

  /// y_RD of x_RD whose rows are ordered by expert, count_E for each.
  at::Tensor operator()(const at::Tensor& x_RD, const at::Tensor& count_E) const;

  void list(nn::Parameters& out, const std::string& prefix);
};

}  // namespace filigree::moe
