#include "text/copy.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/file.h"

namespace filigree::text {
namespace {

namespace fs = std::filesystem;

TEST(CopyTokenizer, TakesWhatALoaderMayReadAndNothingElse) {
  const fs::path root = fs::path(testing::TempDir()) / "filigree_copy_tokenizer";
  fs::remove_all(root);
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "sentencepiece.bpe.model", "config.json"}) {
    write_file(root / "from" / name, name);
  }
  copy_tokenizer(root / "from", root / "to");
  EXPECT_EQ(read_file(root / "to" / "tokenizer.json"), "tokenizer.json");
  EXPECT_EQ(read_file(root / "to" / "sentencepiece.bpe.model"), "sentencepiece.bpe.model");
  EXPECT_TRUE(fs::exists(root / "to" / "tokenizer_config.json"));
  EXPECT_FALSE(fs::exists(root / "to" / "config.json"));
  fs::remove_all(root);
}

}  // namespace
}  // namespace filigree::text
