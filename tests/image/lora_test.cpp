#include "image/lora.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "small_dit.h"
#include "support/expect_error.h"
#include "tensor/folder.h"

namespace filigree::image {
namespace {

using test::normal_numbers;

constexpr const char* kFirst = "double_stream_blocks.0.block.attn1.to_q";
constexpr const char* kSecond = "single_stream_blocks.1.block.ff_i.experts.2.w1";

class Lora : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    base_ = file("base.safetensors");
    tensor::save(base_, test::named_tensors(dit_));
  }

  std::string file(const std::string& name) const { return (folder / name).string(); }

  at::Tensor read(const tensor::WeightSource& source, const std::string& name) const {
    at::Tensor out = at::empty(source.shape(name));
    source.read(name, out);
    return out;
  }

  /// The weights with the files' changes.
  std::shared_ptr<const tensor::WeightSource> with(const std::vector<LoraFile>& files) const {
    return with_loras(tensor::open_weights(base_), files);
  }

  Dit dit_ = test::small_dit();
  std::string base_;
  const at::Tensor down_ = normal_numbers({4, 16}, 1), up_ = normal_numbers({16, 4}, 2);
  const at::Tensor wide_up_ = normal_numbers({256, 4}, 3);
};

TEST_F(Lora, AllSpellingsOfNames) {
  const at::Tensor before = read(*tensor::open_weights(base_), std::string(kFirst) + ".weight");
  const at::Tensor expected = before + 0.5 * at::mm(up_, down_);
  std::string flat = kFirst;
  std::replace(flat.begin(), flat.end(), '.', '_');
  const std::string dotted = kFirst;
  for (const auto& [down, up] : {std::pair<std::string, std::string>{".lora_A.weight", ".lora_B.weight"},
                                 {".lora_down.weight", ".lora_up.weight"},
                                 {".lora_A.default.weight", ".lora_B.default.weight"}}) {
    for (const std::string& module :
         {"transformer." + dotted, "diffusion_model." + dotted, "model.diffusion_model." + dotted, dotted,
          "lycoris_" + flat, "lora_transformer_" + flat, "lora_unet_" + flat}) {
      tensor::save(file("lora.safetensors"), {{module + down, down_}, {module + up, up_}});
      const auto source = with({{file("lora.safetensors"), 0.5}});
      EXPECT_LE(test::largest_difference(read(*source, dotted + ".weight"), expected), 1e-5) << module << down;
      EXPECT_TRUE(at::equal(read(*source, std::string(kSecond) + ".weight"),
                            read(*tensor::open_weights(base_), std::string(kSecond) + ".weight")));
    }
  }
}

TEST_F(Lora, AlphaStrengthSeveralAndWholeTensors) {
  const std::string first = std::string(kFirst) + ".weight", second = std::string(kSecond) + ".weight";
  const at::Tensor bias = at::full({16}, 3.0F);
  tensor::save(file("a.safetensors"), {{"transformer." + std::string(kFirst) + ".lora_A.weight", down_},
                                       {"transformer." + std::string(kFirst) + ".lora_B.weight", up_},
                                       {"transformer." + std::string(kFirst) + ".alpha", at::full({}, 2.0F)},
                                       {"text_encoder.x.lora_A.weight", down_}});
  tensor::save(file("b.safetensors"), {{"diffusion_model." + std::string(kFirst) + ".lora_down.weight", down_},
                                       {"diffusion_model." + std::string(kFirst) + ".lora_up.weight", up_},
                                       {"diffusion_model." + std::string(kSecond) + ".lora_down.weight", down_},
                                       {"diffusion_model." + std::string(kSecond) + ".lora_up.weight", wide_up_},
                                       {"transformer." + std::string(kFirst) + ".bias", bias}});
  const auto plain = tensor::open_weights(base_);
  const auto source = with({{file("a.safetensors"), 1.0}, {file("b.safetensors"), -0.5}});
  const at::Tensor product = at::mm(up_, down_);
  EXPECT_LE(test::largest_difference(read(*source, first), read(*plain, first) + (2.0 / 4 - 0.5) * product), 1e-5);
  EXPECT_LE(test::largest_difference(read(*source, second), read(*plain, second) - 0.5 * at::mm(wide_up_, down_)),
            1e-5);
  const at::Tensor old_bias = read(*plain, std::string(kFirst) + ".bias");
  EXPECT_LE(test::largest_difference(read(*source, std::string(kFirst) + ".bias"), old_bias - 0.5 * (bias - old_bias)),
            1e-5);
  EXPECT_EQ(source->bytes(first), plain->bytes(first));
}

TEST_F(Lora, ChangesTheTransformerWholeAndStreamed) {
  write_file(folder / "config.json", to_text(to_json(test::small_dit_config())));
  tensor::save(file("a.safetensors"), {{"transformer." + std::string(kFirst) + ".lora_A.weight", down_},
                                       {"transformer." + std::string(kFirst) + ".lora_B.weight", up_}});
  DitLoading loading;
  loading.loras = {{file("a.safetensors"), 1.0}};
  const at::Tensor whole = test::small_output(load_dit(base_, loading));
  EXPECT_GT(test::largest_difference(whole, test::small_output(load_dit(base_))), 1e-4);
  loading.stream = true;
  EXPECT_LE(test::largest_difference(test::small_output(load_dit(base_, loading)), whole), 1e-6);
  loading.loras = {{file("a.safetensors"), 0.0}};
  EXPECT_LE(test::largest_difference(test::small_output(load_dit(base_, loading)), test::small_output(load_dit(base_))),
            1e-6);
}

TEST_F(Lora, WhatDoesNotFitIsOneSentence) {
  const std::string module = "transformer." + std::string(kFirst);
  tensor::save(file("a.safetensors"), {{"unet.down.lora_A.weight", down_}, {"unet.down.lora_B.weight", up_}});
  EXPECT_ERROR(with({{file("a.safetensors"), 1.0}}),
               file("a.safetensors") +
                   ": changes no weight of this model; it is made for another one (its first tensor "
                   "is 'unet.down.lora_A.weight')");
  tensor::save(file("b.safetensors"), {{module + ".lora_A.weight", down_}});
  EXPECT_ERROR(with({{file("b.safetensors"), 1.0}}), file("b.safetensors") +
                                                         ": has only one half of the pair that changes '" + kFirst +
                                                         ".weight' ('" + module + ".lora_A.weight')");
  tensor::save(file("c.safetensors"),
               {{module + ".lora_A.weight", normal_numbers({4, 12}, 1)}, {module + ".lora_B.weight", up_}});
  EXPECT_ERROR(with({{file("c.safetensors"), 1.0}}),
               file("c.safetensors") + ": '" + module + ".lora_B.weight' has [16, 4] and '" + module +
                   ".lora_A.weight' has [4, 12], which do not make up the model's [16, 16]");
  tensor::save(file("d.safetensors"), {{module + ".bias", at::ones({3})}});
  EXPECT_ERROR(with({{file("d.safetensors"), 1.0}}),
               file("d.safetensors") + ": '" + module + ".bias' has [3], but the model's has [16]");
  EXPECT_ERROR(with({{file("nothing.safetensors"), 1.0}}), file("nothing.safetensors") + ": no such file or folder");
}

}  // namespace
}  // namespace filigree::image
