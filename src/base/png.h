#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Pictures in files: PNG with its texts, read and written, and JPEG, read.
namespace filigree {

/// Texts of a PNG: keyword and UTF-8.
using PictureTexts = std::vector<std::pair<std::string, std::string>>;

/// Rows from the top, pixels from the left, 8 bits a channel, sRGB.
struct Picture {
  std::int64_t width = 0, height = 0;
  std::int64_t channels = 3;  ///< 3: RGB; 4: RGBA, where alpha 255 is opaque
  std::vector<std::uint8_t> pixels;
  PictureTexts texts = {};

  /// The text of a keyword, or "".
  std::string text(std::string_view keyword) const;
};

/// A PNG or JPEG file, told apart by its first bytes. Greys become RGB, 16 bits become 8. Error, in one sentence, where it
/// cannot be opened, is of another kind, is damaged or ends early, or has more than 2^28 pixels. A JPEG of a camera that was
/// held sideways is turned as its Exif data say.
Picture read_picture(const std::filesystem::path& path);

/// The same from memory; `where` is named in messages.
Picture parse_picture(std::string_view bytes, const std::string& where);

/// The texts of a PNG file alone (tEXt, zTXt and iTXt chunks), in their order. A JPEG has none.
PictureTexts read_picture_texts(const std::filesystem::path& path);
PictureTexts parse_picture_texts(std::string_view bytes, const std::string& where);

/// As PNG. Texts within ASCII become tEXt chunks, others iTXt. Error where a keyword is empty, longer than 79 characters
/// or not ASCII.
std::string png_bytes(const Picture& picture);

/// Writes a PNG; it appears complete or not at all.
void write_png(const std::filesystem::path& path, const Picture& picture);

namespace detail {
Picture parse_jpeg(std::string_view bytes, const std::string& where);
void check_picture_size(std::int64_t width, std::int64_t height, const std::string& where);
}  // namespace detail

}  // namespace filigree
