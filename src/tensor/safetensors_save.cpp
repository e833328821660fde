#include <algorithm>
#include <memory>
#include <set>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tensor/part_file.h"
#include "tensor/safetensors.h"

namespace filigree::tensor {
namespace fs = std::filesystem;
namespace {

struct Item {
  StoredTensor stored;
  const at::Tensor* tensor;
};

std::string type_name(const at::Tensor& tensor) { return c10::toString(tensor.scalar_type()); }

StoredType stored_type(const std::string& name, const at::Tensor& tensor, const SaveOptions& options,
                       const std::string& where) {
  const std::string type = type_name(tensor);
  if (const auto it = options.float8.find(name); it != options.float8.end()) {
    if (type != "Byte") {
      fail("{}: tensor '{}' is said to hold float8 values, so it must be of bytes (uint8), not {}", where, name, type);
    }
    return it->second == Float8::e4m3 ? StoredType::f8_e4m3 : StoredType::f8_e5m2;
  }
  // By name, since LibTorch before 2.1 lacks the last two.
  static const std::map<std::string, StoredType> types = {{"Bool", StoredType::boolean},
                                                          {"Byte", StoredType::u8},
                                                          {"Char", StoredType::i8},
                                                          {"Short", StoredType::i16},
                                                          {"Int", StoredType::i32},
                                                          {"Long", StoredType::i64},
                                                          {"Half", StoredType::f16},
                                                          {"BFloat16", StoredType::bf16},
                                                          {"Float", StoredType::f32},
                                                          {"Double", StoredType::f64},
                                                          {"Float8_e4m3fn", StoredType::f8_e4m3},
                                                          {"Float8_e5m2", StoredType::f8_e5m2}};
  const auto it = types.find(type);
  if (it == types.end()) fail("{}: tensor '{}' is of {}, which safetensors files cannot hold", where, name, type);
  return it->second;
}

/// The tensors in the order in which they are written, without their places.
std::vector<Item> list_items(const NamedTensors& tensors, const SaveOptions& options, const std::string& where) {
  std::vector<Item> items;
  std::set<std::string> seen;
  for (const auto& [name, tensor] : tensors) {
    if (name.empty() || name == "__metadata__" || !is_utf8(name)) {
      fail("{}: a tensor cannot be called '{}'; a name is UTF-8 text, not empty and not '__metadata__'", where,
           is_utf8(name) ? name : "(not UTF-8)");
    }
    if (!seen.insert(name).second) fail("{}: two tensors are called '{}'", where, name);
    if (!tensor.defined()) fail("{}: tensor '{}' is undefined", where, name);
    if (tensor.layout() != at::kStrided)
      fail("{}: tensor '{}' is sparse, which safetensors files cannot hold", where, name);
    StoredTensor stored;
    stored.name = name;
    stored.type = stored_type(name, tensor, options, where);
    stored.shape = tensor.sizes().vec();
    items.push_back({std::move(stored), &tensor});
  }
  for (const auto& entry : options.float8) {
    if (seen.count(entry.first) == 0) fail("{}: float8 names the tensor '{}', which is not there", where, entry.first);
  }
  for (const auto& [key, value] : options.metadata) {
    if (!is_utf8(key) || !is_utf8(value)) fail("{}: the metadata are not all UTF-8 text", where);
  }
  if (options.order == Order::standard) {
    // As huggingface/safetensors: safetensors/src/tensor.rs, prepare().
    std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
      return a.stored.type != b.stored.type ? a.stored.type > b.stored.type : a.stored.name < b.stored.name;
    });
  }
  return items;
}

std::uint64_t bytes_of(const Item& item) { return bytes_of(item.stored.type, item.stored.shape, "", item.stored.name); }

/// Writes a file that is not yet published.
std::unique_ptr<PartFile> write_items(const fs::path& path, std::vector<Item> items, const SaveOptions& options) {
  std::uint64_t place = 0;
  std::vector<StoredTensor> head;
  for (Item& item : items) {
    item.stored.begin = place;
    item.stored.end = place += bytes_of(item);
    head.push_back(item.stored);
  }
  auto file = std::make_unique<PartFile>(path);
  const std::string header = safetensors_header_bytes(head, options.metadata);
  file->write(header.data(), header.size());
  for (const Item& item : items) {
    const at::Tensor plain = item.tensor->detach().resolve_neg().to(at::kCPU).contiguous();
    file->write(plain.data_ptr(), item.stored.end - item.stored.begin);
  }
  file->finish();
  return file;
}

/// Fills shards one after another.
std::vector<std::vector<Item>> divide(std::vector<Item> items, std::int64_t shard_bytes) {
  std::vector<std::vector<Item>> shards(1);
  std::uint64_t used = 0;
  for (Item& item : items) {
    const std::uint64_t bytes = bytes_of(item);
    if (!shards.back().empty() && used + bytes > static_cast<std::uint64_t>(shard_bytes)) {
      shards.emplace_back();
      used = 0;
    }
    used += bytes;
    shards.back().push_back(std::move(item));
  }
  return shards;
}

/// Files of the checkpoint that the folder holds, apart from its index.
std::set<std::string> old_files(const fs::path& folder, const fs::path& index) {
  std::set<std::string> files;
  std::error_code code;
  if (fs::exists(folder / "model.safetensors", code)) files.insert("model.safetensors");
  if (!fs::exists(index, code)) return files;
  try {
    for (const auto& entry : parse_safetensors_index(read_file(index), index.string())) files.insert(entry.second);
  } catch (const Error&) {
    // What a damaged index names is left alone.
  }
  return files;
}

}  // namespace

void save(const fs::path& file, const NamedTensors& tensors, const SaveOptions& options) {
  write_items(file, list_items(tensors, options, file.string()), options)->publish();
}

void save_folder(const fs::path& folder, const NamedTensors& tensors, const SaveOptions& options) {
  if (options.shard_bytes < 1) fail("{}: shard_bytes must be at least 1, got {}", folder.string(), options.shard_bytes);
  const std::vector<std::vector<Item>> shards =
      divide(list_items(tensors, options, folder.string()), options.shard_bytes);
  const fs::path index = folder / "model.safetensors.index.json";
  // 1. All shards, under names that nobody reads.
  std::vector<std::unique_ptr<PartFile>> files;
  std::set<std::string> names;
  Json weight_map = Json::object();
  auto& places = weight_map.get_ref<Json::object_t&>();
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shards.size() == 1 ? "model.safetensors"
                                                : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    names.insert(name);
    files.push_back(write_items(folder / name, shards[i], options));
    for (const Item& item : shards[i]) {
      total += bytes_of(item);
      places.push_back({item.stored.name, name});
    }
  }
  // 2. The new names; while shards are exchanged for others there is no index.
  std::set<std::string> old = old_files(folder, index);
  std::error_code code;
  if (shards.size() > 1) fs::remove(index, code);
  for (const auto& file : files) file->publish();
  // 3. The index, or its end; then what is no longer part of the checkpoint.
  if (shards.size() > 1) {
    const Json json = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(weight_map)}};
    write_file(index, to_text(json));
  } else {
    fs::remove(index, code);
  }
  for (const std::string& name : old) {
    if (names.count(name) == 0) fs::remove(folder / name, code);
  }
}

}  // namespace filigree::tensor
