#include "base/png.h"
#include "spec/picture.h"
#include "support.h"

/// Any bytes as a picture: its texts, the settings in them, and its pixels. What is read can be written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace filigree;
  const std::string_view bytes = fuzz::as_text(data, size);
  fuzz::refuse_or_read([&] {
    const PictureTexts texts = parse_picture_texts(bytes, "input");
    spec::settings_from_texts(texts, "input");
  });
  fuzz::refuse_or_read([&] {
    const Picture picture = parse_picture(bytes, "input");
    fuzz::require(static_cast<std::int64_t>(picture.pixels.size()) ==
                  picture.width * picture.height * picture.channels);
    Picture pixels = picture;
    pixels.texts.clear();
    if (picture.pixels.size() < 10'000)
      fuzz::require(parse_picture(png_bytes(pixels), "again").pixels == pixels.pixels);
  });
  return 0;
}
