#include "dynamics/npy.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace filigree::dynamics {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

/// More numbers than any file here holds; keeps products of sizes from overflowing.
constexpr std::int64_t kMost = std::int64_t{1} << 40;

struct Header {
  bool float32 = false;
  bool swapped = false;
  bool fortran = false;
  std::vector<std::int64_t> shape;
  std::int64_t count = 1;
};

/// The text after 'key': in the header, which is a Python dictionary.
std::string_view entry(std::string_view header, std::string_view key, const std::string& where) {
  for (const char quote : {'\'', '"'}) {
    const std::string quoted = quote + std::string(key) + quote;
    const std::size_t at = header.find(quoted);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = text::trim(header.substr(at + quoted.size()));
    if (rest.starts_with(':')) return text::trim(rest.substr(1));
  }
  fail("{}: the NPY header has no '{}'; the file is damaged", where, key);
}

void read_type(std::string_view value, Header& header, const std::string& where) {
  std::string_view type = value.substr(0, value.find(value.empty() ? ',' : value.front(), 1));
  if (!type.empty()) type.remove_prefix(1);
  if (type == "<f8" || type == ">f8" || type == "<f4" || type == ">f4") {
    header.float32 = type[2] == '4';
    header.swapped = (type[0] == '<') != (std::endian::native == std::endian::little);
    return;
  }
  fail("{}: holds numbers of type '{}', expected float32 or float64 ('<f4', '<f8')", where, type.substr(0, 40));
}

void read_shape(std::string_view value, Header& header, const std::string& where) {
  const std::size_t end = value.find(')');
  if (!value.starts_with('(') || end == std::string_view::npos) {
    fail("{}: the shape in the NPY header is not a tuple; the file is damaged", where);
  }
  for (const std::string& part : text::split(value.substr(1, end - 1), ',')) {
    if (text::trim(part).empty()) continue;
    const auto size = text::parse_int(text::trim(part));
    if (!size || *size < 0 || *size > kMost || header.shape.size() >= 32) {
      fail("{}: the shape in the NPY header has the size '{}'; the file is damaged", where, part.substr(0, 40));
    }
    header.shape.push_back(*size);
    // Kept at the bound; an axis of size 0 makes the whole empty.
    header.count = *size == 0 ? 0 : std::min(header.count, kMost / *size) * *size;
  }
}

Header read_header(std::string_view& bytes, const std::string& where) {
  if (!bytes.starts_with(kMagic)) fail("{}: is not an NPY file (it does not begin with '\\x93NUMPY')", where);
  const std::size_t known = kMagic.size() + 2;
  if (bytes.size() < known) fail("{}: ends within the NPY header; the file is cut short", where);
  const int version = static_cast<unsigned char>(bytes[kMagic.size()]);
  if (version < 1 || version > 3) fail("{}: has NPY version {}, expected 1 to 3", where, version);
  const std::size_t width = version == 1 ? 2 : 4;
  std::size_t length = 0;
  for (std::size_t i = 0; i < width && known + i < bytes.size(); ++i) {
    length |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[known + i])) << (8 * i);
  }
  if (bytes.size() < known + width || bytes.size() - known - width < length) {
    fail("{}: ends within the NPY header; the file is cut short", where);
  }
  const std::string_view dictionary = bytes.substr(known + width, length);
  bytes.remove_prefix(known + width + length);
  Header header;
  read_type(entry(dictionary, "descr", where), header, where);
  header.fortran = entry(dictionary, "fortran_order", where).starts_with("True");
  read_shape(entry(dictionary, "shape", where), header, where);
  return header;
}

template <class Word, class Number>
double number_at(const char* bytes, bool swapped) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  if (swapped) {
    auto* first = reinterpret_cast<unsigned char*>(&word);
    std::reverse(first, first + sizeof word);
  }
  return static_cast<double>(std::bit_cast<Number>(word));
}

/// Position in C order of the element at `index` in Fortran order.
std::size_t c_position(std::size_t index, const std::vector<std::int64_t>& shape) {
  std::size_t position = 0, stride = 1;
  std::vector<std::size_t> at(shape.size());
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    at[axis] = index % static_cast<std::size_t>(shape[axis]);
    index /= static_cast<std::size_t>(shape[axis]);
  }
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    position += at[axis] * stride;
    stride *= static_cast<std::size_t>(shape[axis]);
  }
  return position;
}

}  // namespace

NpyArray parse_npy(std::string_view bytes, const std::string& where) {
  const Header header = read_header(bytes, where);
  const std::size_t width = header.float32 ? 4 : 8;
  const std::size_t expected = static_cast<std::size_t>(header.count) * width;
  if (bytes.size() != expected) {
    fail("{}: holds {} bytes of numbers where its shape and type ask for {}; the file is {}", where, bytes.size(),
         expected, bytes.size() < expected ? "cut short" : "damaged");
  }
  NpyArray array{header.shape, std::vector<double>(static_cast<std::size_t>(header.count))};
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    const char* at = bytes.data() + i * width;
    const double value = header.float32 ? number_at<std::uint32_t, float>(at, header.swapped)
                                        : number_at<std::uint64_t, double>(at, header.swapped);
    array.values[header.fortran ? c_position(i, header.shape) : i] = value;
  }
  return array;
}

NpyArray read_npy(const std::filesystem::path& path) { return parse_npy(read_file(path), path.string()); }

std::string npy_bytes(const NpyArray& array) {
  std::string shape;
  std::size_t count = 1;
  for (const std::int64_t size : array.shape) {
    shape += fmt::format("{}, ", size);
    count *= static_cast<std::size_t>(size);
  }
  FILIGREE_ASSERT(count == array.values.size());
  if (array.shape.size() > 1) shape.resize(shape.size() - 2);
  std::string header = fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}), }}", shape);
  // Data begin at a multiple of 64 bytes.
  const std::size_t used = kMagic.size() + 4 + header.size() + 1;
  header.append((64 - used % 64) % 64, ' ');
  header += '\n';
  std::string bytes(kMagic);
  bytes += {'\1', '\0', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  bytes += header;
  for (const double value : array.values) {
    auto word = std::bit_cast<std::uint64_t>(value);
    for (int i = 0; i < 8; ++i, word >>= 8) bytes += static_cast<char>(word & 0xFF);
  }
  return bytes;
}

}  // namespace filigree::dynamics
