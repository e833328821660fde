#include <filesystem>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "encoders/clip.h"
#include "encoders/llama.h"
#include "encoders/t5.h"
#include "encoders/tokens.h"
#include "support/paths.h"

/// What the four text encoders of the HiDream case give, in float32. All sizes come from the case's files.
namespace filigree::encoders {
namespace {

namespace fs = std::filesystem;

constexpr double kStates = 1e-4;  // absolute: float32 sums in another order

double furthest(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() ? (a - b).abs().max().item<double>() : INFINITY;
}

class EncodersReference : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(test::reference_dir()) / "hidream";
    if (!fs::is_directory(folder_)) GTEST_SKIP() << "no reference case at " << folder_.string();
    const Json values = load_json(folder_ / "case.json");
    length_ = values.at("max_sequence_length").get<std::int64_t>();
    texts_ = {values.at("prompt").get<std::string>(), values.at("negative_prompt").get<std::string>()};
    reference_.emplace(tensor::SafeTensors::open(folder_ / "reference.safetensors"));
  }

  /// The case's prompt and negative prompt, one behind the other on the axis of the batch.
  at::Tensor reference(const std::string& name, std::int64_t axis = 0) const {
    return at::cat({reference_->get("embeds." + name), reference_->get("embeds.negative_" + name)}, axis);
  }

  Tokens tokens(const fs::path& tokenizer, std::int64_t length) const {
    return tokenize(text::load_tokenizer(tokenizer), texts_, length);
  }

  fs::path folder_;
  std::int64_t length_ = 0;
  std::vector<std::string> texts_;
  std::optional<tensor::SafeTensors> reference_;
  c10::NoGradGuard no_grad_;
};

TEST_F(EncodersReference, ClipPooled) {
  std::vector<at::Tensor> pooled;
  for (const std::string number : {"", "_2"}) {
    const ClipText clip(folder_ / "model" / ("text_encoder" + number), at::kFloat);
    const Tokens ids = tokens(folder_ / "model" / ("tokenizer" + number), std::min(length_, clip.positions()));
    pooled.push_back(clip(ids.ids_BT));
    EXPECT_EQ(pooled.back().size(1), clip.projected());
  }
  EXPECT_LE(furthest(at::cat(pooled, -1), reference("pooled")), kStates);
}

TEST_F(EncodersReference, T5) {
  const T5Encoder t5(folder_ / "model" / "text_encoder_3", at::kFloat);
  const Tokens ids = tokens(folder_ / "model" / "tokenizer_3", length_);
  EXPECT_LE(furthest(t5(ids.ids_BT, ids.mask_BT), reference("t5")), kStates);
}

TEST_F(EncodersReference, Llama) {
  const LlamaEncoder llama(folder_ / "llama", at::kFloat);
  const Tokens ids = tokens(folder_ / "llama", length_);
  EXPECT_LE(furthest(llama(ids.ids_BT, ids.mask_BT), reference("llama", 1)), kStates);
}

}  // namespace
}  // namespace filigree::encoders
