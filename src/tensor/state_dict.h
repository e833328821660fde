#pragma once

#include <functional>
#include <string>

#include "tensor/safetensors.h"

/// From a checkpoint into a module and back. A module is whatever has named_parameters() and named_buffers() as
/// torch::nn::Module has them; torch/nn is not needed here.
///
///     tensor::load_into(*model, tensor::SafeTensors::open(folder));
///     tensor::save(file, tensor::named_tensors(*model));
namespace filigree::tensor {

/// Parameters, then buffers, by name. The tensors are the module's own, not copies.
template <class Module>
NamedTensors named_tensors(const Module& module) {
  NamedTensors tensors;
  for (const auto& item : module.named_parameters()) tensors.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) tensors.emplace_back(item.key(), item.value());
  return tensors;
}

struct LoadOptions {
  /// From a name in the module to the one in the file; two may share one. Names stay as they are where it is not given.
  std::function<std::string(const std::string&)> rename = {};
  /// Names in the module that the file may lack; they keep their values.
  std::function<bool(const std::string&)> may_be_missing = {};
  /// Names in the file that the module may lack.
  std::function<bool(const std::string&)> may_be_unexpected = {};
};

/// Copies the file's tensors into those of the list, to their types (float8 by its values) and devices.
/// Names and shapes must match one to one. Where they do not, nothing is copied and one Error says all of it: how many
/// are missing, unexpected, of another shape, or of another kind (whole numbers for floating-point ones), and the first
/// 20 of each.
void load_into(const NamedTensors& destination, const SafeTensors& file, const LoadOptions& options = {});

template <class Module>
requires requires(const Module& m) { m.named_parameters(); }
void load_into(Module& module, const SafeTensors& file, const LoadOptions& options = {}) {
  load_into(named_tensors(module), file, options);
}

}  // namespace filigree::tensor
