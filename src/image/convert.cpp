#include "image/convert.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "base/cancel.h"
#include "base/error.h"
#include "tensor/packed.h"
#include "tensor/part_file.h"

namespace filigree::image {
namespace {

constexpr std::int64_t kWorthPacking = 4096;  // numbers

/// One weight on its way.
struct Item {
  std::string name;
  std::vector<std::int64_t> shape;
  bool packed = false;
  tensor::StoredType type = tensor::StoredType::f32;  ///< of the numbers where it is not packed
};

tensor::Packing packing_of(WeightForm form) {
  return form == WeightForm::q8 ? tensor::Packing::q8 : tensor::Packing::q4;
}

tensor::StoredType plain_type(WeightForm form, const std::string& stored_as) {
  switch (form) {
    case WeightForm::float32:
      return tensor::StoredType::f32;
    case WeightForm::bfloat16:
      return tensor::StoredType::bf16;
    case WeightForm::float16:
      return tensor::StoredType::f16;
    default:
      return stored_as == "F32" ? tensor::StoredType::f32 : tensor::StoredType::bf16;
  }
}

at::ScalarType scalar_type(tensor::StoredType type) {
  if (type == tensor::StoredType::f32) return at::kFloat;
  return type == tensor::StoredType::bf16 ? at::kBFloat16 : at::kHalf;
}

std::int64_t product(const std::vector<std::int64_t>& shape) {
  std::int64_t total = 1;
  for (const std::int64_t size : shape) total *= size;
  return total;
}

/// Large element types first, so that all stand at aligned places; packed ones last.
std::vector<Item> list_items(const tensor::WeightSource& source, WeightForm form) {
  const bool packs = form == WeightForm::q8 || form == WeightForm::q4;
  std::vector<Item> items;
  for (const std::string& name : source.names()) {
    Item item{name, source.shape(name), false, plain_type(form, source.stored_as(name))};
    item.packed = packs && is_packed(name, item.shape);
    items.push_back(std::move(item));
  }
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return a.packed != b.packed ? b.packed : !a.packed && a.type > b.type;
  });
  return items;
}

/// Names, types and places in the file.
std::vector<tensor::StoredTensor> list_stored(const std::vector<Item>& items, WeightForm form) {
  std::vector<tensor::StoredTensor> stored;
  std::uint64_t place = 0;
  const auto add = [&](const std::string& name, tensor::StoredType type, std::vector<std::int64_t> shape) {
    const std::uint64_t size = tensor::bytes_of(type, shape, "", name);
    stored.push_back({name, type, std::move(shape), place, place + size});
    place += size;
  };
  for (const Item& item : items) {
    if (!item.packed) {
      add(item.name, item.type, item.shape);
      continue;
    }
    const tensor::Packing packing = packing_of(form);
    const std::string name = fmt::format("{}.{}", item.name, enum_name(packing));
    std::vector<std::int64_t> groups = item.shape, bytes = item.shape;
    groups.back() = tensor::packed_groups(item.shape.back());
    bytes.back() = tensor::packed_row_bytes(packing, item.shape.back());
    add(name + "_scale", tensor::StoredType::f16, groups);
    add(name, packing == tensor::Packing::q8 ? tensor::StoredType::i8 : tensor::StoredType::u8, bytes);
  }
  return stored;
}

void write_plain(const tensor::WeightSource& source, const Item& item, tensor::PartFile& file) {
  const at::Tensor numbers = at::empty(item.shape, scalar_type(item.type));
  source.read(item.name, numbers);
  file.write(numbers.data_ptr(), static_cast<std::size_t>(numbers.nbytes()));
}

void write_packed(const tensor::WeightSource& source, const Item& item, WeightForm form, tensor::PartFile& file) {
  const at::Tensor numbers = at::empty(item.shape, at::kFloat);
  source.read(item.name, numbers);
  const std::int64_t width = item.shape.back(), rows = product(item.shape) / width;
  const tensor::Packing packing = packing_of(form);
  const std::int64_t row_bytes = tensor::packed_row_bytes(packing, width), groups = tensor::packed_groups(width);
  std::vector<char> bytes(static_cast<std::size_t>(rows * row_bytes));
  std::vector<std::uint16_t> scales(static_cast<std::size_t>(rows * groups));
  const float* from = numbers.data_ptr<float>();
  try {
    at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        tensor::pack_row(packing, from + row * width, width, bytes.data() + row * row_bytes,
                         scales.data() + row * groups);
      }
    });
  } catch (const Error& error) {
    fail("{}: tensor '{}': {}", source.where(), item.name, error.what());
  }
  file.write(scales.data(), scales.size() * sizeof(std::uint16_t));
  file.write(bytes.data(), bytes.size());
}

}  // namespace

bool is_packed(const std::string& name, const std::vector<std::int64_t>& shape) {
  if (shape.size() != 2 || shape[1] % 2 != 0 || product(shape) < kWorthPacking) return false;
  const bool router = name.ends_with(".gate.weight");
  return !router && !name.starts_with("x_embedder.") && !name.starts_with("final_layer.linear.") &&
         !name.starts_with("t_embedder.");
}

Converted convert_weights(const tensor::WeightSource& source, const std::filesystem::path& file,
                          const ConvertOptions& options) {
  const std::vector<Item> items = list_items(source, options.form);
  const std::vector<tensor::StoredTensor> stored = list_stored(items, options.form);
  const std::string header = tensor::safetensors_header_bytes(stored, options.metadata);
  Converted result;
  result.bytes = static_cast<std::int64_t>(header.size() + (stored.empty() ? 0 : stored.back().end));
  Progress progress(options.progress, static_cast<std::int64_t>(items.size()), "tensors");
  tensor::PartFile out(file);
  out.write(header.data(), header.size());
  for (const Item& item : items) {
    if (cancelled()) {
      result.complete = false;
      return result;
    }
    if (item.packed) {
      write_packed(source, item, options.form, out);
    } else {
      write_plain(source, item, out);
    }
    ++result.tensors;
    result.packed += item.packed ? 1 : 0;
    progress.advance();
  }
  out.publish();
  return result;
}

}  // namespace filigree::image
