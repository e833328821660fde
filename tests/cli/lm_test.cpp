#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"
#include "support/paths.h"

/// `filigree lm generate` and `lm logits`, on the small model of the reference case.
namespace filigree::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class LanguageModel : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path model = fs::path(reference_dir()) / "pangu";
    if (!fs::is_directory(model)) GTEST_SKIP() << "no reference case at " << model.string();
    model_ = model.string();
  }

  Words generate(Words more) const {
    Words words{"lm", "generate", "--model", model_};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  void expect_failure(const Words& words, int code, const std::string& message) const {
    test::expect_failure(folder_, words, code, message);
  }

  std::string model_;
  Folder folder_;
};

TEST_F(LanguageModel, GeneratesTheSameInEveryWay) {
  const Words common{"--prompt-ids", "3,1,4", "--max-new-tokens", "6", "--greedy", "--json"};
  const Json first = run_json(generate(common));
  ASSERT_EQ(first["ids"].size(), 6U);
  for (const char* way : {"--no-cache", "--expanded", "--speculative"}) {
    Words words = common;
    words.emplace_back(way);
    EXPECT_EQ(run_json(generate(words))["ids"], first["ids"]) << way;
  }
  const Ran plain = run(generate({"--prompt-ids", "3,1,4", "-n", "6", "--greedy"}));
  EXPECT_EQ(plain.code, 0) << plain.err;
  std::string ids;
  for (const Json& id : first["ids"]) {
    if (!ids.empty()) ids += ",";
    ids += id.dump();
  }
  EXPECT_EQ(plain.out, ids + "\n");
  EXPECT_THAT(plain.err, HasSubstr("6 tokens"));
}

TEST_F(LanguageModel, HelpIsThatOfTheOtherProgram) {
  const Ran ran = run({"lm", "generate", "--help"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("--speculative"));
  EXPECT_THAT(run({"lm", "--help"}).out, HasSubstr("generate"));
}

TEST_F(LanguageModel, LogitsAreWritten) {
  const std::string out = folder_.path("logits.safetensors");
  const Ran ran = run({"lm", "logits", "--model", model_, "--ids", model_ + "/reference.safetensors", "--output", out});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const std::string file = read_file(out);
  EXPECT_THAT(file.substr(0, 400), testing::AllOf(HasSubstr("\"logits\""), HasSubstr("\"hidden\"")));
}

TEST(WithoutLibTorch, IsSaidInOneSentence) {
  const Folder folder;
  const std::string alone = folder.path("filigree");
  fs::copy_file(program(), alone);
  const Ran ran = run_other(alone, {"lm", "generate", "--model", "x", "--prompt-ids", "1"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "filigree: this build has no LibTorch, which 'lm generate' needs: " +
                         folder.path("filigree-torch") + " is missing; configure with -DFILIGREE_TORCH=ON\n");
}

TEST_F(LanguageModel, BadInput) {
  expect_failure({"lm", "generate", "--model", folder_.path("none"), "--prompt-ids", "1"}, 1, "is no folder");
  expect_failure(generate({"--prompt-ids", "1,100000"}), 1, "prompt 0, token 1: the id 100000 is not within 0");
  expect_failure(generate({"--prompt-ids", "1,x"}), 2, "--prompt-ids: 'x' is no whole number");
  expect_failure(generate({}), 2, "give one of --prompt, --prompt-ids and --prompts");
  expect_failure(generate({"--prompt", "a"}), 1, "takes --prompt-ids");
  expect_failure(generate({"--prompt-ids", "1", "--device", "tpu"}), 2, "tpu");
  expect_failure(generate({"--prompt-ids", "1", "--dtype", "int8"}), 2, "int8");
  const std::string out = folder_.path("out.safetensors");
  expect_failure({"lm", "logits", "--model", model_, "--ids", model_ + "/config.json", "--output", out}, 1,
                 "config.json");
  EXPECT_TRUE(folder_.names().empty());
}

}  // namespace
}  // namespace filigree::test
