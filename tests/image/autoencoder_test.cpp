#include "image/autoencoder.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "image/tiles.h"
#include "support/expect_error.h"
#include "tensor/folder.h"
#include "tensor/safetensors.h"

namespace filigree::image {
namespace {

Json small_config() {
  return {{"_class_name", "AutoencoderKL"}, {"block_out_channels", {4, 8}}, {"latent_channels", 2},
          {"layers_per_block", 1},          {"norm_num_groups", 2},         {"scaling_factor", 0.5},
          {"shift_factor", 0.25},           {"use_quant_conv", true},       {"use_post_quant_conv", true}};
}

Autoencoder small() {
  Autoencoder autoencoder(autoencoder_from_json(small_config(), "small"));
  at::manual_seed(1);
  for (const nn::Parameter& parameter : autoencoder.parameters()) {
    if (parameter.value().dim() > 1) parameter.value().normal_(0, 0.2);
  }
  return autoencoder;
}

double furthest(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Tiles, PartsThatSeeOnlyTheirCellsGiveTheWhole) {
  const at::Tensor x = at::arange(2 * 3 * 37 * 53, at::kFloat).view({2, 3, 37, 53});
  const auto twice = [](const at::Tensor& t) { return at::upsample_nearest2d(t, {2 * t.size(2), 2 * t.size(3)}); };
  const auto half = [](const at::Tensor& t) { return at::avg_pool2d(t, {2, 2}); };
  for (const auto& [size, overlap] : {std::pair{16, 4}, {16, 0}, {10, 9}, {50, 2}, {0, 0}}) {
    const TileGrid grid{size, overlap};
    EXPECT_LE(furthest(in_tiles(x, grid, 2, 1, twice), twice(x)), 1e-2) << size;
    if (overlap % 2 != 0) continue;
    const at::Tensor even = x.narrow(2, 0, 36).narrow(3, 0, 52);
    EXPECT_LE(furthest(in_tiles(even, grid, 1, 2, half), half(even)), 1e-2) << size;
  }
  EXPECT_TRUE(at::equal(in_tiles(x, {64, 8}, 1, 1, [](const at::Tensor& t) { return t; }), x)) << "one tile";
}

TEST(Tiles, SizesThatDoNotFit) {
  EXPECT_EQ(tile_grid({.size = 64}, 8, 1).overlap, 2) << "a quarter";
  EXPECT_EQ(tile_grid({.size = 64, .overlap = 8}, 8, 8).size, 64);
  EXPECT_ERROR(tile_grid({.size = 60}, 8, 1),
               "tiles of 60 pixels that overlap by 8 cannot be used; both must be multiples of 8, the overlap smaller "
               "than the tile");
  EXPECT_ERROR(tile_grid({.size = 64, .overlap = 64}, 8, 1),
               "tiles of 64 pixels that overlap by 64 cannot be used; both must be multiples of 8, the overlap smaller "
               "than the tile");
}

TEST(Autoencoder, ShapesAndScales) {
  const c10::NoGradGuard no_grad;
  const Autoencoder autoencoder = small();
  const at::Tensor image = at::randn({2, 3, 12, 16});
  const Moments moments = autoencoder.encode(image);
  EXPECT_EQ(moments.mean_BCHW.sizes(), (std::vector<std::int64_t>{2, 2, 6, 8}));
  EXPECT_EQ(autoencoder.decode(moments.mean_BCHW).sizes(), image.sizes());
  EXPECT_LE(furthest(autoencoder.from_model(autoencoder.to_model(moments.mean_BCHW)), moments.mean_BCHW), 1e-6);
  EXPECT_LE(furthest(autoencoder.to_model(moments.mean_BCHW), (moments.mean_BCHW - 0.25) * 0.5), 1e-6);
}

TEST(Autoencoder, WrongInputsAreOneSentence) {
  const Autoencoder autoencoder = small();
  EXPECT_ERROR(autoencoder.encode(at::zeros({1, 3, 11, 16})),
               "the autoencoder is given a picture of shape [1, 3, 11, 16], expected (batch, 3, height, width) with "
               "height and width multiples of 2");
  EXPECT_ERROR(autoencoder.decode(at::zeros({1, 4, 6, 8})),
               "the autoencoder is given latents of shape [1, 4, 6, 8], expected (batch, 2, height, width)");
}

TEST(Autoencoder, WrongConfigsAreOneSentence) {
  const auto with = [](const char* key, const Json& value) {
    Json config = small_config();
    config[key] = value;
    return autoencoder_from_json(config, "c.json");
  };
  EXPECT_ERROR(autoencoder_from_json(Json::array(), "c.json"), "c.json: is no JSON object");
  EXPECT_ERROR(with("_class_name", "AutoencoderTiny"), "c.json: is a \"AutoencoderTiny\", expected an AutoencoderKL");
  EXPECT_ERROR(with("act_fn", "relu"), "c.json: act_fn is \"relu\", expected silu");
  EXPECT_ERROR(with("down_block_types", Json::array({"AttnDownBlock2D"})),
               "c.json: down_block_types has \"AttnDownBlock2D\", which cannot be run; expected DownEncoderBlock2D");
  EXPECT_ERROR(with("latent_channels", 0), "c.json: latent_channels is 0, expected a whole number above 0");
  EXPECT_ERROR(with("shift_factor", "x"), "c.json: shift_factor is \"x\", expected a number");
  EXPECT_ERROR(with("scaling_factor", 0), "c.json: scaling_factor is 0");
  EXPECT_ERROR(with("use_quant_conv", 1), "c.json: use_quant_conv is 1, expected true or false");
  EXPECT_ERROR(with("block_out_channels", Json::array()),
               "c.json: has no list block_out_channels, the channels of each resolution");
  EXPECT_ERROR(with("block_out_channels", Json::array({4, 7})),
               "c.json: block_out_channels has 7, expected multiples of norm_num_groups = 2");
}

class AutoencoderFolder : public test::FolderTest {};

TEST_F(AutoencoderFolder, SavedAndLoaded) {
  const c10::NoGradGuard no_grad;
  Autoencoder autoencoder = small();
  tensor::NamedTensors tensors;
  for (const nn::Parameter& parameter : autoencoder.parameters()) {
    tensors.emplace_back(parameter.name, parameter.value());
  }
  write_file(folder / "config.json", to_text(small_config()));
  tensor::save(folder / "diffusion_pytorch_model.safetensors", tensors);
  const at::Tensor latents = at::randn({1, 2, 6, 8});
  EXPECT_TRUE(at::equal(load_autoencoder(folder.string()).decode(latents), autoencoder.decode(latents)));
  const std::string file = (folder / "diffusion_pytorch_model.safetensors").string();
  const std::string lost = tensors.back().first;
  tensors.pop_back();
  tensor::save(file, tensors);
  EXPECT_ERROR(load_autoencoder(folder.string()),
               file + ": its tensors are not those of the model, so nothing was loaded; 1 missing: " + lost);
  EXPECT_ERROR(load_autoencoder(file),
               file + ": is no folder; an autoencoder is a folder with config.json and safetensors");
}

}  // namespace
}  // namespace filigree::image
