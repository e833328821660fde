#include "image/pipeline.h"

#include <filesystem>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/cancel.h"
#include "base/file.h"
#include "image/pixels.h"
#include "image/preview.h"
#include "image/sample.h"
#include "support/expect_error.h"
#include "support/paths.h"
#include "tensor/safetensors.h"

/// Pipelines on the small model of the reference case: what settings do, and what is refused.
namespace filigree::image {
namespace {

namespace fs = std::filesystem;

class Pipeline : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path reference = fs::path(test::reference_dir()) / "hidream";
    if (!fs::is_directory(reference)) GTEST_SKIP() << "no reference case at " << reference.string();
    reference_ = reference;
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("filigree_pipeline_") + info->name());
    fs::create_directories(folder_);
    wanted_.model = (reference / "model").string();
    wanted_.llama = (reference / "llama").string();
    wanted_.prompt = "a fox";
    wanted_.negative = "blur";
    wanted_.steps = 3;
    wanted_.guidance = 2;
    side_ = *resolve(wanted_).settings.width;
    small_ = side_ / 4 * 3 / 16 * 16;
    wanted_.width = small_;
    wanted_.height = small_;
    wanted_.seed = 5;
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Made make(const spec::Picture& wanted, std::int64_t images = 1, const RunHooks& hooks = {}) {
    return make_pictures(resolve(wanted), images, {}, hooks);
  }

  /// A picture with colours that change, as a file.
  std::string write_input(std::int64_t width, std::int64_t height, const std::string& name = "input.png") const {
    const at::Tensor x = at::linspace(0, 1, width).expand({height, width});
    const at::Tensor y = at::linspace(0, 1, height).unsqueeze(1).expand({height, width});
    write_png(folder_ / name, to_picture(at::stack({x, y, x * y})));
    return (folder_ / name).string();
  }

  static double difference(const Picture& a, const Picture& b) {
    return (to_tensor(a) - to_tensor(b)).abs().max().item<double>() * 255;
  }

  fs::path reference_, folder_;
  std::int64_t side_ = 0, small_ = 0;  ///< of the model's pictures, and something smaller
  spec::Picture wanted_;
};

TEST_F(Pipeline, TheSameSeedGivesTheSamePicture) {
  const Picture first = make(wanted_).pictures.at(0), second = make(wanted_).pictures.at(0);
  EXPECT_EQ(first.pixels, second.pixels);
  EXPECT_EQ(first.width, small_);
  spec::Picture other = wanted_;
  other.seed = 6;
  EXPECT_GT(difference(first, make(other).pictures.at(0)), 1);
}

TEST_F(Pipeline, SettingsInThePictureMakeItAgain) {
  for (const std::string scheduler : {"unipc", "lcm"}) {
    spec::Picture wanted = wanted_;
    wanted.scheduler = scheduler;
    const Picture first = make(wanted).pictures.at(0);
    const auto settings = spec::settings_from_texts(parse_picture_texts(png_bytes(first), "x"), "x");
    ASSERT_TRUE(settings.has_value());
    EXPECT_EQ(make(*settings).pictures.at(0).pixels, first.pixels) << scheduler;
  }
}

/// A picture of a batch is the one that its seed gives alone, to float rounding.
TEST_F(Pipeline, Batches) {
  for (const std::string scheduler : {"euler", "lcm"}) {
    spec::Picture wanted = wanted_;
    wanted.scheduler = scheduler;
    const Made batch = make(wanted, 2);
    ASSERT_EQ(batch.pictures.size(), 2U);
    EXPECT_LE(difference(batch.pictures[0], make(wanted).pictures.at(0)), 1.01);
    wanted.seed = 6;
    EXPECT_LE(difference(batch.pictures[1], make(wanted).pictures.at(0)), 1.01);
    EXPECT_EQ(spec::settings_from_texts(batch.pictures[1].texts, "x")->seed, 6);
  }
}

TEST_F(Pipeline, NegativePromptAndEncoderPromptsMatter) {
  const Picture first = make(wanted_).pictures.at(0);
  spec::Picture other = wanted_;
  other.negative = "a house";
  EXPECT_NE(make(other).pictures.at(0).pixels, first.pixels);
  other = wanted_;
  other.prompt_llama = "a cat";
  EXPECT_NE(make(other).pictures.at(0).pixels, first.pixels);
  other = wanted_;
  other.negative_t5 = "a cat";
  EXPECT_NE(make(other).pictures.at(0).pixels, first.pixels);
  // Without guidance the negative text is not used.
  other = wanted_;
  other.guidance = 1;
  spec::Picture third = other;
  third.negative = "a house";
  EXPECT_EQ(make(other).pictures.at(0).pixels, make(third).pictures.at(0).pixels);
}

TEST_F(Pipeline, EverySchedulerAndStreaming) {
  for (const std::string& name : scheduler_names()) {
    spec::Picture wanted = wanted_;
    wanted.scheduler = name;
    const Picture held = make(wanted).pictures.at(0);
    const Picture streamed = make_pictures(resolve(wanted), 1, {.stream = true}, {}).pictures.at(0);
    EXPECT_LE(difference(held, streamed), 1.01) << name;
  }
}

TEST_F(Pipeline, LittleStrengthStaysNearTheInput) {
  wanted_.input = write_input(side_, side_);
  wanted_.width.reset();
  wanted_.height.reset();
  wanted_.steps = 10;
  const auto distance = [&](double strength) {
    wanted_.strength = strength;
    // Against what the autoencoder alone makes of the input.
    const Autoencoder autoencoder = load_autoencoder((reference_ / "model" / "vae").string());
    const at::Tensor input = to_tensor(read_picture(*wanted_.input)) * 2 - 1;
    const at::Tensor alone = (autoencoder.decode(autoencoder.encode(input).mean_BCHW) / 2 + 0.5).clamp(0, 1);
    return (to_tensor(make(wanted_).pictures.at(0)) - alone).abs().mean().item<double>();
  };
  const c10::InferenceMode inference;
  EXPECT_LT(distance(0.1), distance(1.0));
  wanted_.strength = 0.01;
  EXPECT_ERROR(make(wanted_), "a strength of 0.01 leaves none of 10 steps");
}

TEST_F(Pipeline, OutsideTheMaskNothingChanges) {
  wanted_.input = write_input(side_, side_);
  wanted_.width.reset();
  wanted_.height.reset();
  wanted_.strength = 1.0;
  at::Tensor mask = at::zeros({3, side_, side_});
  mask.narrow(2, side_ / 2, side_ / 2).fill_(1);
  write_png(folder_ / "mask.png", to_picture(mask));
  wanted_.mask = (folder_ / "mask.png").string();
  const at::Tensor made = to_tensor(make(wanted_).pictures.at(0));
  const at::Tensor change = (made - to_tensor(read_picture(*wanted_.input))).abs() * 255;
  EXPECT_LE(change.narrow(3, 0, side_ / 2).max().item<double>(), 0.51);
  EXPECT_GT(change.narrow(3, side_ / 2, side_ / 2).max().item<double>(), 1);
}

TEST_F(Pipeline, Edits) {
  wanted_.task = "edit";
  wanted_.input = write_input(200, 100);
  wanted_.width.reset();
  wanted_.height.reset();
  wanted_.edit_transformer = (reference_ / "edit_transformer").string();
  wanted_.target = "a blue fox";
  wanted_.refine = 0.4;
  const Made refined = make(wanted_);
  EXPECT_EQ(refined.pictures.at(0).width, 200);  // back at the input's size
  EXPECT_EQ(refined.pictures.at(0).height, 100);
  wanted_.refine = 0;
  const Picture plain = make(wanted_).pictures.at(0);
  EXPECT_NE(plain.pixels, refined.pictures.at(0).pixels);
  const auto settings = spec::settings_from_texts(plain.texts, "x");
  EXPECT_EQ(make(*settings).pictures.at(0).pixels, plain.pixels);
  wanted_.guidance = 1;
  EXPECT_EQ(make(wanted_).pictures.size(), 1U);
}

TEST_F(Pipeline, LorasChangeThePicture) {
  const tensor::SafeTensors weights = tensor::SafeTensors::open(reference_ / "model" / "transformer");
  const std::string name = "double_stream_blocks.0.block.attn1.to_v";
  const at::Tensor weight = weights.get(name + ".weight");
  const std::string file = (folder_ / "lora.safetensors").string();
  tensor::save(file, {{"transformer." + name + ".lora_A.weight", at::ones({2, weight.size(1)})},
                      {"transformer." + name + ".lora_B.weight", at::ones({weight.size(0), 2})}});
  const Picture plain = make(wanted_).pictures.at(0);
  wanted_.loras = {file + ":0.5"};
  const Picture changed = make(wanted_).pictures.at(0);
  EXPECT_NE(plain.pixels, changed.pixels);
  wanted_.loras = {file + ":0"};
  EXPECT_EQ(plain.pixels, make(wanted_).pictures.at(0).pixels);
}

TEST_F(Pipeline, LongPromptsAreCutWithTheLostWords) {
  wanted_.steps = 1;
  wanted_.max_tokens = 8;
  wanted_.prompt = "a fox in the snow at dawn, and far behind it the mountains";
  std::vector<std::string> told;
  RunHooks hooks;
  hooks.note = [&](const std::string& note) { told.push_back(note); };
  const Made made = make(wanted_, 1, hooks);
  EXPECT_EQ(made.notes, told);
  bool llama = false;
  for (const std::string& note : made.notes) {
    if (note.find("Llama reads 8 tokens of a prompt; it does not see the end: \"") == 0) {
      llama = note.ends_with("the mountains\"");
    }
  }
  EXPECT_TRUE(llama);
  EXPECT_EQ(made.notes.size(), 4U);
}

TEST_F(Pipeline, PreviewsAndCancelling) {
  std::size_t previews = 0;
  RunHooks hooks;
  hooks.preview = [&](const Picture& picture) {
    EXPECT_EQ(picture.width, small_);
    if (++previews == 2) request_cancel();
  };
  const Made made = make(wanted_, 1, hooks);
  reset_cancel();
  EXPECT_FALSE(made.complete);
  EXPECT_TRUE(made.pictures.empty());
  EXPECT_EQ(previews, 2U);
}

/// The fitted colours of latents are near the picture that they were made from.
TEST_F(Pipeline, PreviewShowsThePicture) {
  const c10::InferenceMode inference;
  const Autoencoder autoencoder = load_autoencoder((reference_ / "model" / "vae").string());
  const LatentPreview preview(autoencoder);
  const at::Tensor image = to_tensor(read_picture(write_input(side_, side_)));
  const at::Tensor latents = autoencoder.to_model(autoencoder.encode(image * 2 - 1).mean_BCHW);
  const at::Tensor small = at::avg_pool2d(image, {8, 8});
  const double error = (preview.colours(latents) - small).abs().mean().item<double>();
  const double grey = (0.5 - small).abs().mean().item<double>();
  EXPECT_LT(error, grey);  // the autoencoder of the case is random: much of a picture is lost in it
}

TEST_F(Pipeline, SizesAreRoundedWithANote) {
  wanted_.width = small_ + 4;
  const Resolved r = resolve(wanted_);
  EXPECT_EQ(r.settings.width, small_);
  ASSERT_EQ(r.notes.size(), 1U);
  EXPECT_EQ(r.notes[0],
            fmt::format("sides are multiples of 16, so the picture is {0}x{0} instead of {1}x{0}", small_, small_ + 4));
}

TEST_F(Pipeline, WhatIsNotGivenComesFromTheFolder) {
  spec::Picture little;
  little.model = wanted_.model;
  little.llama = wanted_.llama;
  little.prompt = "a fox";
  const spec::Picture p = resolve(little).settings;
  EXPECT_EQ(p.steps, 50);
  EXPECT_EQ(p.guidance, 5.0);
  const fs::path config = fs::path(*wanted_.model) / "scheduler" / "scheduler_config.json";
  const SchedulerSettings own = scheduler_from_json(load_json(config), config.string());
  EXPECT_EQ(p.scheduler, own.name);
  EXPECT_EQ(p.shift, own.shift);
  EXPECT_EQ(p.variant, "full");
  little.variant = "dev";
  const spec::Picture dev = resolve(little).settings;
  EXPECT_EQ(dev.steps, 28);
  EXPECT_EQ(dev.guidance, 0.0);
  EXPECT_EQ(dev.scheduler, "lcm");
  EXPECT_EQ(dev.shift, 6.0);
}

TEST_F(Pipeline, AbsurdAndWrongSettings) {
  const auto with = [this](const auto& change) {
    spec::Picture p = wanted_;
    change(p);
    return p;
  };
  EXPECT_ERROR(resolve(with([](auto& p) { p.width = 4; })),
               fmt::format("a picture of 4x{} pixels cannot be made; sides go from 16 to 16384", small_));
  EXPECT_ERROR(resolve(with([](auto& p) { p.width = 1'000'000; })),
               fmt::format("a picture of 1000000x{} pixels cannot be made; sides go from 16 to 16384", small_));
  EXPECT_ERROR(
      resolve(with([&](auto& p) { p.width = side_ * 4; })),
      fmt::format("a picture of {}x{} pixels is too large for this model, which was made for as many as {}x{}; "
                  "--padding none takes more",
                  side_ * 4, small_, side_, side_));
  EXPECT_ERROR(resolve(with([](auto& p) { p.height.reset(); })), "a size needs a width and a height");
  EXPECT_ERROR(resolve(with([](auto& p) { p.llama.reset(); })),
               "--llama is missing: it names the folder of Llama 3.1, the fourth text encoder, which comes apart");
  EXPECT_ERROR(resolve(with([](auto& p) { p.model = "/no/such"; })),
               "/no/such: is no folder; --model names a published pipeline folder");
  EXPECT_ERROR(resolve(with([](auto& p) { p.prompt.reset(); })),
               "the text is missing: what the picture shows, or how to edit it");
  EXPECT_ERROR(resolve(with([](auto& p) { p.padding = "zero"; })),
               "there is no padding 'zero' (known: reference, none)");
  EXPECT_ERROR(resolve(with([](auto& p) { p.strength = 0.5; })), "a strength needs an input picture");
  EXPECT_ERROR(resolve(with([](auto& p) { p.mask = "m.png"; })), "a mask needs an input picture");
  EXPECT_ERROR(resolve(with([](auto& p) { p.task = "edit"; })), "--input is missing: it names the picture to edit");
  EXPECT_ERROR(resolve(with([](auto& p) { p.task = "paint"; })), "there is no task 'paint' (known: generate, edit)");
  EXPECT_ERROR(resolve(with([](auto& p) { p.max_tokens = 1; })),
               "1 tokens of a text cannot be read; expected 2 to 4096");
  EXPECT_ERROR(resolve(with([](auto& p) { p.transformer = "/no/such"; })), "/no/such: there is no such transformer");
  EXPECT_ERROR(resolve(with([](auto& p) { p.loras = {"/no/such:0.5"}; })), "/no/such: there is no such LoRA");
  EXPECT_ERROR(make(with([](auto& p) { p.dtype = "float16"; })),
               "float16 is not computed on a CPU; take bfloat16 or float32");
  EXPECT_THROW(
      resolve(with([&](auto& p) { p.loras = {p.model.value() + "/vae/diffusion_pytorch_model.safetensors"}; })), Error);
  EXPECT_ERROR(make_pictures(resolve(wanted_), 0, {}, {}), "0 pictures cannot be made at once; expected 1 to 1024");
  // A pipeline's folder stands for its transformer.
  EXPECT_EQ(resolve(with([](auto& p) { p.transformer = p.model; })).settings.transformer,
            (fs::path(*wanted_.model) / "transformer").string());
}

TEST_F(Pipeline, PicturesThatDoNotFit) {
  wanted_.input = write_input(64, 64);
  wanted_.mask = write_input(64, 32, "mask.png");
  EXPECT_ERROR(resolve(wanted_),
               *wanted_.mask + ": the mask has 64x32 pixels, but the input " + *wanted_.input + " has 64x64");
  const std::string bytes = read_file(*wanted_.input);
  write_file(folder_ / "cut.png", std::string_view(bytes).substr(0, bytes.size() / 2));
  wanted_.input = (folder_ / "cut.png").string();
  EXPECT_THROW(resolve(wanted_), Error);
  wanted_.input = (folder_ / "nothing.png").string();
  EXPECT_THROW(resolve(wanted_), Error);
}

TEST_F(Pipeline, FoldersThatLackSomething) {
  const fs::path model = folder_ / "model";
  fs::copy(*wanted_.model, model, fs::copy_options::recursive);
  fs::permissions(model, fs::perms::owner_all);
  for (const auto& entry : fs::recursive_directory_iterator(model)) {
    fs::permissions(entry.path(), fs::perms::owner_all);
  }
  wanted_.model = model.string();
  fs::rename(model / "tokenizer_2", folder_ / "aside");
  EXPECT_ERROR(make(wanted_), model.string() + ": has no folder tokenizer_2, which holds CLIP-G's");
  fs::rename(folder_ / "aside", model / "tokenizer_2");
  fs::rename(model / "text_encoder_3", folder_ / "aside");
  EXPECT_ERROR(make(wanted_), model.string() + ": has no folder text_encoder_3, which holds T5");
  fs::rename(folder_ / "aside", model / "text_encoder_3");
  fs::rename(model / "vae", folder_ / "aside");
  EXPECT_ERROR(resolve(wanted_), model.string() + ": has no vae/config.json, which tells of the autoencoder");
  fs::rename(folder_ / "aside", model / "vae");
  fs::remove(model / "scheduler" / "scheduler_config.json");
  EXPECT_ERROR(resolve(wanted_), model.string() + ": has no scheduler/scheduler_config.json");
}

/// A Llama of another width, or with too few layers.
TEST_F(Pipeline, LlamaThatDoesNotFit) {
  const Resolved r = resolve(wanted_);
  Resolved wider = r;
  wider.transformer.caption_channels[1] += 1;
  EXPECT_ERROR(make_pictures(wider, 1, {}, {}),
               fmt::format("{}: gives {} channels, but the transformer takes {}", *wanted_.llama,
                           r.transformer.caption_channels[1], r.transformer.caption_channels[1] + 1));
  Resolved deeper = r;
  deeper.transformer.llama_layers[0] = 99;
  EXPECT_THROW(make_pictures(deeper, 1, {}, {}), Error);
}

TEST(Editing, Guidance) {
  const at::Tensor u = at::full({1, 4, 1, 1}, 1.0), c = at::full({1, 4, 1, 1}, 2.0), f = at::full({1, 4, 1, 1}, 4.0);
  const at::Tensor all = at::cat({u, c, f});
  // u + 1.5 (c − u) + 3 (f − c)
  EXPECT_NEAR(combine_edit(all, {3, 1.5, false}).mean().item<double>(), 1 + 1.5 + 6, 1e-6);
  // p = 2 + 3·2 = 8, cut to f's 4: u + 1.5 (4 − u)
  EXPECT_NEAR(combine_edit(all, {3, 1.5, true}).mean().item<double>(), 1 + 1.5 * 3, 1e-6);
}

TEST(Editing, TargetDescription) {
  EXPECT_EQ(target_description("Editing Instruction: x. Target Image Description:  a cat. "), "a cat.");
  EXPECT_EQ(target_description("make it night"), std::nullopt);
  EXPECT_EQ(refine_step(28, 0.3), 19U);
  EXPECT_EQ(refine_step(10, 0.3), 7U);
}

TEST(Editing, FitSize) {
  EXPECT_EQ(fit_size(1024, 1024, 1024 * 1024, 16), std::pair(1024L, 1024L));
  EXPECT_EQ(fit_size(128, 128, 128 * 128, 16), std::pair(128L, 128L));
  const auto [height, width] = fit_size(3000, 4000, 1024 * 1024, 16);
  EXPECT_EQ(height % 16, 0);
  EXPECT_EQ(width % 16, 0);
  EXPECT_LE(height * width, 1024 * 1024);
  EXPECT_NEAR(static_cast<double>(width) / static_cast<double>(height), 4.0 / 3, 0.03);
}

TEST(Pixels, ComeBack) {
  Picture picture{3, 2, 3, {}};
  for (int i = 0; i < 18; ++i) picture.pixels.push_back(static_cast<std::uint8_t>(i * 14));
  EXPECT_EQ(to_picture(to_tensor(picture)).pixels, picture.pixels);
  Picture clear{1, 1, 4, {10, 20, 30, 0}};
  EXPECT_EQ(to_picture(to_tensor(clear)).pixels, (std::vector<std::uint8_t>{255, 255, 255}));
  EXPECT_EQ(resize_and_crop(to_tensor(picture), 16, 16).size(3), 16);
}

}  // namespace
}  // namespace filigree::image
