#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"
#include "support/paths.h"

/// `filigree lm inspect`, on the small model of the reference case with a tokenizer of characters.
namespace filigree::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class Inspect : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path model = fs::path(reference_dir()) / "pangu";
    if (!fs::is_directory(model)) GTEST_SKIP() << "no reference case at " << model.string();
    model_ = model.string();
    first_ = inputs_.write("first.txt", "the quick brown fox jumps over the lazy dog\n");
    second_ = inputs_.write("second.txt", "0123456789 + 9876543210 = 9999999999\n");
    tokenizer_ = inputs_.path("tokenizer");
    run({"lm", "tokenize", "--train", first_, second_, "--kind", "characters", "--output", tokenizer_});
  }

  Words inspect(Words more) const {
    Words words{"lm", "inspect", model_, "--tokenizer", tokenizer_};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  void expect_failure(const Words& words, int code, const std::string& message) const {
    test::expect_failure(folder_, words, code, message);
  }

  std::string model_, first_, second_, tokenizer_;
  Folder inputs_, folder_;
};

TEST_F(Inspect, TablesJsonAndPictures) {
  const std::string picture = folder_.path("use.png"), together = folder_.path("together.svg");
  const Ran ran =
      run(inspect({"--text", first_, "--text", "digits=" + second_, "--plot", picture, "--plot-together", together}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::AllOf(HasSubstr("first.txt"), HasSubstr("digits"), HasSubstr("specialisation")));
  EXPECT_TRUE(read_file(picture).starts_with("\x89PNG"));
  EXPECT_THAT(read_file(together), HasSubstr("Experts used together"));
  const Json json = run_json(inspect({"--text", first_, "--tokens", "10", "--json"}));
  ASSERT_FALSE(json["layers"].empty());
  const Json use = json["layers"][0]["domains"][0];
  EXPECT_EQ(use["tokens"], 10);
  std::int64_t pairs = 0;
  for (const Json& count : use["count"]) pairs += count.get<std::int64_t>();
  EXPECT_EQ(pairs, 10 * json["top_k"].get<std::int64_t>());
}

TEST_F(Inspect, PageOfARun) {
  const fs::path run_folder = folder_.path("run");
  fs::create_directories(run_folder / "checkpoints/step-20");
  fs::create_directory_symlink(model_, run_folder / "checkpoints/step-20/model");
  const std::string words = R"({"step": 10, "expert_load_variation": [0.5, 0.5, 0.5, 0.5]}
{"step": 20, "expert_load_variation": [0.25, 0.25, 0.25, 0.25]}
)";
  write_file(run_folder / "metrics.jsonl", words);
  const std::string page = folder_.path("page.html"), picture = folder_.path("balance.svg");
  const Ran ran = run({"lm", "inspect", run_folder.string(), "--tokenizer", tokenizer_, "--text", first_, "--output",
                       page, "--plot-balance", picture});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(read_file(page), HasSubstr("Balance while training"));
  EXPECT_THAT(read_file(picture), HasSubstr("step"));
}

TEST_F(Inspect, BadInput) {
  expect_failure(inspect({"--text", folder_.path("none")}), 1, "none");
  expect_failure(inspect({"--text", inputs_.write("empty", "")}), 1, "is empty");
  expect_failure(inspect({"--text", inputs_.write("bytes", "a\xff")}), 1, "UTF-8");
  expect_failure(inspect({"--text", first_, "--text", first_}), 1, "two texts are called 'first.txt'");
  expect_failure(inspect({"--text", first_, "--layer", "0"}), 2, "--layer: 0 is no layer with experts");
  expect_failure(inspect({"--text", first_, "--plot", "a.jpg"}), 2, ".png or .svg");
  expect_failure(inspect({"--text", first_, "--plot-balance", folder_.path("a.png")}), 1, "expected a training run");
  expect_failure(inspect({}), 2, "--text");
  expect_failure({"lm", "inspect", model_, "--text", first_}, 1, "holds no tokenizer");
  expect_failure({"lm", "inspect", folder_.path("none"), "--text", first_}, 1, "is no folder");
}

}  // namespace
}  // namespace filigree::test
