#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/visit.h"

/// The head of a safetensors file: which tensors it holds, and where. No LibTorch here.
///
/// A file is eight bytes of length (little-endian), a JSON object of that length, and the tensors' bytes, without gaps:
///
///     {"__metadata__": {"format": "pt"}, "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
///
/// (huggingface/safetensors: README.md, "Format".)
namespace filigree::tensor {

/// How a tensor's elements are stored, in the order that the format's own writer sorts by (largest alignment last).
enum class StoredType { boolean, u8, i8, f8_e5m2, f8_e4m3, i16, f16, bf16, i32, f32, f64, i64 };

/// Bytes of one element.
std::size_t bytes_of(StoredType type);

struct StoredTensor {
  std::string name;
  StoredType type = StoredType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  ///< first byte, counted from the end of the header
  std::uint64_t end = 0;    ///< one past the last byte
  bool operator==(const StoredTensor&) const = default;
};

struct SafeTensorsHeader {
  std::vector<StoredTensor> tensors;  ///< in the order of their bytes
  std::map<std::string, std::string> metadata;
  std::uint64_t data_start = 0;  ///< where the tensors' bytes begin in the file
};

/// Whether all of the text is UTF-8, as names in a safetensors file must be.
bool is_utf8(std::string_view text);

/// "[2, 3]"
std::string shape_text(const std::vector<std::int64_t>& shape);

/// Bytes that a tensor of this shape takes. Error where a size is negative or the product does not fit 63 bits;
/// `where` and `name` are for its message.
std::uint64_t bytes_of(StoredType type, const std::vector<std::int64_t>& shape, const std::string& where,
                       const std::string& name);

/// Reads and checks the head of a file. `bytes` is the whole file, of which the tensors' bytes are not looked at.
/// Error, naming `where` and the tensor, for whatever does not follow the format.
SafeTensorsHeader parse_safetensors_header(std::string_view bytes, const std::string& where);

/// The head of a file with these tensors: length and JSON, filled with spaces to a multiple of eight bytes.
/// The offsets are taken as they are.
std::string safetensors_header_bytes(const std::vector<StoredTensor>& tensors,
                                     const std::map<std::string, std::string>& metadata);

/// The file of every tensor, from the text of a `model.safetensors.index.json`.
std::map<std::string, std::string> parse_safetensors_index(std::string_view text, const std::string& where);

}  // namespace filigree::tensor

template <>
struct filigree::EnumNames<filigree::tensor::StoredType> {
  using Type = filigree::tensor::StoredType;
  static constexpr std::array<std::pair<Type, std::string_view>, 12> table{{{Type::boolean, "BOOL"},
                                                                            {Type::u8, "U8"},
                                                                            {Type::i8, "I8"},
                                                                            {Type::f8_e5m2, "F8_E5M2"},
                                                                            {Type::f8_e4m3, "F8_E4M3"},
                                                                            {Type::i16, "I16"},
                                                                            {Type::f16, "F16"},
                                                                            {Type::bf16, "BF16"},
                                                                            {Type::i32, "I32"},
                                                                            {Type::f32, "F32"},
                                                                            {Type::f64, "F64"},
                                                                            {Type::i64, "I64"}}};
};
