#include "base/gzip.h"

#include <algorithm>
#include <array>
#include <limits>

#include <zlib.h>

#include "base/error.h"
#include "base/file.h"

namespace filigree {
namespace {

/// zlib's state, ended with its scope.
struct Inflater {
  z_stream stream = {};

  Inflater() {
    constexpr int kGzipAlone = MAX_WBITS + 16;
    if (inflateInit2(&stream, kGzipAlone) != Z_OK) fail("zlib could not be started; is there memory left?");
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

}  // namespace

std::string gunzip(std::string_view bytes, const std::string& where, std::size_t limit) {
  Inflater inflater;
  z_stream& stream = inflater.stream;
  std::string content;
  std::array<char, 1 << 16> buffer;
  std::size_t fed = 0;
  for (;;) {
    if (stream.avail_in == 0) {
      const std::size_t part = std::min<std::size_t>(bytes.size() - fed, std::numeric_limits<uInt>::max());
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + fed));  // zlib does not write to it
      stream.avail_in = static_cast<uInt>(part);
      fed += part;
    }
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    const int code = inflate(&stream, Z_NO_FLUSH);
    content.append(buffer.data(), buffer.size() - stream.avail_out);
    if (content.size() > limit) fail("{}: unpacks to more than {} bytes", where, limit);
    if (code == Z_STREAM_END) {
      if (stream.avail_in == 0 && fed == bytes.size()) return content;
      inflateReset(&stream);
    } else if (code == Z_BUF_ERROR ||
               (code == Z_OK && stream.avail_in == 0 && fed == bytes.size() && stream.avail_out == buffer.size())) {
      fail("{}: the gzip data ends early", where);
    } else if (code != Z_OK) {
      fail("{}: is no gzip data, or damaged", where);
    }
  }
}

std::string read_unpacked(const std::filesystem::path& path) {
  std::string content = read_file(path);
  return path.extension() == ".gz" ? gunzip(content, path.string()) : content;
}

}  // namespace filigree
