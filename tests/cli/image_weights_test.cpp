#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/png.h"
#include "program.h"

/// `filigree image init` and `filigree image convert`.
namespace filigree::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

class ImageWeights : public testing::Test {
 protected:
  void SetUp() override {
    model_ = folder_.path("tiny");
    const Ran ran = run({"image", "init", "--recipe", "tiny", "--output", model_, "--seed", "2"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr("random weights"));
  }

  /// Makes a picture with further words.
  Ran generate(const std::string& picture, const Words& more) const {
    Words words{"image",    "generate",  "--model", model_, "--llama", (fs::path(model_) / "llama").string(),
                "--prompt", "a red fox", "--steps", "2",    "--size",  "64x64",
                "-o",       picture};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }

  Folder folder_;
  std::string model_;
};

TEST_F(ImageWeights, APictureOfEveryFormOfTheWeights) {
  const std::string exact = folder_.path("exact.png");
  const Ran ran = generate(exact, {});
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* form : {"float32", "bfloat16", "q8", "q4"}) {
    const std::string transformer = folder_.path(form), picture = folder_.path(std::string(form) + ".png");
    const Ran converted = run({"image", "convert", "--input", model_, "--form", form, "--output", transformer});
    ASSERT_EQ(converted.code, 0) << converted.err;
    EXPECT_THAT(converted.err, HasSubstr("tensors"));
    const Ran made = generate(picture, {"--transformer", transformer, "--stream"});
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_THAT(made.err, HasSubstr("layer by layer"));
    if (std::string(form) == "float32") {
      EXPECT_EQ(read_picture(picture).pixels, read_picture(exact).pixels) << "streamed, but the same numbers";
    }
  }
}

TEST_F(ImageWeights, EditingWithTheTinyModel) {
  const std::string fox = folder_.path("fox.png"), night = folder_.path("night.png");
  ASSERT_EQ(generate(fox, {}).code, 0);
  const Ran ran = run({"image", "edit", "--model", model_, "--llama", (fs::path(model_) / "llama").string(),
                       "--edit-transformer", (fs::path(model_) / "edit_transformer").string(), "--input", fox,
                       "--instruction", "make it night", "--steps", "2", "-o", night});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(read_picture(night).width, read_picture(fox).width);
}

TEST_F(ImageWeights, WhatCannotBeDoneIsOneSentence) {
  expect_failure(folder_, {"image", "init", "--recipe", "tiny", "--output", model_}, 1, "is not empty");
  expect_failure(folder_, {"image", "init", "--recipe", "huge", "--output", folder_.path("x")}, 2, "huge");
  expect_failure(folder_, {"image", "convert", "--input", folder_.path("no"), "--output", folder_.path("x")}, 1,
                 "no such file or folder");
  expect_failure(folder_, {"image", "convert", "--input", model_, "--output", model_}, 1, "is there already");
  expect_failure(folder_, {"image", "convert", "--input", model_, "--form", "q3", "--output", folder_.path("x")}, 2,
                 "q3");
  const std::string lora = (fs::path(model_) / "vae/diffusion_pytorch_model.safetensors").string();
  expect_failure(folder_,
                 {"image", "convert", "--input", model_, "--output", folder_.path("x"), "--lora", lora + ":0.5"}, 1,
                 "changes no weight of this model");
}

}  // namespace
}  // namespace filigree::test
