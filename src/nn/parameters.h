#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

/// How modules show their parameters: no base class, no registry. Every module has
///
///     void list(nn::Parameters& out, const std::string& prefix);
///
/// which appends its tensors, and those of its parts, in the order of a checkpoint.
namespace filigree::nn {

/// One tensor of a checkpoint: a parameter, or one slice of a stacked parameter (experts are stored as one tensor, and
/// published as one for each).
struct Parameter {
  std::string name;  ///< as the checkpoint has it, "model.layers.0.mlp.gate.weight"
  at::Tensor* tensor = nullptr;
  std::int64_t slice = -1;  ///< along the first axis; -1: all of it
  bool trained = true;      ///< false for buffers

  /// The numbers, sharing the parameter's storage and outside its graph.
  at::Tensor value() const;

  /// The gradient of these numbers; undefined where there is none.
  at::Tensor gradient() const;
};

using Parameters = std::vector<Parameter>;

/// The parameters themselves, each once, that are trained.
std::vector<at::Tensor> trained_tensors(const Parameters& parameters);

/// Numbers in all of them.
std::int64_t count_numbers(const Parameters& parameters);

/// Whether gradients are taken with respect to all that are trained.
void record_gradients(const Parameters& parameters, bool record = true);

/// Lists one tensor if it is there.
void list_tensor(Parameters& out, const std::string& name, at::Tensor& tensor);

}  // namespace filigree::nn
