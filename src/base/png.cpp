#include "base/png.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include <png.h>
#include <zlib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"

/// The pixels go through libpng; texts are read and written here, chunk by chunk (PNG specification, §5 and §11.3.4).
namespace filigree {
namespace {

constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8), kJpegStart("\xff\xd8\xff");

/// A big-endian 32-bit number.
std::uint32_t read_number(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  return number;
}

std::string number_bytes(std::size_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

/// What zlib data unpacks to; nullopt where it is damaged or unreasonably long.
std::optional<std::string> inflated(std::string_view data) {
  constexpr uLongf kMost = 1 << 24;
  for (uLongf room = 1 << 12; room <= kMost; room *= 8) {
    std::string out(room, '\0');
    uLongf size = room;
    const int status = uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                  reinterpret_cast<const Bytef*>(data.data()), static_cast<uLong>(data.size()));
    if (status == Z_BUF_ERROR) continue;
    if (status != Z_OK) return std::nullopt;
    out.resize(size);
    return out;
  }
  return std::nullopt;
}

/// Latin-1 as UTF-8, unless it is UTF-8 already: programs write both into tEXt.
std::string as_utf8(std::string_view text) {
  if (!first_invalid_utf8(text)) return std::string(text);
  std::string out;
  for (const char letter : text) {
    const auto byte = static_cast<std::uint8_t>(letter);
    if (byte < 0x80) {
      out += letter;
    } else {
      out += static_cast<char>(0xc0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return out;
}

/// The parts before and behind the first zero byte; nullopt without one.
std::optional<std::pair<std::string_view, std::string_view>> cut_at_zero(std::string_view data) {
  const std::size_t zero = data.find('\0');
  if (zero == std::string_view::npos) return std::nullopt;
  return std::pair{data.substr(0, zero), data.substr(zero + 1)};
}

/// keyword 0 compressed? method language 0 translated keyword 0 text
std::optional<std::string> international_text(std::string_view data) {
  if (data.size() < 2) return std::nullopt;
  const bool packed = data[0] != 0;
  const auto language = cut_at_zero(data.substr(2));
  if (!language) return std::nullopt;
  const auto translated = cut_at_zero(language->second);
  if (!translated) return std::nullopt;
  return packed ? inflated(translated->second) : std::string(translated->second);
}

/// A text chunk's keyword and text; nullopt where it is none or is damaged.
std::optional<std::pair<std::string, std::string>> read_text(std::string_view type, std::string_view data) {
  const auto parts = cut_at_zero(data);
  if (!parts) return std::nullopt;
  std::optional<std::string> text;
  if (type == "tEXt") text = std::string(parts->second);
  if (type == "zTXt" && !parts->second.empty()) text = inflated(parts->second.substr(1));
  if (type == "iTXt") text = international_text(parts->second);
  if (!text) return std::nullopt;
  return std::pair{as_utf8(parts->first), as_utf8(*text)};
}

std::string text_chunk(const std::string& keyword, const std::string& text) {
  const auto ascii = [](char letter) { return static_cast<std::uint8_t>(letter) < 0x80 && letter != '\0'; };
  if (keyword.empty() || keyword.size() > 79 || !std::all_of(keyword.begin(), keyword.end(), ascii)) {
    fail("'{}' cannot be the keyword of a PNG's text: it takes 1 to 79 ASCII characters", keyword);
  }
  std::string body = "tEXt" + keyword + '\0';
  if (!std::all_of(text.begin(), text.end(), ascii)) {
    body = "iTXt" + keyword;
    body.append(5, '\0');  // the keyword's end, not compressed, method 0, no language, no translation
  }
  body += text;
  return number_bytes(body.size() - 4) + body + number_bytes(checksum(body));
}

/// The texts of all chunks up to the last. libpng does not look at the checksum of the last pixels, so that `verify` looks
/// at all of them.
PictureTexts read_chunks(std::string_view bytes, const std::string& where, bool verify) {
  PictureTexts texts;
  if (bytes.starts_with(kJpegStart)) return texts;
  if (!bytes.starts_with(kSignature)) fail("{}: is neither PNG nor JPEG", where);
  std::size_t at = kSignature.size();
  constexpr std::size_t kFrame = 12;  // length, type, checksum
  while (at < bytes.size()) {
    if (bytes.size() - at < kFrame) fail("{}: ends early, within a chunk", where);
    const std::size_t length = read_number(bytes, at);
    if (length > bytes.size() - at - kFrame) fail("{}: ends early, within a chunk", where);
    const std::string_view body = bytes.substr(at + 4, length + 4);
    if (verify && checksum(body) != read_number(bytes, at + 8 + length)) {
      fail("{}: is damaged: the checksum of a chunk is wrong", where);
    }
    if (auto text = read_text(body.substr(0, 4), body.substr(4))) texts.push_back(std::move(*text));
    if (body.starts_with("IEND")) return texts;
    at += length + kFrame;
  }
  fail("{}: ends early, before its last chunk", where);
}

struct FreeImage {
  void operator()(png_image* image) const { png_image_free(image); }
};

Picture parse_png(std::string_view bytes, const std::string& where) {
  PictureTexts texts = read_chunks(bytes, where, true);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, FreeImage> freed(&image);
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0) {
    fail("{}: is no PNG that can be read: {}", where, image.message);
  }
  detail::check_picture_size(image.width, image.height, where);
  const bool alpha = (image.format & PNG_FORMAT_FLAG_ALPHA) != 0;
  image.format = alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  Picture picture{image.width, image.height, alpha ? 4 : 3, {}};
  picture.pixels.resize(PNG_IMAGE_SIZE(image));
  if (png_image_finish_read(&image, nullptr, picture.pixels.data(), 0, nullptr) == 0) {
    fail("{}: is damaged or ends early: {}", where, image.message);
  }
  picture.texts = std::move(texts);
  return picture;
}

}  // namespace

namespace detail {

void check_picture_size(std::int64_t width, std::int64_t height, const std::string& where) {
  constexpr std::int64_t kMostPixels = std::int64_t{1} << 28;
  if (width < 1 || height < 1 || width > kMostPixels / height) {
    fail("{}: a picture of {}×{} pixels is not read; at most 2^28 pixels are", where, width, height);
  }
}

}  // namespace detail

std::string Picture::text(std::string_view keyword) const {
  for (const auto& [key, value] : texts) {
    if (key == keyword) return value;
  }
  return "";
}

PictureTexts parse_picture_texts(std::string_view bytes, const std::string& where) {
  return read_chunks(bytes, where, false);
}

PictureTexts read_picture_texts(const std::filesystem::path& path) {
  return parse_picture_texts(read_file(path), path.string());
}

Picture parse_picture(std::string_view bytes, const std::string& where) {
  if (bytes.starts_with(kSignature)) return parse_png(bytes, where);
  if (bytes.starts_with(kJpegStart)) return detail::parse_jpeg(bytes, where);
  fail("{}: is neither PNG nor JPEG", where);
}

Picture read_picture(const std::filesystem::path& path) { return parse_picture(read_file(path), path.string()); }

std::string png_bytes(const Picture& picture) {
  FILIGREE_ASSERT(picture.channels == 3 || picture.channels == 4);
  FILIGREE_ASSERT(static_cast<std::int64_t>(picture.pixels.size()) ==
                  picture.width * picture.height * picture.channels);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 4 ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  const std::unique_ptr<png_image, FreeImage> freed(&image);
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr) == 0) {
    fail("a picture of {}×{} pixels cannot be written as PNG: {}", picture.width, picture.height, image.message);
  }
  bytes.resize(size);
  std::string texts;
  for (const auto& [keyword, text] : picture.texts) texts += text_chunk(keyword, text);
  constexpr std::size_t kHeader = 33;  // the signature and the first chunk, IHDR
  return bytes.insert(kHeader, texts);
}

void write_png(const std::filesystem::path& path, const Picture& picture) { write_file(path, png_bytes(picture)); }

}  // namespace filigree
