#include "base/lines.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"

namespace filigree {
namespace {

namespace fs = std::filesystem;

TEST(Lines, HaveTheirPlacesAndTellWhetherTheyEnd) {
  const fs::path file = fs::path(testing::TempDir()) / "filigree_lines.txt";
  write_file(file, "one\n\n \t\ntwo \nthree");
  const std::vector<TextLine> lines = read_lines(file);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].text, "one");
  EXPECT_EQ(lines[0].where, file.string() + ", line 1");
  EXPECT_EQ(lines[1].text, "two ");
  EXPECT_EQ(lines[1].where, file.string() + ", line 4");
  EXPECT_TRUE(lines[1].ended);
  EXPECT_EQ(lines[2].text, "three");
  EXPECT_FALSE(lines[2].ended);
  write_file(file, "");
  EXPECT_TRUE(read_lines(file).empty());
  fs::remove(file);
}

}  // namespace
}  // namespace filigree
