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
  Picture picture{decoder.info.image_width, decoder.info.image_height, 3, {}};
  picture.pixels.resize(static_cast<std::size_t>(picture.width * picture.height) * 3);
  if (!read_pixels(decoder, picture.pixels.data())) {
    fail("{}: is damaged or ends early: {}", where, decoder.trouble.message);
  }
  return picture;
}

}  // namespace filigree::detail
