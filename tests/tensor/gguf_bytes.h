#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace filigree::test {

/// Little-endian bytes one after another, as GGUF files have them.
class GgufBytes {
 public:
  template <class T>
  GgufBytes& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(T));
    return *this;
  }
  GgufBytes& text(const std::string& text) {
    number(static_cast<std::uint64_t>(text.size()));
    bytes_ += text;
    return *this;
  }
  GgufBytes& raw(const std::string& bytes) {
    bytes_ += bytes;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct GgufItem {
  std::string name;
  std::vector<std::uint64_t> fastest_first;
  std::uint32_t type = 0;
  std::string bytes;
};

/// A file with these tensors, aligned to 32 bytes. `settings`: bytes of so many settings.
inline std::string gguf_file(const std::vector<GgufItem>& items, const std::string& settings = "",
                             std::uint64_t settings_count = 0) {
  GgufBytes out;
  out.raw("GGUF").number(std::uint32_t{3}).number(static_cast<std::uint64_t>(items.size())).number(settings_count);
  out.raw(settings);
  const auto aligned = [](std::size_t n) { return (n + 31) / 32 * 32; };
  std::size_t place = 0;
  for (const GgufItem& item : items) {
    out.text(item.name).number(static_cast<std::uint32_t>(item.fastest_first.size()));
    for (const std::uint64_t size : item.fastest_first) out.number(size);
    out.number(item.type).number(static_cast<std::uint64_t>(place));
    place = aligned(place + item.bytes.size());
  }
  std::string file = out.bytes();
  for (const GgufItem& item : items) {
    file.resize(aligned(file.size()));
    file += item.bytes;
  }
  return file;
}

}  // namespace filigree::test
