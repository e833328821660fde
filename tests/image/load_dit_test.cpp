#include <filesystem>
#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "small_dit.h"
#include "support/expect_error.h"
#include "tensor/folder.h"
#include "tensor/gguf_bytes.h"

/// One transformer from all kinds of files.
namespace filigree::image {
namespace {

using test::largest_difference;
using test::small_output;

constexpr double kSame = 1e-6;

class LoadDit : public test::FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_file(folder / "config.json", to_text(to_json(test::small_dit_config())));
    expected_ = small_output(dit_);
  }

  std::string file(const std::string& name) const { return (folder / name).string(); }

  /// The output of the transformer in a file, loaded whole and streamed.
  void expect_output(const std::string& path, double tolerance) const {
    const at::Tensor whole = small_output(load_dit(path));
    EXPECT_LE(largest_difference(whole, expected_), tolerance) << path;
    DitLoading streamed;
    streamed.stream = true;
    EXPECT_LE(largest_difference(small_output(load_dit(path, streamed)), whole), kSame) << path;
  }

  Dit dit_ = test::small_dit();
  at::Tensor expected_;
};

TEST_F(LoadDit, FolderOfOneFileOrShards) {
  tensor::save(folder / "diffusion_pytorch_model.safetensors", test::named_tensors(dit_));
  expect_output(folder.string(), kSame);
  std::filesystem::remove(folder / "diffusion_pytorch_model.safetensors");
  tensor::save_folder(folder, test::named_tensors(dit_), {.shard_bytes = 100'000});
  EXPECT_TRUE(std::filesystem::exists(folder / "model.safetensors.index.json"));
  expect_output(folder.string(), kSame);
}

TEST_F(LoadDit, SingleFileWithAPrefix) {
  for (const char* prefix : {"model.diffusion_model.", "diffusion_model.", ""}) {
    tensor::NamedTensors tensors = test::named_tensors(dit_, prefix);
    if (*prefix != '\0') tensors.emplace_back("first_stage_model.decoder.conv_in.weight", at::ones({1}));
    tensor::save(file("comfy.safetensors"), tensors);
    expect_output(file("comfy.safetensors"), kSame);
  }
}

TEST_F(LoadDit, Float8WithScales) {
  tensor::NamedTensors tensors;
  tensor::SaveOptions options;
  for (const auto& [name, tensor] : test::named_tensors(dit_)) {
    if (!name.ends_with("attn1.to_q.weight")) {
      tensors.emplace_back(name, tensor);
      continue;
    }
    // Bytes 0 to 119 are 0 … 224 in e4m3; the scale brings them to the size of weights.
    const at::Tensor bytes = at::arange(tensor.numel(), at::kLong).remainder(120).to(at::kByte).view(tensor.sizes());
    tensors.emplace_back(name, bytes);
    tensors.emplace_back(name.substr(0, name.size() - 6) + "scale_weight", at::full({}, 0.001F));
    options.float8[name] = tensor::Float8::e4m3;
    tensor.copy_(tensor::float8_to_float32(bytes, tensor::Float8::e4m3) * 0.001F);
  }
  tensors.emplace_back("scaled_fp8", at::empty({2}, at::kByte));
  tensor::save(file("fp8.safetensors"), tensors, options);
  nn::Parameters parameters = dit_.parameters();
  for (const nn::Parameter& parameter : parameters) {
    for (const auto& [name, tensor] : tensors) {
      if (name == parameter.name && name.ends_with("attn1.to_q.weight")) {
        parameter.value().copy_(tensor::float8_to_float32(tensor, tensor::Float8::e4m3) * 0.001F);
      }
    }
  }
  expected_ = small_output(dit_);
  expect_output(file("fp8.safetensors"), kSame);
}

TEST_F(LoadDit, Gguf) {
  std::vector<test::GgufItem> items;
  for (const auto& [name, tensor] : test::named_tensors(dit_)) {
    test::GgufItem item{name, {}, 0, ""};
    for (std::int64_t axis = tensor.dim() - 1; axis >= 0; --axis) {
      item.fastest_first.push_back(static_cast<std::uint64_t>(tensor.size(axis)));
    }
    item.bytes.assign(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
    items.push_back(item);
  }
  std::ofstream(file("model.gguf"), std::ios::binary) << test::gguf_file(items);
  expect_output(file("model.gguf"), kSame);
}

TEST_F(LoadDit, WhatDoesNotFitIsOneSentence) {
  EXPECT_ERROR(load_dit(file("nothing")), file("nothing") + ": no such file or folder");
  tensor::NamedTensors tensors = test::named_tensors(dit_);
  tensors.front().first = "renamed";
  tensor::save(file("a.safetensors"), tensors);
  const std::string first = test::named_tensors(dit_).front().first;
  const std::string message = file("a.safetensors") +
                              ": its tensors are not those of the model, so nothing was loaded; 1 missing: " + first +
                              "; 1 unexpected: renamed";
  EXPECT_ERROR(load_dit(file("a.safetensors")), message);
  DitLoading streamed;
  streamed.stream = true;
  EXPECT_ERROR(load_dit(file("a.safetensors"), streamed), message);
  // A Llama of another width than the config says.
  tensors = test::named_tensors(dit_);
  for (auto& [name, tensor] : tensors) {
    if (name == "caption_projection.0.linear.weight") tensor = at::zeros({16, 14});
  }
  tensor::save(file("b.safetensors"), tensors);
  EXPECT_ERROR(load_dit(file("b.safetensors")),
               file("b.safetensors") +
                   ": its tensors are not those of the model, so nothing was loaded; 1 of another "
                   "shape: caption_projection.0.linear.weight has [16, 14], expected [16, 10]");
  std::filesystem::remove(folder / "config.json");
  EXPECT_ERROR(load_dit(folder.string()),
               folder.string() + ": has no config.json; a transformer's folder holds config.json and safetensors");
}

TEST_F(LoadDit, MoreThanTheMachineHasIsRefused) {
  tensor::save(file("a.safetensors"), test::named_tensors(dit_));
  // Weights of 2 PB, as the config says.
  spec::Dit huge = test::small_dit_config();
  huge.attention_head_dim = 1 << 20;
  huge.axes_dims_rope = {1 << 20, 0, 0};
  write_file(folder / "config.json", to_text(to_json(huge)));
  try {
    load_dit(file("a.safetensors"));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with(file("a.safetensors") + ": its weights take ")) << message;
    EXPECT_TRUE(message.ends_with(" of memory; bring them from the file when they are needed (--stream)")) << message;
  }
}

}  // namespace
}  // namespace filigree::image
