#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "tensor/float8.h"
#include "tensor/safetensors_header.h"

/// Tensors in safetensors files: one file, or shards with an index.
///
///     const auto file = tensor::SafeTensors::open("model-folder");
///     for (const std::string& name : file.names()) use(name, file.get(name));
///     tensor::save("copy.safetensors", {{"weight", w}, {"bias", b}});
namespace filigree::tensor {

/// Tensors by name, in an order that has a meaning to the one who made the list.
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// An open checkpoint. A copy is cheap and shows the same files.
class SafeTensors {
 public:
  /// Opens a `.safetensors` file, an index (`….safetensors.index.json`) with its shards, or a folder that holds one of
  /// them. In a folder, an index comes before a file, and the names `model` and `diffusion_pytorch_model` before others.
  /// All headers are read and checked: Error names the file and the tensor where something is not as it must be.
  static SafeTensors open(const std::filesystem::path& path);

  /// What was opened, for messages: the file or the index.
  const std::filesystem::path& path() const;

  /// All names: of one file in the order of its bytes, of shards in the order of the alphabet.
  const std::vector<std::string>& names() const;
  bool has(const std::string& name) const;

  /// Type, shape and place of a tensor. Error where there is none of this name, with the nearest one.
  const StoredTensor& info(const std::string& name) const;

  /// The tensor on the CPU, as stored; float8 comes as its bytes (uint8). Nothing is copied where the file has the
  /// tensor at an aligned place: the memory is the mapped file, which lives as long as a tensor shows it. Writing to the
  /// tensor does not change the file. A file must not be shortened while it is mapped (replacing it is fine).
  at::Tensor get(const std::string& name) const;

  /// The tensor in another type (float8 by its values) or on another device.
  at::Tensor get(const std::string& name, at::ScalarType dtype, at::Device device = at::kCPU) const;

  /// Advice about the tensor's pages, as in tensor/mapped_file.h.
  void will_need(const std::string& name) const;
  void forget(const std::string& name) const;

  /// The files' `__metadata__`, together.
  const std::map<std::string, std::string>& metadata() const;

 private:
  struct State;
  explicit SafeTensors(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

enum class Order {
  standard,  ///< large element types first, then by name: as the format's own writer, and every tensor is aligned
  given,     ///< as in the list
};

struct SaveOptions {
  Order order = Order::standard;
  std::map<std::string, std::string> metadata = {};
  /// Tensors of bytes (uint8) that are float8 values, by name.
  std::map<std::string, Float8> float8 = {};
  /// Most bytes of tensors in one shard; a tensor that is larger gets a shard of its own.
  std::int64_t shard_bytes = 5'000'000'000;
};

/// Writes one file. It appears complete or not at all. Tensors may be on any device and need not be contiguous.
/// Error where a name is empty, appears twice or is not UTF-8, where a tensor's type has no place in the format, or
/// where the file cannot be written.
void save(const std::filesystem::path& file, const NamedTensors& tensors, const SaveOptions& options = {});

/// Writes `model.safetensors` or, where that would exceed `shard_bytes`, shards `model-00001-of-00003.safetensors` with
/// `model.safetensors.index.json`, which appears last. A checkpoint that was in the folder is replaced; should the
/// program end in between, the folder has no index and is refused, never a mixture of old and new.
void save_folder(const std::filesystem::path& folder, const NamedTensors& tensors, const SaveOptions& options = {});

}  // namespace filigree::tensor
