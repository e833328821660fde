#include "tensor/gguf.h"

#include <cstring>
#include <limits>
#include <set>

#include "base/error.h"
#include "base/utf8.h"

namespace filigree::tensor {
namespace {

constexpr std::uint64_t kMost = 1'000'000;                           // tensors or settings in a file
constexpr int kDeepest = 4;                                          // lists inside lists
constexpr std::string_view kShapePrefix = "comfy.gguf.orig_shape.";  // city96/ComfyUI-GGUF: tools/convert.py

/// Types of settings, by number.
enum class ValueType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, list, u64, i64, f64 };

std::uint64_t bytes_of(ValueType type, const std::string& where) {
  switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean:
      return 1;
    case ValueType::u16:
    case ValueType::i16:
      return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32:
      return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64:
      return 8;
    default:
      fail("{}: is damaged: a setting has the unknown type {}", where, static_cast<std::uint32_t>(type));
  }
}

class Reader {
 public:
  Reader(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string text() {
    const std::string_view taken = take(number<std::uint64_t>());
    return std::string(taken);
  }
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - at_)
      fail("{}: ends within its head, at byte {}; it is cut short or damaged", where_, bytes_.size());
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }
  std::uint64_t at() const { return at_; }

  void skip(ValueType type, int depth) {
    if (type == ValueType::text) {
      text();
    } else if (type == ValueType::list) {
      if (depth == kDeepest) fail("{}: is damaged: a setting holds lists {} deep", where_, kDeepest + 1);
      const auto element = static_cast<ValueType>(number<std::uint32_t>());
      const auto count = number<std::uint64_t>();
      if (element == ValueType::text || element == ValueType::list) {
        for (std::uint64_t i = 0; i < count; ++i) skip(element, depth + 1);
      } else {
        const std::uint64_t size = bytes_of(element, where_);
        if (count > bytes_.size() / size) fail("{}: is damaged: a setting is a list of {} values", where_, count);
        take(count * size);
      }
    } else {
      take(bytes_of(type, where_));
    }
  }

  /// A list of int32, as shapes are kept by a converter.
  std::vector<std::int64_t> integers() {
    const auto element = static_cast<ValueType>(number<std::uint32_t>());
    const auto count = number<std::uint64_t>();
    if (element != ValueType::i32 || count > 8) fail("{}: is damaged: the shape in a setting is no short list", where_);
    std::vector<std::int64_t> values;
    for (std::uint64_t i = 0; i < count; ++i) values.push_back(number<std::int32_t>());
    return values;
  }

 private:
  std::string_view bytes_;
  const std::string& where_;
  std::uint64_t at_ = 0;
};

GgufType type_from(std::uint32_t number, const std::string& name, const std::string& where) {
  switch (number) {  // ggml-org/ggml: include/ggml.h, enum ggml_type
    case 0:
      return GgufType::f32;
    case 1:
      return GgufType::f16;
    case 8:
      return GgufType::q8_0;
    case 12:
      return GgufType::q4_k;
    case 13:
      return GgufType::q5_k;
    case 14:
      return GgufType::q6_k;
    case 30:
      return GgufType::bf16;
    default:
      break;
  }
  static const std::map<std::uint32_t, std::string_view> others = {
      {2, "Q4_0"},  {3, "Q4_1"},  {6, "Q5_0"},  {7, "Q5_1"},    {9, "Q8_1"},
      {10, "Q2_K"}, {11, "Q3_K"}, {15, "Q8_K"}, {20, "IQ4_NL"}, {23, "IQ4_XS"}};
  const auto known = others.find(number);
  const std::string given = known != others.end() ? std::string(known->second) : fmt::format("of number {}", number);
  fail(
      "{}: tensor '{}' has the type {}, which cannot be read; take a file with Q8_0, Q6_K, Q5_K, Q4_K, F16, BF16 or "
      "F32",
      where, name, given);
}

/// Without the place: name, shape, type, and the offset behind the head.
GgufTensor read_tensor(Reader& reader, const std::string& where) {
  GgufTensor tensor;
  tensor.name = reader.text();
  if (tensor.name.empty() || first_invalid_utf8(tensor.name))
    fail("{}: is damaged: a tensor has no readable name", where);
  const auto axes = reader.number<std::uint32_t>();
  if (axes > 4) fail("{}: tensor '{}' has {} axes, at most 4 are possible", where, tensor.name, axes);
  std::uint64_t total = 1;
  for (std::uint32_t i = 0; i < axes; ++i) {
    const auto size = reader.number<std::uint64_t>();
    if (size == 0 || size > (std::uint64_t{1} << 48) / total) {
      fail("{}: tensor '{}' has an axis of {}, which cannot be", where, tensor.name, size);
    }
    total *= size;
    tensor.shape.insert(tensor.shape.begin(), static_cast<std::int64_t>(size));
  }
  tensor.type = type_from(reader.number<std::uint32_t>(), tensor.name, where);
  const std::int64_t fastest = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (fastest % block_numbers(tensor.type) != 0) {
    fail("{}: tensor '{}' of type {} has rows of {}, expected a multiple of {}", where, tensor.name,
         gguf_type_name(tensor.type), fastest, block_numbers(tensor.type));
  }
  tensor.begin = reader.number<std::uint64_t>();
  tensor.end = total / static_cast<std::uint64_t>(block_numbers(tensor.type)) *
               static_cast<std::uint64_t>(block_bytes(tensor.type));
  return tensor;
}

struct Settings {
  std::uint64_t alignment = 32;
  std::map<std::string, std::vector<std::int64_t>> shapes;
};

Settings read_settings(Reader& reader, std::uint64_t count, GgufHeader& header, const std::string& where) {
  Settings settings;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key = reader.text();
    const auto type = static_cast<ValueType>(reader.number<std::uint32_t>());
    if (type == ValueType::text) {
      header.texts[key] = reader.text();
    } else if (key == "general.alignment" && type == ValueType::u32) {
      settings.alignment = reader.number<std::uint32_t>();
      if (settings.alignment == 0) fail("{}: general.alignment is 0", where);
    } else if (key.starts_with(kShapePrefix) && type == ValueType::list) {
      settings.shapes[key.substr(kShapePrefix.size())] = reader.integers();
    } else {
      reader.skip(type, 0);
    }
  }
  return settings;
}

/// A converter may have folded a tensor into rows; its setting has the shape that it had.
void restore_shape(GgufTensor& tensor, const std::vector<std::int64_t>& shape, const std::string& where) {
  std::int64_t before = 1, after = 1;
  for (const std::int64_t size : tensor.shape) before *= size;
  for (const std::int64_t size : shape) {
    if (size < 1 || size > before) fail("{}: the setting with the shape of '{}' is damaged", where, tensor.name);
    after *= size;
    if (after > before) break;
  }
  if (before != after) fail("{}: the setting with the shape of '{}' is damaged", where, tensor.name);
  tensor.shape = shape;
}

}  // namespace

bool is_gguf(std::string_view bytes) { return bytes.starts_with("GGUF"); }

GgufHeader parse_gguf_header(std::string_view bytes, const std::string& where) {
  if (!is_gguf(bytes)) fail("{}: is no GGUF file; it does not begin with 'GGUF'", where);
  Reader reader(bytes, where);
  reader.take(4);
  const auto version = reader.number<std::uint32_t>();
  if (version != 2 && version != 3) fail("{}: is GGUF of version {}, expected 2 or 3", where, version);
  const auto tensors = reader.number<std::uint64_t>(), count = reader.number<std::uint64_t>();
  if (tensors > kMost || count > kMost)
    fail("{}: is damaged: it says to hold {} tensors and {} settings", where, tensors, count);
  GgufHeader header;
  const Settings settings = read_settings(reader, count, header, where);
  std::set<std::string> names;
  for (std::uint64_t i = 0; i < tensors; ++i) {
    header.tensors.push_back(read_tensor(reader, where));
    if (!names.insert(header.tensors.back().name).second) {
      fail("{}: two tensors are called '{}'", where, header.tensors.back().name);
    }
  }
  const std::uint64_t start = (reader.at() + settings.alignment - 1) / settings.alignment * settings.alignment;
  for (GgufTensor& tensor : header.tensors) {
    const std::uint64_t size = tensor.end;
    if (start > bytes.size() || tensor.begin > bytes.size() - start || size > bytes.size() - start - tensor.begin) {
      fail("{}: ends before the end of tensor '{}'; it is cut short", where, tensor.name);
    }
    tensor.begin += start;
    tensor.end = tensor.begin + size;
    if (const auto shape = settings.shapes.find(tensor.name); shape != settings.shapes.end()) {
      restore_shape(tensor, shape->second, where);
    }
  }
  return header;
}

}  // namespace filigree::tensor
