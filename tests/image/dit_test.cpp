#include <map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/cancel.h"
#include "image/dit.h"
#include "small_dit.h"
#include "spec/count.h"
#include "spec/hf_config.h"
#include "support/expect_error.h"

namespace filigree::image {
namespace {

spec::Dit published() { return std::get<spec::Dit>(spec::load_model("hidream-i1")); }

TEST(Dit, NamesAndShapesOfThePublishedModel) {
  const spec::Dit config = published();
  // Tensors without memory: 17 billion numbers would not fit.
  Dit dit(config, at::TensorOptions().device(at::kMeta));
  std::map<std::string, std::vector<std::int64_t>> ours, counted;
  for (const nn::Parameter& parameter : dit.parameters()) {
    EXPECT_TRUE(ours.emplace(parameter.name, parameter.value().sizes().vec()).second) << parameter.name;
  }
  for (const spec::TensorInfo& info : spec::dit_tensors(config)) counted[info.name] = info.shape;
  EXPECT_EQ(ours.size(), 1615U);
  EXPECT_EQ(ours, counted);
  EXPECT_EQ(nn::count_numbers(dit.parameters()), 17'105'733'184);
  EXPECT_EQ(dit.max_seq, 4096);
}

TEST(Dit, PlainAttentionIsTheFusedOne) {
  const c10::NoGradGuard no_grad;
  const at::Tensor q = test::normal_numbers({2, 3, 7, 8}, 1), k = test::normal_numbers({2, 3, 9, 8}, 2),
                   v = test::normal_numbers({2, 3, 9, 8}, 3);
  const at::Tensor bias = test::normal_numbers({9}, 4);
  EXPECT_LE(test::largest_difference(attend_all(q, k, v, {}), attend_all_plain(q, k, v, {})), 1e-5);
  EXPECT_LE(test::largest_difference(attend_all(q, k, v, bias), attend_all_plain(q, k, v, bias)), 1e-5);
  // In pieces: more scores than are held at once.
  const at::Tensor q_long = test::normal_numbers({1, 1, 5000, 4}, 5), k_long = test::normal_numbers({1, 1, 5000, 4}, 6);
  const at::Tensor pieces = attend_all_plain(q_long, k_long, k_long, {});
  const at::Tensor part = attend_all_plain(q_long.narrow(2, 4000, 10), k_long, k_long, {});
  EXPECT_LE(test::largest_difference(pieces.narrow(2, 4000, 10), part), 1e-5);
}

TEST(Dit, OneRowOfPaddingStandsForAll) {
  const c10::NoGradGuard no_grad;
  Dit dit = test::small_dit();
  const at::Tensor timestep = at::tensor({100.0, 700.0});
  for (const auto& [height, width] : {std::pair{4, 8}, {8, 6}, {2, 4}}) {
    const at::Tensor latents = test::normal_numbers({2, 4, height, width}, 5);
    dit.options.padding = Padding::one_row;
    const at::Tensor one = dit(latents, timestep, test::small_texts(2));
    dit.options.repeat_pad_keys = true;
    EXPECT_LE(test::largest_difference(dit(latents, timestep, test::small_texts(2)), one), 2e-5);
    dit.options.repeat_pad_keys = false;
    EXPECT_LE(test::largest_difference(dit(latents, timestep, test::small_texts(2)), one), 2e-5);
    dit.options.padding = Padding::all_rows;
    EXPECT_LE(test::largest_difference(dit(latents, timestep, test::small_texts(2)), one), 2e-5);
    dit.options.padding = Padding::none;
    EXPECT_GT(test::largest_difference(dit(latents, timestep, test::small_texts(2)), one), 1e-3);
  }
}

TEST(Dit, GradientsThroughPaddingAndSavings) {
  const at::Tensor latents = test::normal_numbers({2, 4, 8, 6}, 5), timestep = at::tensor({100.0, 700.0});
  const auto gradients = [&](const DitOptions& options) {
    Dit dit = test::small_dit();
    dit.options = options;
    const nn::Parameters parameters = dit.parameters();
    nn::record_gradients(parameters);
    dit(latents, timestep, test::small_texts(2)).square().mean().backward();
    std::vector<at::Tensor> out;
    for (const nn::Parameter& parameter : parameters) {
      const at::Tensor gradient = parameter.gradient();
      out.push_back(gradient.defined() ? gradient : at::zeros_like(parameter.value()));
    }
    return out;
  };
  DitOptions plain;
  plain.padding = Padding::all_rows;
  plain.skip_discarded = false;
  const std::vector<at::Tensor> expected = gradients(plain);
  for (const bool repeat : {false, true}) {
    DitOptions fast;
    fast.repeat_pad_keys = repeat;
    const std::vector<at::Tensor> found = gradients(fast);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double size = expected[i].abs().max().item<double>();
      EXPECT_LE(test::largest_difference(found[i], expected[i]), 1e-4 * size + 1e-6) << i;
    }
  }
}

TEST(Dit, SavingsChangeNothing) {
  const c10::NoGradGuard no_grad;
  Dit dit = test::small_dit();
  const at::Tensor latents = test::normal_numbers({1, 4, 8, 8}, 5), timestep = at::tensor({300.0});
  const at::Tensor on = dit(latents, timestep, test::small_texts(1));
  dit.options.skip_discarded = false;
  EXPECT_LE(test::largest_difference(dit(latents, timestep, test::small_texts(1)), on), 2e-5);
}

TEST(Dit, TextsOfABatchDoNotMix) {
  const c10::NoGradGuard no_grad;
  const Dit dit = test::small_dit();
  const at::Tensor latents = test::normal_numbers({2, 4, 8, 8}, 5);
  const Conditioning texts = test::small_texts(2);
  const at::Tensor both = dit(latents, at::tensor({300.0, 20.0}), texts);
  const Conditioning second{texts.t5_BTC.narrow(0, 1, 1), texts.llama_LBTC.narrow(1, 1, 1),
                            texts.pooled_BP.narrow(0, 1, 1)};
  EXPECT_LE(test::largest_difference(dit(latents.narrow(0, 1, 1), at::tensor({20.0}), second), both.narrow(0, 1, 1)),
            2e-5);
}

TEST(Dit, CancelledWithinAStepGivesNothing) {
  const c10::NoGradGuard no_grad;
  Dit dit = test::small_dit();
  const at::Tensor latents = test::normal_numbers({1, 4, 8, 8}, 5), timestep = at::tensor({300.0});
  request_cancel();
  EXPECT_TRUE(dit(latents, timestep, test::small_texts(1)).defined()) << "only where it is asked for";
  dit.options.cancel_within_step = true;
  EXPECT_FALSE(dit(latents, timestep, test::small_texts(1)).defined());
  reset_cancel();
  EXPECT_TRUE(dit(latents, timestep, test::small_texts(1)).defined());
}

TEST(Dit, WrongInputsAreOneSentence) {
  const c10::NoGradGuard no_grad;
  const Dit dit = test::small_dit();
  const at::Tensor latents = test::normal_numbers({1, 4, 8, 8}, 5), timestep = at::tensor({300.0});
  Conditioning texts = test::small_texts(1);
  texts.llama_LBTC = test::normal_numbers({2, 1, 5, 16}, 1);
  EXPECT_ERROR(dit(latents, timestep, texts),
               "Llama's features have the shape [2, 1, 5, 16], but this transformer expects 4 axes with 10 channels at "
               "the end");
  texts.llama_LBTC = test::normal_numbers({1, 1, 5, 10}, 1);
  EXPECT_ERROR(dit(latents, timestep, texts),
               "Llama gives the features of 1 layers, but this transformer asks for those of layer 1 (counted from 0)");
  texts.llama_LBTC = test::normal_numbers({2, 3, 5, 10}, 1);
  EXPECT_ERROR(dit(latents, timestep, texts),
               "the text features are of 1 (T5), 3 (Llama) and 1 (CLIP) texts; expected equally many");
  texts = test::small_texts(1);
  texts.t5_BTC = at::Tensor();
  EXPECT_ERROR(dit(latents, timestep, texts), "the conditioning has no T5's features");
  EXPECT_ERROR(
      dit(test::normal_numbers({1, 4, 7, 8}, 5), timestep, test::small_texts(1)),
      "latents have the shape [1, 4, 7, 8], expected (batch, 4, height, width) with height and width multiples "
      "of 2");
  EXPECT_ERROR(dit(test::normal_numbers({1, 4, 8, 16}, 5), timestep, test::small_texts(1)),
               "latents of 4x8 patches are 32 image tokens, but this transformer pads sizes that are not square to 16; "
               "take a smaller or a square size, or no padding");
  EXPECT_ERROR(dit(test::normal_numbers({3, 4, 8, 8}, 5), timestep, test::small_texts(1)),
               "latents are of 3 pictures, but the texts of 1");
  EXPECT_ERROR(dit.prepare(test::small_texts(1), test::normal_numbers({2, 3}, 1)),
               "timesteps have the shape [2, 3], expected (steps) or (steps, 1)");
}

TEST(Dit, ContradictoryConfigsAreOneSentence) {
  spec::Dit config = test::small_dit_config();
  config.llama_layers = {0};
  EXPECT_ERROR(Dit{config}, "the transformer's config has 1 llama_layers for 3 blocks, expected one for each");
  config = test::small_dit_config();
  config.axes_dims_rope = {4, 2, 4};
  EXPECT_ERROR(Dit{config},
               "the transformer's axes_dims_rope must be three even numbers that add up to attention_head_dim = 8");
  config = test::small_dit_config();
  config.caption_channels = {6};
  EXPECT_ERROR(Dit{config}, "the transformer's config has 1 caption_channels, expected 2 (T5, Llama)");
  config = test::small_dit_config();
  config.num_activated_experts = 4;
  EXPECT_ERROR(Dit{config}, "the transformer's config activates 4 of 3 experts");
  config = test::small_dit_config();
  config.num_layers = config.num_single_layers = 0;
  EXPECT_ERROR(Dit{config}, "the transformer's config has no blocks: num_layers and num_single_layers are 0");
  config = test::small_dit_config();
  config.max_resolution = {8};
  EXPECT_ERROR(Dit{config}, "the transformer's max_resolution must be two numbers");
}

}  // namespace
}  // namespace filigree::image
