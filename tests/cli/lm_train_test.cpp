#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "program.h"

/// `filigree lm train` and `plan compare`, on a model that takes a moment.
namespace filigree::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class LanguageTraining : public testing::Test {
 protected:
  void SetUp() override {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "the fox and the hen run off.\n";
    text_ = folder_.write("text.txt", text);
  }

  Words train(const std::string& run, const Words& more) const {
    Words words{"lm",
                "train",
                "--model",
                "pangu-tiny",
                "--data",
                text_,
                "--output",
                folder_.path(run),
                "--shape",
                "hidden_size=32,num_hidden_layers=2,intermediate_size=48,moe_intermediate_size=16",
                "--batch",
                "2",
                "--sequence",
                "32",
                "--evaluation-batches",
                "1",
                "--threads",
                "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  Folder folder_;
  std::string text_;
};

TEST_F(LanguageTraining, TrainsGoesOnAndIsComparedWithThePlanner) {
  const Ran first = run(train("run", {"--steps", "4", "--learning-rate", "0.01"}));
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("step 4, loss "));
  EXPECT_THAT(first.out, HasSubstr("step-00000004/model"));
  const std::string run_folder = folder_.path("run");
  const Json again = run_json({"lm", "train", "--resume", run_folder, "--json"});
  EXPECT_EQ(again["step"], 4);
  const Ran text = run({"lm", "generate", "--model", again["model"].get<std::string>(), "--prompt", "the ", "-n", "5"});
  EXPECT_EQ(text.code, 0) << text.err;
  const Json compared = run_json({"plan", "compare", run_folder, "--json"});
  EXPECT_GT(compared["predicted_ms"].get<double>(), 0);
  EXPECT_GT(compared["measured_ms"].get<double>(), 0);
  const Ran table = run({"plan", "compare", run_folder});
  EXPECT_THAT(table.out, HasSubstr("predicted"));
}

TEST_F(LanguageTraining, ARunIsRepeatedFromItsSettings) {
  const Ran first = run(train("one", {"--steps", "3"}));
  ASSERT_EQ(first.code, 0) << first.err;
  const Ran second = run({"lm", "train", "--config", folder_.path("one/resolved.json"), "--output", folder_.path("two"),
                          "--threads", "1"});
  ASSERT_EQ(second.code, 0) << second.err;
  const auto losses = [&](const std::string& name) {
    std::vector<double> all;
    for (const std::string& line : text::split(read_file(folder_.path(name + "/metrics.jsonl")), '\n')) {
      if (line.find("\"loss\"") != std::string::npos) all.push_back(parse_json(line, name)["loss"].get<double>());
    }
    return all;
  };
  EXPECT_EQ(losses("one").size(), 3U);
  EXPECT_EQ(losses("one"), losses("two"));
}

TEST_F(LanguageTraining, StopsWhereTheLossIsNotANumber) {
  const Ran ran = run(train("run", {"--learning-rate", "1e9", "--clip-norm", "0", "--steps", "30"}));
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("the first tensor that is not finite is "));
  EXPECT_THAT(ran.err, HasSubstr("there is no checkpoint yet; try a lower learning rate"));
}

TEST(LanguageDemo, LeavesItsPartOfThePage) {
  if (!fs::is_directory("/usr/share/common-licenses")) GTEST_SKIP() << "the texts of Debian's base-files are not here";
  const Folder folder;
  const Ran ran = run({"lm", "demo", "--steps", "2", "--output", folder.path("out")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("2 steps of 1,024 characters"));
  const Json part = load_json(folder.path("out/part.json"));
  EXPECT_EQ(part["pictures"].size(), 3U);
  for (const Json& picture : part["pictures"]) {
    EXPECT_TRUE(fs::exists(folder.path("out/" + picture["file"].get<std::string>()))) << picture.dump();
  }
  EXPECT_THAT(part["sample"].get<std::string>(), HasSubstr("This License "));
}

TEST(ImageDemo, LeavesItsPartOfThePage) {
  const Folder folder;
  const Ran ran = run({"image", "demo", "--output", folder.path("out")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("random weights"));
  const Json part = load_json(folder.path("out/part.json"));
  EXPECT_THAT(part["notes"].dump(), HasSubstr("random"));
  EXPECT_THAT(part["sample"].get<std::string>(), HasSubstr("a red fox in the snow"));
  EXPECT_TRUE(read_file(folder.path("out/picture.png")).starts_with("\x89PNG"));
}

TEST_F(LanguageTraining, SaysInOneSentenceWhatIsWrong) {
  const auto fails = [&](const Words& words, int code, const std::string& message) {
    expect_failure(folder_, words, code, message);
  };
  fails({"lm", "train"}, 2, "give --output for a new run, or --resume for one that is there");
  fails({"lm", "train", "--output", folder_.path("x")}, 2, "give --model and --data, or --config, or --resume");
  fails({"lm", "train", "--resume", folder_.path("x")}, 1, "holds no run");
  fails(train("x", {"--learning-rat", "1"}), 2, "unknown option '--learning-rat'; did you mean '--learning-rate'?");
  fails(train("x", {"--learning-rate", "-1"}), 2, "learning_rate must be greater than 0, got -1");
  fails(train("x", {"--schedule", "cosin"}), 2, "did you mean 'cosine'?");
  fails(train("x", {"--dtype", "float31"}), 1, "float31");
  fails(train("x", {"--tokenizer", folder_.path("none")}), 1, "none");
  fails({"lm", "train", "--model", "gpt3-175b", "--data", text_, "--output", folder_.path("x")}, 1,
        "models of type 'gpt2' cannot be run");
  fails({"plan", "compare", folder_.path("x")}, 1, "holds no run");
}

}  // namespace
}  // namespace filigree::test
