#include "encoders/folder.h"

#include <map>
#include <span>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace filigree::encoders {
namespace {

namespace fs = std::filesystem;

ConfigReader read_config(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    fail("{}: is no folder; a text encoder is a folder with config.json and safetensors", folder.string());
  }
  const fs::path file = folder / "config.json";
  Json json = load_json(file);
  if (!json.is_object()) fail("{}: expected an object", file.string());
  return {std::move(json), file.string()};
}

/// The shape of ids with an axis more.
std::vector<std::int64_t> shape_with(const at::Tensor& ids, std::int64_t width) {
  std::vector<std::int64_t> shape = ids.sizes().vec();
  shape.push_back(width);
  return shape;
}

bool fits(const std::vector<std::int64_t>& has, const std::vector<std::int64_t>& wanted) {
  if (has.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < has.size(); ++i) {
    if (wanted[i] >= 0 && has[i] != wanted[i]) return false;
  }
  return true;
}

}  // namespace

const Json* ConfigReader::find(const std::string& key) const {
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

std::int64_t ConfigReader::size(const std::string& key) const {
  const Json* value = find(key);
  if (value == nullptr) fail("{}: '{}' is missing", where_, key);
  // No size of a text encoder comes near this, and products of two stay within 64 bits.
  constexpr std::int64_t kLargest = 1 << 24;
  if (!value->is_number_integer() || value->get<std::int64_t>() < 1 || value->get<std::int64_t>() > kLargest) {
    fail("{}: '{}' is {}; expected a whole number from 1 to {}", where_, key, value->dump(), kLargest);
  }
  return value->get<std::int64_t>();
}

std::int64_t ConfigReader::size(const std::string& key, std::int64_t otherwise) const {
  return find(key) == nullptr ? otherwise : size(key);
}

double ConfigReader::number(const std::string& key, double otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number()) fail("{}: '{}' is {}; expected a number", where_, key, value->dump());
  return value->get<double>();
}

std::string ConfigReader::word(const std::string& key, const std::string& otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) fail("{}: '{}' is {}; expected a text", where_, key, value->dump());
  return value->get<std::string>();
}

bool ConfigReader::flag(const std::string& key, bool otherwise) const {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) fail("{}: '{}' is {}; expected true or false", where_, key, value->dump());
  return value->get<bool>();
}

Folder::Folder(const fs::path& path, const at::TensorOptions& options)
    : where_(path.string()), options_(options), config_(read_config(path)), weights_(tensor::open_weights(path)) {}

at::Tensor Folder::take(const std::string& name, const std::vector<std::int64_t>& shape) const {
  return take(name, shape, c10::typeMetaToScalarType(options_.dtype()));
}

at::Tensor Folder::take(const std::string& name, const std::vector<std::int64_t>& shape, at::ScalarType dtype) const {
  check_shape(name, shape);
  const at::Tensor tensor = at::empty(weights_->shape(name), options_.dtype(dtype));
  weights_->read(name, tensor);
  return tensor;
}

void Folder::check_shape(const std::string& name, const std::vector<std::int64_t>& shape) const {
  const std::vector<std::int64_t> has = weights_->shape(name);
  if (fits(has, shape)) return;
  std::vector<std::string> wanted;
  for (const std::int64_t size : shape) wanted.push_back(size < 0 ? "any" : std::to_string(size));
  fail("{}: tensor '{}' has shape [{}], but config.json asks for [{}]", weights_->where(), name, fmt::join(has, ", "),
       fmt::join(wanted, ", "));
}

at::Tensor Folder::look_up(const std::string& name, std::int64_t rows, std::int64_t width,
                           const at::Tensor& ids) const {
  check_shape(name, {rows, width});
  const at::Tensor flat = ids.to(at::kCPU, at::kLong).flatten().contiguous();
  const std::span all(flat.data_ptr<std::int64_t>(), static_cast<std::size_t>(flat.numel()));
  std::map<std::int64_t, std::int64_t> place;
  for (const std::int64_t id : all) {
    if (id < 0 || id >= rows) {
      fail("{}: token {} is beyond the vocabulary of {}; does the tokenizer belong to this encoder?", where_, id, rows);
    }
    place.emplace(id, static_cast<std::int64_t>(place.size()));
  }
  const at::Tensor table = at::empty({static_cast<std::int64_t>(place.size()), width}, options_.device(at::kCPU));
  for (const auto& [id, row] : place) weights_->read_rows(name, id, 1, table.narrow(0, row, 1));
  std::vector<std::int64_t> at_rows;
  for (const std::int64_t id : all) at_rows.push_back(place[id]);
  return at::embedding(table, at::tensor(at_rows)).to(options_.device()).reshape(shape_with(ids, width));
}

}  // namespace filigree::encoders
