#include <algorithm>
#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "base/error.h"
#include "base/png.h"

/// JPEG through libjpeg. Its errors come by longjmp, so that the functions that may be jumped over own nothing.
namespace filigree::detail {
namespace {

struct Trouble {
  jpeg_error_mgr base;  // first: libjpeg knows this part alone
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void jump(j_common_ptr info) {
  auto* trouble = reinterpret_cast<Trouble*>(info->err);
  info->err->format_message(info, trouble->message);
  std::longjmp(trouble->back, 1);
}

/// Warnings are errors too: a picture that ends early is one of them.
void on_message(j_common_ptr info, int level) {
  if (level < 0) jump(info);
}

/// Exif's orientation: 1 … 8, or 1 where the data of an APP1 marker do not say (Exif 2.32, §4.6.4 A; TIFF 6.0, §2).
int read_orientation(std::string_view data) {
  constexpr std::string_view kStart("Exif\0\0", 6);
  if (!data.starts_with(kStart)) return 1;
  const std::string_view tiff = data.substr(kStart.size());
  if (tiff.size() < 8) return 1;
  const bool little = tiff[0] == 'I';
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < bytes && at + i < tiff.size(); ++i) {
      const std::size_t byte = static_cast<std::uint8_t>(tiff[at + (little ? bytes - 1 - i : i)]);
      value = value << 8 | byte;
    }
    return value;
  };
  const std::size_t directory = number(4, 4);
  if (directory > tiff.size() || tiff.size() - directory < 2) return 1;
  const std::size_t entries = number(directory, 2);
  constexpr std::size_t kEntry = 12, kOrientation = 0x0112;
  for (std::size_t i = 0, at = directory + 2; i < entries && at + kEntry <= tiff.size(); ++i, at += kEntry) {
    if (number(at, 2) != kOrientation) continue;
    const std::size_t value = number(at + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

/// The picture as it is to be seen. Orientations 5 to 8 swap width and height; 2, 4, 5 and 7 are mirrored.
Picture turned(const Picture& picture, int orientation) {
  if (orientation == 1) return picture;
  const bool swaps = orientation >= 5;
  const std::int64_t w = picture.width, h = picture.height;
  Picture out{swaps ? h : w, swaps ? w : h, 3, std::vector<std::uint8_t>(picture.pixels.size())};
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (std::int64_t y = 0; y < out.height; ++y) {
    for (std::int64_t x = 0; x < out.width; ++x) {
      const std::int64_t column = swaps ? y : x, row = swaps ? x : y;
      const std::int64_t from = (from_below ? h - 1 - row : row) * w + (from_right ? w - 1 - column : column);
      std::copy_n(picture.pixels.begin() + from * 3, 3, out.pixels.begin() + (y * out.width + x) * 3);
    }
  }
  return out;
}

struct Decoder {
  jpeg_decompress_struct info;
  Trouble trouble;
};

/// Width and height, or false with a message.
bool read_header(Decoder& decoder, std::string_view bytes) {
  decoder.info.err = jpeg_std_error(&decoder.trouble.base);
  decoder.trouble.base.error_exit = jump;
  decoder.trouble.base.emit_message = on_message;
  if (setjmp(decoder.trouble.back) != 0) return false;
  jpeg_create_decompress(&decoder.info);
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&decoder.info, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&decoder.info, TRUE);
  return true;
}

bool read_pixels(Decoder& decoder, std::uint8_t* out) {
  if (setjmp(decoder.trouble.back) != 0) return false;
  decoder.info.out_color_space = JCS_RGB;
  jpeg_start_decompress(&decoder.info);
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW row = out + std::size_t{decoder.info.output_scanline} * decoder.info.output_width * 3;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  jpeg_finish_decompress(&decoder.info);
  return true;
}

}  // namespace

Picture parse_jpeg(std::string_view bytes, const std::string& where) {
  Decoder decoder{};
  struct Destroy {
    jpeg_decompress_struct* info;
    ~Destroy() { jpeg_destroy_decompress(info); }
  };
  const Destroy destroy{&decoder.info};
  if (!read_header(decoder, bytes)) {
    fail("{}: is no JPEG that can be read: {}", where, decoder.trouble.message);
  }
  if (decoder.info.jpeg_color_space == JCS_CMYK || decoder.info.jpeg_color_space == JCS_YCCK) {
    fail("{}: is a JPEG for printing (CMYK), which is not read; convert it to RGB", where);
  }
  check_picture_size(decoder.info.image_width, decoder.info.image_height, where);
  int orientation = 1;
  for (const jpeg_marker_struct* marker = decoder.info.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (orientation == 1) orientation = read_orientation(data);
  }
  Picture picture{decoder.info.image_width, decoder.info.image_height, 3, {}};
  picture.pixels.resize(static_cast<std::size_t>(picture.width * picture.height) * 3);
  if (!read_pixels(decoder, picture.pixels.data())) {
    fail("{}: is damaged or ends early: {}", where, decoder.trouble.message);
  }
  return turned(picture, orientation);
}

}  // namespace filigree::detail
