#include "tensor/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "base/utf8.h"

namespace filigree::tensor {
namespace {

constexpr std::size_t kLengthBytes = 8;
/// The format's own reader refuses longer headers (huggingface/safetensors: safetensors/src/tensor.rs).
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::string_view kMetadata = "__metadata__";

std::string type_of(const SortedJson& json) {
  if (json.is_object()) return "an object";
  if (json.is_array()) return "a list";
  if (json.is_string()) return "a text";
  return json.dump();
}

std::uint64_t read_length(std::string_view bytes, const std::string& where) {
  if (bytes.size() < kLengthBytes) {
    fail("{}: has {} bytes, fewer than the {} that a safetensors file begins with; it is cut short or of another kind",
         where, bytes.size(), kLengthBytes);
  }
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  if (length > bytes.size() - kLengthBytes) {
    fail("{}: announces a header of {} bytes, but only {} follow; it is cut short or no safetensors file", where,
         length, bytes.size() - kLengthBytes);
  }
  if (length > kLongestHeader) {
    fail("{}: announces a header of {} bytes, more than the {} that the safetensors format allows", where, length,
         kLongestHeader);
  }
  return length;
}

/// The value of a key that every tensor has.
const SortedJson& member(const SortedJson& json, const char* key, const std::string& where, const std::string& name) {
  const auto it = json.find(key);
  if (it == json.end()) fail("{}: tensor '{}' has no '{}'", where, name, key);
  return *it;
}

std::uint64_t read_whole(const SortedJson& json, std::string_view what, const std::string& where,
                         const std::string& name) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > kMost) {
    fail("{}: tensor '{}': {} must be a whole number from 0 to 2^63 - 1, got {}", where, name, what, type_of(json));
  }
  return json.get<std::uint64_t>();
}

StoredType read_type(const SortedJson& json, const std::string& where, const std::string& name) {
  if (!json.is_string()) fail("{}: tensor '{}': dtype must be a text, got {}", where, name, type_of(json));
  const auto type = enum_from_name<StoredType>(json.get<std::string>());
  if (!type) {
    fail("{}: tensor '{}': dtype '{}' is not known (one of: {})", where, name, json.get<std::string>(),
         text::join(enum_all_names<StoredType>(), ", "));
  }
  return *type;
}

StoredTensor read_tensor(const std::string& name, const SortedJson& json, const std::string& where) {
  if (!json.is_object()) {
    fail("{}: tensor '{}' must be described by an object with dtype, shape and data_offsets, got {}", where, name,
         type_of(json));
  }
  StoredTensor tensor;
  tensor.name = name;
  tensor.type = read_type(member(json, "dtype", where, name), where, name);
  const SortedJson& shape = member(json, "shape", where, name);
  if (!shape.is_array()) fail("{}: tensor '{}': shape must be a list, got {}", where, name, type_of(shape));
  for (const SortedJson& size : shape) {
    tensor.shape.push_back(static_cast<std::int64_t>(read_whole(size, "a size in its shape", where, name)));
  }
  const SortedJson& offsets = member(json, "data_offsets", where, name);
  if (!offsets.is_array() || offsets.size() != 2) {
    fail("{}: tensor '{}': data_offsets must be a list of two numbers", where, name);
  }
  tensor.begin = read_whole(offsets[0], "the begin of data_offsets", where, name);
  tensor.end = read_whole(offsets[1], "the end of data_offsets", where, name);
  return tensor;
}

void check_range(const StoredTensor& tensor, std::uint64_t available, const std::string& where) {
  if (tensor.begin > tensor.end) {
    fail("{}: tensor '{}' ends at byte {}, before its begin at byte {}", where, tensor.name, tensor.end, tensor.begin);
  }
  if (tensor.end > available) {
    fail("{}: tensor '{}' ends at byte {} of the data, but the file holds only {}; it is cut short or damaged", where,
         tensor.name, tensor.end, available);
  }
  const std::uint64_t needed = bytes_of(tensor.type, tensor.shape, where, tensor.name);
  if (tensor.end - tensor.begin != needed) {
    fail("{}: tensor '{}' takes {} bytes, but its shape {} of {} needs {}", where, tensor.name,
         tensor.end - tensor.begin, shape_text(tensor.shape), enum_name(tensor.type), needed);
  }
}

/// Sorts the tensors by place and checks that they cover the data exactly.
void check_cover(std::vector<StoredTensor>& tensors, std::uint64_t available, const std::string& where) {
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t covered = 0;
  const StoredTensor* before = nullptr;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.begin < covered) fail("{}: tensors '{}' and '{}' overlap", where, before->name, tensor.name);
    if (tensor.begin > covered) {
      fail("{}: no tensor covers bytes {} to {} of the data, before tensor '{}'", where, covered, tensor.begin,
           tensor.name);
    }
    covered = tensor.end;
    before = &tensor;
  }
  if (covered != available) {
    fail("{}: holds {} bytes after its last tensor{}", where, available - covered,
         before == nullptr ? std::string() : fmt::format(", '{}'", before->name));
  }
}

std::map<std::string, std::string> read_texts(const SortedJson& json, const std::string& where, std::string_view what) {
  if (!json.is_object()) fail("{}: {} must be an object of texts, got {}", where, what, type_of(json));
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) fail("{}: {}: '{}' must be a text, got {}", where, what, key, type_of(value));
    texts.emplace(key, value.get<std::string>());
  }
  return texts;
}

SortedJson parse_object(std::string_view text, const std::string& where) {
  if (const auto bad = first_invalid_utf8(text)) fail("{}: is not UTF-8 text (at its byte {})", where, *bad);
  SortedJson json = parse_sorted_json(text, where);
  if (!json.is_object()) fail("{}: must be a JSON object, got {}", where, type_of(json));
  return json;
}

}  // namespace

std::size_t bytes_of(StoredType type) {
  switch (type) {
    case StoredType::boolean:
    case StoredType::u8:
    case StoredType::i8:
    case StoredType::f8_e5m2:
    case StoredType::f8_e4m3:
      return 1;
    case StoredType::i16:
    case StoredType::f16:
    case StoredType::bf16:
      return 2;
    case StoredType::i32:
    case StoredType::f32:
      return 4;
    case StoredType::f64:
    case StoredType::i64:
      return 8;
  }
  FILIGREE_ASSERT(false);
  return 0;
}

bool is_utf8(std::string_view text) { return !first_invalid_utf8(text); }

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::uint64_t bytes_of(StoredType type, const std::vector<std::int64_t>& shape, const std::string& where,
                       const std::string& name) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t bytes = bytes_of(type);
  // An axis of size 0 makes the whole empty, however large the others are.
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  for (const std::int64_t size : shape) {
    if (size < 0) fail("{}: tensor '{}' has a negative size in its shape {}", where, name, shape_text(shape));
    if (!empty && static_cast<std::uint64_t>(size) > kMost / bytes) {
      fail("{}: tensor '{}' has the shape {}, which is larger than any memory", where, name, shape_text(shape));
    }
    bytes *= empty ? 1 : static_cast<std::uint64_t>(size);
  }
  return empty ? 0 : bytes;
}

SafeTensorsHeader parse_safetensors_header(std::string_view bytes, const std::string& where) {
  const std::uint64_t length = read_length(bytes, where);
  const SortedJson json = parse_object(bytes.substr(kLengthBytes, length), where + ": header");
  SafeTensorsHeader header;
  header.data_start = kLengthBytes + length;
  const std::uint64_t available = bytes.size() - header.data_start;
  for (const auto& [name, value] : json.items()) {
    if (name == kMetadata) {
      header.metadata = read_texts(value, where, kMetadata);
      continue;
    }
    header.tensors.push_back(read_tensor(name, value, where));
    check_range(header.tensors.back(), available, where);
  }
  check_cover(header.tensors, available, where);
  return header;
}

std::string safetensors_header_bytes(const std::vector<StoredTensor>& tensors,
                                     const std::map<std::string, std::string>& metadata) {
  // Written piece by piece: an object that keeps its order is slow with many keys.
  std::string json = "{";
  const auto key = [&](const std::string& name) {
    json += fmt::format("{}{}:", json.size() > 1 ? "," : "", SortedJson(name).dump());
  };
  if (!metadata.empty()) {
    key(std::string(kMetadata));
    json += SortedJson(metadata).dump();
  }
  for (const StoredTensor& tensor : tensors) {
    key(tensor.name);
    json += fmt::format(R"({{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", enum_name(tensor.type),
                        fmt::join(tensor.shape, ","), tensor.begin, tensor.end);
  }
  json += '}';
  json.append((kLengthBytes - json.size() % kLengthBytes) % kLengthBytes, ' ');
  std::string bytes;
  for (std::size_t i = 0; i < kLengthBytes; ++i) bytes += static_cast<char>(json.size() >> (8 * i) & 0xFF);
  return bytes + json;
}

std::map<std::string, std::string> parse_safetensors_index(std::string_view text, const std::string& where) {
  const SortedJson json = parse_object(text, where);
  const auto it = json.find("weight_map");
  if (it == json.end()) fail("{}: key 'weight_map' is missing; it says in which file each tensor is", where);
  std::map<std::string, std::string> files = read_texts(*it, where, "weight_map");
  for (const auto& [name, file] : files) {
    if (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos) {
      fail("{}: weight_map: tensor '{}' is in '{}', expected the name of a file beside the index", where, name, file);
    }
  }
  return files;
}

}  // namespace filigree::tensor
