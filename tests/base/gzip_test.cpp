#include "base/gzip.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/expect_error.h"

namespace filigree {
namespace {

constexpr const char* kText = "three words here";

/// printf 'three words here' | gzip -n
std::string zipped() {
  constexpr std::array<unsigned char, 36> bytes{0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x2b, 0xc9,
                                                0x28, 0x4a, 0x4d, 0x55, 0x28, 0xcf, 0x2f, 0x4a, 0x29, 0x56, 0xc8, 0x48,
                                                0x2d, 0x4a, 0x05, 0x00, 0xa5, 0x91, 0x00, 0x9e, 0x10, 0x00, 0x00, 0x00};
  return {bytes.begin(), bytes.end()};
}

TEST(Gunzip, Unpacks) {
  EXPECT_EQ(gunzip(zipped(), "words"), kText);
  EXPECT_EQ(gunzip(zipped() + zipped(), "words"), std::string(kText) + kText);
}

TEST(Gunzip, EndsEarly) {
  const std::string whole = zipped();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_ERROR(gunzip(whole.substr(0, size), "words.gz"), "words.gz: the gzip data ends early");
  }
}

TEST(Gunzip, Damaged) {
  for (std::size_t i = 0; i < zipped().size(); ++i) {
    std::string bytes = zipped();
    bytes[i] = static_cast<char>(bytes[i] ^ 0x55);
    try {  // a few bytes of the head, such as the time, are not checked
      EXPECT_EQ(gunzip(bytes, "words.gz"), kText) << i;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("words.gz: ")) << error.what();
    }
  }
  EXPECT_ERROR(gunzip("plain text, not packed at all", "words.gz"), "words.gz: is no gzip data, or damaged");
  EXPECT_ERROR(gunzip(zipped() + "more", "words.gz"), "words.gz: is no gzip data, or damaged");
  EXPECT_ERROR(gunzip(zipped(), "words.gz", 10), "words.gz: unpacks to more than 10 bytes");
}

}  // namespace
}  // namespace filigree
