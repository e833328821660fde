#include "base/png.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/expect_error.h"
#include "support/paths.h"

namespace filigree {
namespace {

Picture gradient(std::int64_t channels) {
  Picture picture{5, 3, channels, {}};
  for (std::int64_t i = 0; i < 5 * 3 * channels; ++i) {
    picture.pixels.push_back(static_cast<std::uint8_t>(i * 7 % 256));
  }
  return picture;
}

TEST(Png, PicturesAndTextsComeBack) {
  for (const std::int64_t channels : {3, 4}) {
    Picture picture = gradient(channels);
    picture.texts = {{"parameters", "a fox\nSteps: 5"}, {"Comment", "Füchse 🦊"}, {"empty", ""}};
    const Picture back = parse_picture(png_bytes(picture), "x");
    EXPECT_EQ(back.width, 5);
    EXPECT_EQ(back.height, 3);
    EXPECT_EQ(back.channels, channels);
    EXPECT_EQ(back.pixels, picture.pixels);
    EXPECT_EQ(back.texts, picture.texts);
    EXPECT_EQ(back.text("Comment"), "Füchse 🦊");
    EXPECT_EQ(back.text("nothing"), "");
  }
}

TEST(Png, FilesComeBack) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "filigree_png_test.png";
  write_png(path, gradient(3));
  EXPECT_EQ(read_picture(path).pixels, gradient(3).pixels);
  EXPECT_TRUE(read_picture_texts(path).empty());
  std::filesystem::remove(path);
}

TEST(Png, KeywordsThatPngCannotHold) {
  Picture picture = gradient(3);
  picture.texts = {{"", "x"}};
  EXPECT_ERROR(png_bytes(picture), "'' cannot be the keyword of a PNG's text: it takes 1 to 79 ASCII characters");
}

TEST(Png, CutAnywhereIsOneSentence) {
  Picture picture = gradient(3);
  picture.texts = {{"parameters", "a fox"}};
  const std::string whole = png_bytes(picture);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW(parse_picture(whole.substr(0, length), "x"), Error) << length;
    EXPECT_THROW(parse_picture_texts(whole.substr(0, length), "x"), Error) << length;
  }
  EXPECT_ERROR(parse_picture_texts(whole.substr(0, whole.size() - 5), "x.png"), "x.png: ends early, within a chunk");
  EXPECT_ERROR(parse_picture_texts(whole.substr(0, whole.size() - 12), "x.png"),
               "x.png: ends early, before its last chunk");
  EXPECT_ERROR(parse_picture("GIF89a", "x.gif"), "x.gif: is neither PNG nor JPEG");
  EXPECT_ERROR(parse_picture_texts("GIF89a", "x.gif"), "x.gif: is neither PNG nor JPEG");
}

TEST(Png, DamageIsOneSentence) {
  const std::string whole = png_bytes(gradient(3));
  std::string bent = whole;
  bent[45] = static_cast<char>(bent[45] ^ 0x55);  // within the pixels
  EXPECT_ERROR(parse_picture(bent, "x.png"), "x.png: is damaged: the checksum of a chunk is wrong");
  std::string huge = whole;
  huge.replace(16, 8, std::string("\x7f\xff\xff\xff\x7f\xff\xff\xff", 8));  // width and height
  EXPECT_THROW(parse_picture(huge, "x"), Error);
}

/// Latin-1 in tEXt, as the specification has it.
TEST(Png, OldTexts) {
  const std::string whole = png_bytes(gradient(3));
  std::string chunk("\x00\x00\x00\x04tEXtk\x00\xe4!\x00\x00\x00\x00", 16);
  std::string with = whole;
  with.insert(33, chunk);
  const PictureTexts texts = parse_picture_texts(with, "x");
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_EQ(texts[0].second, "ä!");
}

/// 16×8 grey pixels.
TEST(Jpeg, IsRead) {
  const std::string bytes = read_file(test::source_dir() + "/tests/base/cases/grey.jpg");
  const Picture picture = parse_picture(bytes, "grey.jpg");
  EXPECT_EQ(picture.width, 16);
  EXPECT_EQ(picture.height, 8);
  EXPECT_EQ(picture.channels, 3);
  for (const std::uint8_t value : picture.pixels) EXPECT_NEAR(value, 128, 2);
  EXPECT_TRUE(parse_picture_texts(bytes, "grey.jpg").empty());
  for (std::size_t length = 3; length < bytes.size() - 2; length += 7) {
    EXPECT_THROW(parse_picture(bytes.substr(0, length), "x"), Error) << length;
  }
}

/// The same picture, its left half black, with the orientation of a camera that was held sideways.
TEST(Jpeg, IsTurned) {
  const std::string folder = test::source_dir() + "/tests/base/cases/";
  const std::string bytes = read_file(folder + "halves.jpg");
  const auto with_orientation = [&](char orientation) {
    const std::string tiff("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 18);
    std::string marker("\xff\xe1\0\0Exif\0\0", 10);
    marker.append(tiff).push_back(orientation);
    marker.append(7, '\0');
    marker[3] = static_cast<char>(marker.size() - 2);
    std::string whole = bytes;
    return parse_picture(whole.insert(2, marker), "halves.jpg");
  };
  const auto dark = [](const Picture& p, std::int64_t x, std::int64_t y) {
    return p.pixels[static_cast<std::size_t>((y * p.width + x) * 3)] < 128;
  };
  const Picture plain = with_orientation(1);
  EXPECT_TRUE(dark(plain, 0, 4));
  EXPECT_FALSE(dark(plain, 15, 4));
  const Picture mirrored = with_orientation(2);
  EXPECT_FALSE(dark(mirrored, 0, 4));
  const Picture right = with_orientation(6);  // turned by 90° clockwise: left becomes top
  EXPECT_EQ(right.width, 8);
  EXPECT_EQ(right.height, 16);
  EXPECT_TRUE(dark(right, 4, 0));
  const Picture left = with_orientation(8);
  EXPECT_FALSE(dark(left, 4, 0));
  EXPECT_TRUE(dark(left, 4, 15));
}

}  // namespace
}  // namespace filigree
