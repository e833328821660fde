#include "spec/picture.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace filigree::spec {
namespace {

Picture fox() {
  Picture p;
  p.prompt = "a red fox,\nin the snow: \"dawn\"";
  p.negative = "blur";
  p.width = 1024;
  p.height = 768;
  p.steps = 50;
  p.guidance = 5;
  p.scheduler = "unipc";
  p.shift = 3;
  p.seed = 7;
  p.model = "/models/HiDream-I1-Full/";
  p.loras = {"a.safetensors:0.5"};
  return p;
}

TEST(PictureSettings, AsWebInterfacesWriteThem) {
  EXPECT_EQ(
      parameters_text(fox()),
      "a red fox,\nin the snow: \"dawn\"\nNegative prompt: blur\nSteps: 50, Sampler: UniPC, CFG scale: 5, Seed: 7, "
      "Size: 1024x768, Model: HiDream-I1-Full, Shift: 3, Version: filigree");
  Picture back = fox();
  back.model.reset();
  back.loras.clear();
  EXPECT_EQ(parse_parameters(parameters_text(fox())), back);
}

TEST(PictureSettings, AllOfThemComeBack) {
  EXPECT_EQ(settings_from_texts(picture_texts(fox()), "x.png"), fox());
  EXPECT_EQ(settings_from_texts({}, "x.png"), std::nullopt);
  EXPECT_EQ(settings_from_texts({{"parameters", "cat"}}, "x.png")->prompt, "cat");
}

TEST(PictureSettings, OfOtherPrograms) {
  const Picture p = parse_parameters(
      "cat, <lora:x:1>\nNegative prompt: dog,\nbird\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: "
      "7.5, "
      "Seed: 123, Size: 512x640, Lora hashes: \"x: 12ab, y: 3\", Denoising strength: 0.4, Version: v1.10");
  EXPECT_EQ(p.prompt, "cat, <lora:x:1>");
  EXPECT_EQ(p.negative, "dog,\nbird");
  EXPECT_EQ(p.steps, 20);
  EXPECT_EQ(p.scheduler, "dpm++");
  EXPECT_EQ(p.guidance, 7.5);
  EXPECT_EQ(p.seed, 123);
  EXPECT_EQ(p.width, 512);
  EXPECT_EQ(p.height, 640);
  EXPECT_EQ(p.strength, 0.4);
  const Picture odd = parse_parameters("Steps: x, Sampler: Restart, Size: 5, Seed: -1, CFG scale: big, A: \"");
  Picture empty;
  empty.prompt = "";
  EXPECT_EQ(odd, empty);
}

TEST(PictureSettings, Merge) {
  Picture over;
  over.seed = 9;
  over.steps = 10;
  Picture expected = fox();
  expected.seed = 9;
  expected.steps = 10;
  EXPECT_EQ(merge(fox(), over), expected);
}

TEST(PictureSettings, DamagedOnes) {
  EXPECT_ERROR(settings_from_texts({{"filigree", "{\"stepps\": 3}"}}, "x.png"),
               "x.png: unknown key 'stepps' at the top level; did you mean 'steps'?");
  EXPECT_THROW(settings_from_texts({{"filigree", "{"}}, "x.png"), Error);
}

}  // namespace
}  // namespace filigree::spec
