#include "image/init.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "image/autoencoder.h"
#include "image/dit.h"
#include "image/prompts.h"
#include "support/expect_error.h"
#include "tensor/folder.h"
#include "text/tokenizer.h"

namespace filigree::image {
namespace {

class Init : public test::FolderTest {};

TEST_F(Init, TinyPipelineGoesFromTextToPicture) {
  const c10::NoGradGuard no_grad;
  write_tiny_pipeline(folder, 0);
  const Dit dit = load_dit((folder / "transformer").string());
  EncodeSettings settings;
  settings.sizes = {dit.config().caption_channels[0], dit.config().caption_channels[1], dit.config().text_emb_dim, 3};
  const EncodedPrompts prompts = encode_prompts({folder, folder / "llama"}, {{"a red fox in the snow"}}, settings);
  EXPECT_TRUE(prompts.warnings.empty());
  const at::Tensor latents = at::randn({1, 16, 32, 32});
  const at::Tensor out = dit(latents, at::tensor({500.0}), prompts.conditioning);
  EXPECT_EQ(out.sizes(), latents.sizes());
  EXPECT_TRUE(out.isfinite().all().item<bool>());
  const Autoencoder autoencoder = load_autoencoder((folder / "vae").string());
  const at::Tensor image = autoencoder.decode(autoencoder.from_model(latents));
  EXPECT_EQ(image.sizes(), (std::vector<std::int64_t>{1, 3, 256, 256}));
  EXPECT_TRUE(image.isfinite().all().item<bool>());
  EXPECT_EQ(load_dit((folder / "edit_transformer").string()).max_seq, 512);
  // Another prompt has other features.
  const EncodedPrompts other = encode_prompts({folder, folder / "llama"}, {{"a blue lake at night"}}, settings);
  EXPECT_FALSE(at::allclose(dit(latents, at::tensor({500.0}), other.conditioning), out));
}

TEST_F(Init, TokenizersGoThereAndBack) {
  write_tiny_pipeline(folder, 0);
  for (const char* name : {"tokenizer", "tokenizer_2", "tokenizer_3", "llama"}) {
    const text::Tokenizer tokenizer = text::load_tokenizer(folder / name);
    const auto words = tokenizer.encode("a red fox"), letters = tokenizer.encode("qzx");
    EXPECT_EQ(tokenizer.decode(words), "a red fox") << name;
    EXPECT_EQ(tokenizer.decode(letters), "qzx") << name;
    EXPECT_LE(words.size(), 5U) << name << ": common words are one token";
  }
}

TEST_F(Init, SeedsRepeatAndDiffer) {
  write_tiny_pipeline(folder / "a", 5);
  write_tiny_pipeline(folder / "b", 5);
  write_tiny_pipeline(folder / "c", 6);
  const std::string file = "transformer/diffusion_pytorch_model.safetensors";
  EXPECT_EQ(read_file(folder / "a" / file), read_file(folder / "b" / file));
  EXPECT_NE(read_file(folder / "a" / file), read_file(folder / "c" / file));
}

TEST_F(Init, NothingIsWrittenOver) {
  write_file(folder / "mine.txt", "x");
  EXPECT_ERROR(write_tiny_pipeline(folder, 0),
               folder.string() + ": is not empty; give a folder that is, or a name that is free");
  EXPECT_ERROR(write_random_transformer(folder / "mine.txt", 0, {}),
               (folder / "mine.txt").string() + ": is a file, expected a folder or a name that is free");
}

}  // namespace
}  // namespace filigree::image
