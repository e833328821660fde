#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/json.h"
#include "tensor/weight_source.h"

/// A published folder of one text encoder: config.json beside the weights, in any form that tensor/weight_source.h reads.
namespace filigree::encoders {

/// The words of a config.json; a published one has many more keys than are read, so unknown keys are no error.
class ConfigReader {
 public:
  ConfigReader(Json json, std::string where) : json_(std::move(json)), where_(std::move(where)) {}

  /// A whole number from 1 on. Error where it is missing or something else.
  std::int64_t size(const std::string& key) const;
  std::int64_t size(const std::string& key, std::int64_t otherwise) const;
  double number(const std::string& key, double otherwise) const;
  std::string word(const std::string& key, const std::string& otherwise) const;
  bool flag(const std::string& key, bool otherwise) const;

  const Json& json() const { return json_; }
  const std::string& where() const { return where_; }

 private:
  /// The value, or null where the key is missing or null.
  const Json* find(const std::string& key) const;

  Json json_;
  std::string where_;
};

/// Weights are taken by name when they are needed and go when their tensors go: a model passes through memory layer by
/// layer, and nothing of it stays. Encoders look at cancelled() before each layer, and then give an undefined tensor.
class Folder {
 public:
  /// Error where the folder or one of its files is missing or wrong.
  Folder(const std::filesystem::path& path, const at::TensorOptions& options);

  const ConfigReader& config() const { return config_; }
  const at::TensorOptions& options() const { return options_; }
  const std::string& where() const { return where_; }
  bool has(const std::string& name) const { return weights_->has(name); }

  /// A tensor of this shape (-1: any size) in the options' type and on their device. Error names what does not fit.
  at::Tensor take(const std::string& name, const std::vector<std::int64_t>& shape) const;

  /// The same in another type.
  at::Tensor take(const std::string& name, const std::vector<std::int64_t>& shape, at::ScalarType dtype) const;

  /// The rows of a table (rows, width) for whole numbers of any shape, as at::embedding gives them. Only those that occur
  /// are read. Error where one is beyond the table.
  at::Tensor look_up(const std::string& name, std::int64_t rows, std::int64_t width, const at::Tensor& ids) const;

 private:
  void check_shape(const std::string& name, const std::vector<std::int64_t>& shape) const;

  std::string where_;
  at::TensorOptions options_;
  ConfigReader config_;
  std::shared_ptr<const tensor::WeightSource> weights_;
};

}  // namespace filigree::encoders
