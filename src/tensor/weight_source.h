#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "tensor/safetensors.h"

/// Weights in a file of any kind that can be read: safetensors (of one file or shards; float8 with scales; packed to 8 or
/// 4 bits) and GGUF. Tensors are converted when they are asked for, so that the file can be larger than memory.
namespace filigree::tensor {

class WeightSource {
 public:
  virtual ~WeightSource() = default;

  /// What was opened, for messages.
  virtual std::string where() const = 0;

  /// Names of the weights, without those of their scales.
  virtual const std::vector<std::string>& names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  virtual std::vector<std::int64_t> shape(const std::string& name) const = 0;

  /// How it is stored ("BF16", "Q4_K", "q4", …) and in how many bytes, scales included.
  virtual std::string stored_as(const std::string& name) const = 0;
  virtual std::int64_t bytes(const std::string& name) const = 0;

  /// Writes the values into a tensor of the same shape, of any floating-point type, on any device.
  virtual void read(const std::string& name, const at::Tensor& destination) const = 0;

  /// Some of its rows, along the first axis, into a tensor of that many.
  virtual void read_rows(const std::string& name, std::int64_t first, std::int64_t count,
                         const at::Tensor& destination) const;

  /// These tensors will be read soon.
  virtual void announce(const std::vector<std::string>&) const {}

  /// Its rows are not needed for now; their pages may go. After read() they have gone.
  virtual void forget(const std::string&) const {}
};

/// x W^T + b with W of shape (O, I) and b left in the file: some rows of W at a time are unpacked, used and forgotten.
/// `bias`: its name; "": none. The result has x's dtype and device. No gradients.
at::Tensor streamed_linear(const at::Tensor& x, const WeightSource& source, const std::string& weight,
                           const std::string& bias);

/// The plain twin: all of W at once.
at::Tensor streamed_linear_reference(const at::Tensor& x, const WeightSource& source, const std::string& weight,
                                     const std::string& bias);

/// Copies into the destinations by name. Names and shapes must match one to one, unless `subset` allows further names in
/// the source. Where they do not, nothing is copied and one Error lists all of it.
void read_into(const NamedTensors& destination, const WeightSource& source, bool subset = false);

/// Only the check of read_into, for what is read later.
struct WeightShape {
  std::string name;
  std::vector<std::int64_t> shape;
};
void check_shapes(const std::vector<WeightShape>& expected, const WeightSource& source);

/// The weights of an open safetensors file. "X.scale_weight" is the one factor on the float8 values of "X.weight"
/// (Comfy-Org/ComfyUI: comfy/ops.py, scaled_fp8_ops). "X.q8" or "X.q4" with "X.q8_scale" or "X.q4_scale" is the weight X,
/// packed (tensor/packed.h).
std::shared_ptr<const WeightSource> safetensors_source(const SafeTensors& file);

/// The weights of a GGUF file, unpacked as they are read.
std::shared_ptr<const WeightSource> gguf_source(const std::filesystem::path& path);

/// The same weights with `prefix` taken off; names without it are left out.
std::shared_ptr<const WeightSource> without_prefix(std::shared_ptr<const WeightSource> source,
                                                   const std::string& prefix);

/// A file or folder of any of these kinds, told apart by its first bytes. In a folder safetensors come before a GGUF file.
std::shared_ptr<const WeightSource> open_weights(const std::filesystem::path& path);

}  // namespace filigree::tensor
