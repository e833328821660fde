#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/png.h"
#include "program.h"
#include "support/paths.h"

/// `filigree image …`, on the small model of the reference case.
namespace filigree::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class Image : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path reference = fs::path(reference_dir()) / "hidream";
    if (!fs::is_directory(reference)) GTEST_SKIP() << "no reference case at " << reference.string();
    reference_ = reference;
    model_ = (reference / "model").string();
    llama_ = (reference / "llama").string();
  }

  Words generate(const Words& more) const {
    Words words{"image", "generate", "--model", model_, "--llama", llama_, "--prompt", "a fox", "--steps", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  fs::path reference_;
  std::string model_, llama_;
  Folder folder_;
};

TEST_F(Image, GenerateInfoAndRepeat) {
  const std::string a = folder_.path("a.png"), b = folder_.path("b.png"), step = folder_.path("step.png");
  const Ran ran = run(generate({"--negative", "blur", "--size", "100x96", "--guidance", "5", "--scheduler", "unipc",
                                "--seed", "3", "--dtype", "float32", "--preview", step, "-o", a}));
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("note: sides are multiples of 16"));
  EXPECT_EQ(read_picture(a).width, 96);
  EXPECT_EQ(read_picture(step).width, 96);
  const Json info = run_json({"image", "info", a, "--json"});
  EXPECT_EQ(info["settings"]["seed"], 3);
  EXPECT_EQ(info["settings"]["scheduler"], "unipc");
  EXPECT_EQ(info["settings"]["prompt"], "a fox");
  EXPECT_THAT(info["texts"]["parameters"].get<std::string>(),
              HasSubstr("a fox\nNegative prompt: blur\nSteps: 2, Sampler: UniPC, CFG scale: 5, Seed: 3, Size: 96x96"));
  const Ran text = run({"image", "info", a});
  EXPECT_THAT(text.out, HasSubstr("96x96 pixels"));
  EXPECT_THAT(text.out, HasSubstr("seed              3"));
  EXPECT_EQ(run({"image", "generate", "--from", a, "-o", b}).code, 0);
  EXPECT_EQ(read_picture(a).pixels, read_picture(b).pixels);
}

TEST_F(Image, LostWordsAreShown) {
  std::string prompt = "a fox";
  for (int i = 0; i < 20; ++i) prompt += ", a fox";
  Words words = generate({"-o", folder_.path("a.png"), "--max-tokens", "16"});
  std::replace(words.begin(), words.end(), std::string("a fox"), prompt + ", and a house");
  const Ran ran = run(words);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("note: Llama reads 16 tokens of a prompt; it does not see the end: \""));
  EXPECT_THAT(ran.err, HasSubstr("a house\""));
}

TEST_F(Image, SeveralAsJson) {
  const Json json = run_json(generate({"--images", "2", "-o", folder_.path("x.png"), "--json"}));
  ASSERT_EQ(json["files"].size(), 2U);
  EXPECT_EQ(json["files"][1]["file"], folder_.path("x-2.png"));
  EXPECT_EQ(json["files"][1]["settings"]["seed"], 1);
  EXPECT_EQ(folder_.names(), (Words{"x-1.png", "x-2.png"}));
}

TEST_F(Image, Edit) {
  const std::string out = folder_.path("e.png");
  const Words words{"image",
                    "edit",
                    "--model",
                    model_,
                    "--llama",
                    llama_,
                    "--edit-transformer",
                    (reference_ / "edit_transformer").string(),
                    "--input",
                    (reference_ / "edit_source.png").string(),
                    "--instruction",
                    "make it night",
                    "--steps",
                    "3",
                    "--guidance",
                    "3",
                    "--image-guidance",
                    "1.5",
                    "--refine",
                    "0.3",
                    "-o",
                    out};
  const Ran ran = run(words);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(read_picture(out).width, read_picture(reference_ / "edit_source.png").width);
  EXPECT_EQ(run_json({"image", "info", out, "--json"})["settings"]["task"], "edit");
  expect_failure(folder_, generate({"--from", out, "-o", folder_.path("b.png")}), 1,
                 "was made by 'image edit', so that 'image generate' cannot repeat it");
}

/// Stopped by a signal as soon as there is a preview.
TEST_F(Image, StoppingKeepsThePreview) {
  const std::string step = folder_.path("step.png");
  Words words{"-c",
              R"(preview=$1; shift; "$@" & i=0
                 while [ ! -s "$preview" ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done; kill -TERM $!; wait $!)",
              "sh", step, program()};
  for (const std::string& word : generate({"--size", "96x96", "--preview", step, "-o", folder_.path("a.png")})) {
    words.push_back(word == "2" ? "300" : word);  // steps
  }
  const Ran ran = run_other("sh", words);
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("stopped before the picture was done; the last preview is " + step));
  EXPECT_EQ(read_picture(step).width, 96);
  EXPECT_EQ(folder_.names(), Words{"step.png"});
}

TEST_F(Image, WrongWords) {
  const std::string out = folder_.path("a.png");
  expect_failure(folder_, generate({"-o", folder_.path("a.gif")}), 2, "--output takes a name that ends in .png");
  expect_failure(folder_, generate({"-o", out, "--size", "big"}), 2, "--size: 'big' is no size");
  expect_failure(folder_, generate({"-o", out, "--size", "99999x16"}), 1, "cannot be made");
  expect_failure(folder_, generate({"-o", out, "--scheduler", "unipcc"}), 1, "did you mean 'unipc'?");
  expect_failure(folder_, generate({"-o", out, "--variant", "fats"}), 1, "did you mean 'fast'?");
  expect_failure(folder_, generate({"-o", out, "--dtype", "int3"}), 2, "int3");
  expect_failure(folder_, {"image", "generate", "-o", out, "--prompt", "x"}, 1, "--model is missing");
  expect_failure(folder_, {"image", "info", folder_.path("none.png")}, 1, "none.png");
  const std::string text = folder_.write("text.png", "no picture");
  expect_failure(folder_, {"image", "info", text}, 1, "is neither PNG nor JPEG");
  expect_failure(folder_, generate({"-o", out, "--input", text}), 1, "is neither PNG nor JPEG");
  const std::string plain = (reference_ / "edit_source.png").string();
  expect_failure(folder_, {"image", "generate", "--from", plain, "-o", out}, 1, "carries no settings to repeat");
}

TEST_F(Image, InfoOfAPictureWithoutSettings) {
  const Ran ran = run({"image", "info", (reference_ / "edit_source.png").string()});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.out, HasSubstr("It carries no settings."));
}

TEST(ImageFetchPlan, ListsFiles) {
  const Ran ran = run({"image", "fetch-plan", "--variant", "e1.1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("HiDream-ai/HiDream-E1-1"));
  EXPECT_THAT(ran.out, HasSubstr("Llama 3.1 Community"));
  EXPECT_EQ(run_json({"image", "fetch-plan", "--json"})["files"].size(), 7U);
  EXPECT_EQ(run({"image", "fetch-plan", "--variant", "huge"}).code, 2);
}

}  // namespace
}  // namespace filigree::test
