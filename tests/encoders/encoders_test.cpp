#include <cmath>
#include <filesystem>
#include <numbers>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "encoders/clip.h"
#include "encoders/llama.h"
#include "encoders/t5.h"
#include "encoders/tokens.h"
#include "support/expect_error.h"
#include "tensor/safetensors.h"
#include "text/build.h"

namespace filigree::encoders {
namespace {

namespace fs = std::filesystem;

/// Published values of T5's buckets: of 32, 16 a side, 8 of them for one distance each.
TEST(T5Encoder, DistanceBuckets) {
  EXPECT_EQ(distance_bucket(0, 32, 128), 0);
  EXPECT_EQ(distance_bucket(-1, 32, 128), 1);
  EXPECT_EQ(distance_bucket(1, 32, 128), 17);
  EXPECT_EQ(distance_bucket(-7, 32, 128), 7);
  EXPECT_EQ(distance_bucket(-8, 32, 128), 8);
  EXPECT_EQ(distance_bucket(8, 32, 128), 24);
  EXPECT_EQ(distance_bucket(-127, 32, 128), 15);
  EXPECT_EQ(distance_bucket(-5000, 32, 128), 15);
  EXPECT_EQ(distance_bucket(5000, 32, 128), 31);
  for (std::int64_t distance = 1; distance < 200; ++distance) {
    EXPECT_GE(distance_bucket(-distance - 1, 32, 128), distance_bucket(-distance, 32, 128));
  }
}

/// Llama 3.1: quick rotations stay, slow ones are divided by the factor, and between the two it is monotonous.
TEST(LlamaEncoder, StretchedRotations) {
  const RopeScaling scaling{8, 1, 4, 8192};
  const at::Tensor plain = rotary_frequencies(128, 5e5, {}), stretched = rotary_frequencies(128, 5e5, scaling);
  for (std::int64_t i = 0; i < 64; ++i) {
    const double f = plain[i].item<double>(), g = stretched[i].item<double>();
    EXPECT_NEAR(f, std::pow(5e5, -static_cast<double>(i) / 64), 1e-12);
    const double wavelength = 2 * std::numbers::pi / f;
    if (wavelength < 8192.0 / 4) {
      EXPECT_EQ(g, f) << i;
    } else if (wavelength > 8192.0) {
      EXPECT_NEAR(g, f / 8, 1e-15) << i;
    }
    if (i > 0) {
      EXPECT_LT(g, stretched[i - 1].item<double>());
    }
  }
}

/// Small encoders with random weights, in a folder of one test.
class Encoders : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("filigree_encoders_") + info->name());
    fs::create_directories(folder_);
    at::manual_seed(1);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const Json& config, const tensor::NamedTensors& tensors) const {
    write_file(folder_ / "config.json", to_text(config));
    tensor::save(folder_ / "model.safetensors", tensors);
  }

  Json llama_config() const {
    return {{"model_type", "llama"}, {"hidden_size", 8},       {"num_attention_heads", 2}, {"num_key_value_heads", 1},
            {"vocab_size", 11},      {"intermediate_size", 6}, {"num_hidden_layers", 2},   {"rope_theta", 1000.0}};
  }

  static tensor::NamedTensors llama_weights() {
    tensor::NamedTensors tensors{{"model.embed_tokens.weight", at::randn({11, 8})}, {"model.norm.weight", at::ones(8)}};
    for (const std::string layer : {"model.layers.0.", "model.layers.1."}) {
      tensors.emplace_back(layer + "input_layernorm.weight", at::rand(8));
      tensors.emplace_back(layer + "post_attention_layernorm.weight", at::rand(8));
      tensors.emplace_back(layer + "self_attn.q_proj.weight", at::randn({8, 8}));
      tensors.emplace_back(layer + "self_attn.k_proj.weight", at::randn({4, 8}));
      tensors.emplace_back(layer + "self_attn.v_proj.weight", at::randn({4, 8}));
      tensors.emplace_back(layer + "self_attn.o_proj.weight", at::randn({8, 8}));
      tensors.emplace_back(layer + "mlp.gate_proj.weight", at::randn({6, 8}));
      tensors.emplace_back(layer + "mlp.up_proj.weight", at::randn({6, 8}));
      tensors.emplace_back(layer + "mlp.down_proj.weight", at::randn({8, 6}));
    }
    return tensors;
  }

  fs::path folder_;
  c10::NoGradGuard no_grad_;
};

/// What is masked or comes later changes nothing at the places before.
TEST_F(Encoders, LlamaSeesWhatItMay) {
  write(llama_config(), llama_weights());
  const LlamaEncoder llama(folder_, at::kFloat);
  EXPECT_EQ(llama.layers(), 2);
  const at::Tensor ids = at::tensor(std::vector<std::int64_t>{1, 2, 3, 4, 5}).unsqueeze(0);
  const at::Tensor mask = at::tensor(std::vector<int>{1, 1, 1, 0, 0}).to(at::kBool).unsqueeze(0);
  const at::Tensor states = llama(ids, mask);
  EXPECT_EQ(states.sizes(), at::IntArrayRef({2, 1, 5, 8}));
  const at::Tensor other = llama(at::tensor(std::vector<std::int64_t>{1, 2, 3, 9, 9}).unsqueeze(0), mask);
  EXPECT_TRUE(at::allclose(states.narrow(2, 0, 3), other.narrow(2, 0, 3)));
  // The last state is behind the norm: its mean square is 1.
  EXPECT_NEAR(states[1].square().mean(-1).mean().item<double>(), 1, 1e-3);
}

/// Rotary settings of older configs (rope_scaling) are those of newer ones (rope_parameters).
TEST_F(Encoders, BothFormsOfRotarySettings) {
  const tensor::NamedTensors weights = llama_weights();
  const at::Tensor ids = at::arange(8).unsqueeze(0), mask = at::ones({1, 8}, at::kBool);
  Json older = llama_config(), newer = llama_config();
  Json rope = {{"rope_type", "llama3"},
               {"factor", 8.0},
               {"low_freq_factor", 1.0},
               {"high_freq_factor", 4.0},
               {"original_max_position_embeddings", 16}};
  older["rope_scaling"] = rope;
  rope["rope_theta"] = 1000.0;
  newer.erase("rope_theta");
  newer["rope_parameters"] = rope;
  write(older, weights);
  const at::Tensor first = LlamaEncoder(folder_, at::kFloat)(ids, mask);
  write(newer, weights);
  EXPECT_TRUE(at::equal(first, LlamaEncoder(folder_, at::kFloat)(ids, mask)));
  write(llama_config(), weights);
  EXPECT_FALSE(at::allclose(first, LlamaEncoder(folder_, at::kFloat)(ids, mask)));
}

TEST_F(Encoders, WrongLlamas) {
  const std::string where = (folder_ / "config.json").string();
  const auto with = [&](const std::string& key, const Json& value) {
    Json config = llama_config();
    config[key] = value;
    write(config, llama_weights());
  };
  with("model_type", "gpt2");
  EXPECT_ERROR(LlamaEncoder(folder_, at::kFloat), where + ": model_type 'gpt2' is no Llama");
  with("rope_scaling", {{"rope_type", "yarn"}});
  EXPECT_ERROR(LlamaEncoder(folder_, at::kFloat),
               where + ": rope_scaling: rope_type 'yarn' is not known (known: default, llama3)");
  with("num_key_value_heads", 3);
  EXPECT_ERROR(LlamaEncoder(folder_, at::kFloat),
               where + ": 2 query heads of 4 numbers over 3 key heads do not go together");
  with("hidden_size", "wide");
  EXPECT_ERROR(LlamaEncoder(folder_, at::kFloat),
               where + ": 'hidden_size' is \"wide\"; expected a whole number from 1 to 16777216");
  with("rope_theta", 0.5);
  EXPECT_ERROR(LlamaEncoder(folder_, at::kFloat), where + ": rope_theta is 0.5; expected more than 1");
  with("attention_bias", true);
  EXPECT_ERROR(LlamaEncoder(folder_, at::kFloat), where + ": a Llama with biases is not known");
  with("vocab_size", 12);
  EXPECT_ERROR(LlamaEncoder(folder_, at::kFloat)(at::zeros({1, 2}, at::kLong), at::ones({1, 2}, at::kBool)),
               (folder_ / "model.safetensors").string() +
                   ": tensor 'model.embed_tokens.weight' has shape [11, 8], but config.json asks for [12, 8]");
  Json config = llama_config();
  config.erase("hidden_size");
  write(config, llama_weights());
  EXPECT_ERROR(LlamaEncoder(folder_, at::kFloat), where + ": 'hidden_size' is missing");
  EXPECT_ERROR(LlamaEncoder("/no/such", at::kFloat),
               "/no/such: is no folder; a text encoder is a folder with config.json and safetensors");
}

TEST_F(Encoders, TokensOfAnotherTokenizer) {
  write(llama_config(), llama_weights());
  const LlamaEncoder llama(folder_, at::kFloat);
  EXPECT_ERROR(
      llama(at::full({1, 2}, 11, at::kLong), at::ones({1, 2}, at::kBool)),
      folder_.string() + ": token 11 is beyond the vocabulary of 11; does the tokenizer belong to this encoder?");
}

TEST_F(Encoders, MissingTensorsAreNamed) {
  tensor::NamedTensors weights = llama_weights();
  weights.pop_back();
  write(llama_config(), weights);
  const LlamaEncoder llama(folder_, at::kFloat);
  try {
    llama(at::zeros({1, 2}, at::kLong), at::ones({1, 2}, at::kBool));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("model.layers.1.mlp.down_proj.weight"), std::string::npos);
  }
}

TEST_F(Encoders, WrongClipAndT5) {
  const std::string where = (folder_ / "config.json").string();
  Json config = {{"num_hidden_layers", 1}, {"hidden_size", 4}, {"num_attention_heads", 2},
                 {"intermediate_size", 8}, {"vocab_size", 5},  {"hidden_act", "relu"}};
  const tensor::NamedTensors weights{{"text_model.embeddings.position_embedding.weight", at::zeros({3, 4})}};
  write(config, weights);
  EXPECT_ERROR(ClipText(folder_, at::kFloat), where + ": hidden_act 'relu' is not known (known: quick_gelu, gelu)");
  config["hidden_act"] = "gelu";
  write(config, weights);
  EXPECT_ERROR(ClipText(folder_, at::kFloat),
               folder_.string() + ": has no tensor 'text_projection.weight'; it must be a CLIPTextModelWithProjection");
  config["num_attention_heads"] = 3;
  write(config, weights);
  EXPECT_ERROR(ClipText(folder_, at::kFloat), where + ": hidden_size 4 is no multiple of num_attention_heads 3");
  const Json t5 = {{"num_layers", 1},
                   {"d_model", 4},
                   {"num_heads", 2},
                   {"d_kv", 2},
                   {"d_ff", 8},
                   {"vocab_size", 5},
                   {"feed_forward_proj", "relu"}};
  write(t5, weights);
  EXPECT_ERROR(T5Encoder(folder_, at::kFloat), where + ": feed_forward_proj 'relu' is not known (known: gated-gelu)");
}

/// A text that is too long loses its end, which is told.
TEST(Tokens, CutAndPadded) {
  const std::string json = R"({"added_tokens": [{"id": 3, "content": "<e>", "special": true}],
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "<e>": 3}, "merges": []},
    "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}},
      {"SpecialToken": {"id": "<e>", "type_id": 0}}], "pair": [], "special_tokens": {"<e>": {"id": "<e>",
      "ids": [3], "tokens": ["<e>"]}}}})";
  text::TokenizerConfig config;
  config.eos = "<e>";
  const text::Tokenizer tokenizer = text::build_tokenizer(json, config, "test");
  const Tokens tokens = tokenize(tokenizer, {"a", "abcab"}, 4);
  EXPECT_TRUE(at::equal(tokens.ids_BT, at::tensor(std::vector<std::int64_t>{0, 3, 3, 3, 0, 1, 2, 3}).view({2, 4})));
  EXPECT_TRUE(at::equal(tokens.mask_BT.sum(1), at::tensor(std::vector<std::int64_t>{2, 4})));
  EXPECT_EQ(tokens.lost, (std::vector<std::string>{"", "ab"}));
}

}  // namespace
}  // namespace filigree::encoders
