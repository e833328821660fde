#include "base/file.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace filigree {
namespace {

namespace fs = std::filesystem;

/// A folder that is there for one test; recipes are looked for in it.
class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
    if (const char* before = std::getenv("FILIGREE_RECIPES")) recipes_before_ = before;
  }
  void TearDown() override {
    fs::remove_all(folder);
    if (recipes_before_.empty())
      ::unsetenv("FILIGREE_RECIPES");
    else
      ::setenv("FILIGREE_RECIPES", recipes_before_.c_str(), 1);
  }
  void make_recipes() {
    write_file(folder / "recipes/models/deepseekv3.json", "{}");
    write_file(folder / "recipes/models/mixtral.json", "{}");
    write_file(folder / "recipes/models/readme.md", "");
    write_file(folder / "recipes/clusters/h100.json", "{}");
    ::setenv("FILIGREE_RECIPES", (folder / "recipes").c_str(), 1);
  }
  const fs::path folder = fs::path(testing::TempDir()) / "filigree_file_test";

 private:
  std::string recipes_before_;
};

TEST_F(FileTest, ReadsWhatItWrote) {
  const std::string content("a\0b\r\nc\xFF", 7);
  write_file(folder / "x", content);
  EXPECT_EQ(read_file(folder / "x"), content);
  write_file(folder / "x", "");
  EXPECT_EQ(read_file(folder / "x"), "");
}

TEST_F(FileTest, MakesFoldersAndLeavesNoPart) {
  write_file(folder / "a/b/c.txt", "x");
  EXPECT_EQ(read_file(folder / "a/b/c.txt"), "x");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "a/b"), fs::directory_iterator()), 1);
}

TEST_F(FileTest, SaysWhatCannotBeRead) {
  EXPECT_ERROR(read_file(folder), folder.string() + ": is a folder, expected a file");
  const std::string missing = (folder / "missing").string();
  EXPECT_ERROR(read_file(missing), missing + ": cannot be opened (No such file or directory)");
}

TEST_F(FileTest, SaysWhatCannotBeWritten) {
  write_file(folder / "file", "x");
  EXPECT_ERROR(write_file(folder / "file/below", "y"),
               (folder / "file").string() + ": the folder cannot be made (Not a directory)");
  fs::create_directories(folder / "taken/full");
  EXPECT_ERROR(write_file(folder / "taken", "y"), (folder / "taken").string() + ": cannot be written (Is a directory)");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 2);  // no part is left
  EXPECT_ERROR(write_file("/proc/none", "y"), "/proc/none: cannot be written (No such file or directory)");
}

TEST_F(FileTest, FindsRecipesByNameOrPath) {
  make_recipes();
  EXPECT_EQ(recipes_folder(), folder / "recipes");
  EXPECT_EQ(recipe_names("models"), (std::vector<std::string>{"deepseekv3", "mixtral"}));
  EXPECT_EQ(recipe_names("none"), std::vector<std::string>{});
  EXPECT_EQ(find_recipe("models", "mixtral"), folder / "recipes/models/mixtral.json");
  EXPECT_EQ(find_recipe("models", "DeepSeekV3"), folder / "recipes/models/deepseekv3.json");
  write_file(folder / "own.json", "{}");
  EXPECT_EQ(find_recipe("models", (folder / "own.json").string()), folder / "own.json");
  write_file(folder / "checkpoint/config.json", "{}");
  EXPECT_EQ(find_recipe("models", (folder / "checkpoint").string()), folder / "checkpoint/config.json");
}

TEST_F(FileTest, SuggestsARecipe) {
  make_recipes();
  EXPECT_ERROR(find_recipe("models", "mixtrl"),
               "no file and no recipe in models is called 'mixtrl'; did you mean 'mixtral'? (there are: deepseekv3, "
               "mixtral)");
  EXPECT_ERROR(find_recipe("clusters", "h200"),
               "no file and no recipe in clusters is called 'h200'; did you mean 'h100'? (there are: h100)");
  EXPECT_ERROR(find_recipe("models", "../models/mixtral"),
               "no file and no recipe in models is called '../models/mixtral' (there are: deepseekv3, mixtral)");
}

// A program in the build tree finds the recipes of the sources: a copy of this one elsewhere runs the test.
TEST(RecipesFolder, SaysThatThereAreNone) {
  if (std::getenv("FILIGREE_TEST_INNER") != nullptr) {
    EXPECT_ERROR(recipes_folder(),
                 "no folder with recipes was found; set FILIGREE_RECIPES to the 'recipes' folder of the sources");
    return;
  }
  const fs::path place = fs::path(testing::TempDir()) / "filigree_file_test_copy";
  fs::remove_all(place);
  fs::create_directories(place);
  fs::copy_file("/proc/self/exe", place / "program");
  const std::string command = "cd '" + place.string() +
                              "' && FILIGREE_TEST_INNER=1 FILIGREE_RECIPES=. ./program "
                              "--gtest_filter=RecipesFolder.SaysThatThereAreNone > output.txt";
  EXPECT_EQ(std::system(command.c_str()), 0) << read_file(place / "output.txt");
  EXPECT_THAT(read_file(place / "output.txt"), testing::HasSubstr("[  PASSED  ] 1 test"));
  fs::remove_all(place);
}

}  // namespace
}  // namespace filigree
