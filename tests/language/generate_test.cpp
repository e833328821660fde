#include "language/generate.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "small_models.h"
#include "support/expect_error.h"

namespace filigree::language {
namespace {

class Generate : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Families, Generate, testing::Values("pangu", "deepseek", "qwen"));

TEST_P(Generate, AllWaysOfDecodingAgree) {
  const Model model = test::small_model(GetParam());
  const std::vector<std::int64_t> prompt{3, 1, 4, 1, 5};
  GenerateOptions options{.max_new_tokens = 12};
  const std::vector<std::int64_t> ids = generate(model, {prompt}, options).ids[0];
  ASSERT_EQ(ids.size(), 12U);
  options.absorbed = false;
  EXPECT_EQ(generate(model, {prompt}, options).ids[0], ids);
  options.cache = false;
  EXPECT_EQ(generate(model, {prompt}, options).ids[0], ids);
  const std::vector<std::int64_t> other{2, 7};
  EXPECT_EQ(generate(model, {other, prompt}, {.max_new_tokens = 12}).ids[1], ids);
  if (!model.has_predictor()) return;
  const Generated fast = generate(model, {prompt}, {.max_new_tokens = 12, .speculative = true});
  EXPECT_EQ(fast.ids[0], ids);
  EXPECT_GE(fast.proposed, 6);
}

TEST(Sampling, SeedsRepeatAndRowsEnd) {
  const Model model = test::small_model("pangu");
  GenerateOptions options{.max_new_tokens = 20, .sampling = {.temperature = 1}, .seed = 5};
  const Generated first = generate(model, {{1, 2}}, options);
  EXPECT_EQ(generate(model, {{1, 2}}, options).ids, first.ids);
  options.seed = 6;
  EXPECT_NE(generate(model, {{1, 2}}, options).ids, first.ids);
  options.seed = 5;
  options.stop_ids = {first.ids[0][3]};
  const std::vector<std::int64_t> cut = generate(model, {{1, 2}}, options).ids[0];
  EXPECT_LE(cut.size(), 4U);
  EXPECT_EQ(cut.back(), first.ids[0][3]);
  std::int64_t seen = 0;
  options.on_token = [&](std::size_t, std::int64_t) { return ++seen < 2; };
  options.stop_ids = {};
  EXPECT_EQ(generate(model, {{1, 2}}, options).ids[0].size(), 2U);
}

/// How often each of the four tokens is drawn out of 400.
std::vector<int> frequencies(const Sampling& sampling, const std::vector<std::int64_t>& before = {0}) {
  const at::Tensor logits = at::tensor({2.0F, 1.0F, 0.0F, -1.0F}).unsqueeze(0);
  at::Generator generator = at::detail::createCPUGenerator(1);
  std::vector<int> counts(4);
  for (int i = 0; i < 400; ++i) ++counts[static_cast<std::size_t>(draw(logits, {before}, sampling, generator)[0])];
  return counts;
}

TEST(Draw, FollowsItsSettings) {
  // Probabilities 0.644, 0.237, 0.087, 0.032.
  const std::vector<int> free = frequencies({.temperature = 1});
  EXPECT_NEAR(free[0], 258, 40);
  EXPECT_GT(free[3], 0);
  EXPECT_EQ(frequencies({.temperature = 0})[0], 400);
  const std::vector<int> two = frequencies({.temperature = 1, .top_k = 2});
  EXPECT_EQ(two[2] + two[3], 0);
  EXPECT_GT(two[1], 60);
  const std::vector<int> nucleus = frequencies({.temperature = 1, .top_p = 0.7});
  EXPECT_EQ(nucleus[2] + nucleus[3], 0);
  EXPECT_GT(nucleus[1], 60);
  EXPECT_EQ(frequencies({.temperature = 1, .top_p = 0.6})[0], 400);
  // 2 / 4 = 0.5 makes token 0 less likely than token 1.
  const std::vector<int> punished = frequencies({.temperature = 1, .repetition_penalty = 4});
  EXPECT_LT(punished[0], punished[1]);
}

TEST(Generate, Errors) {
  const Model model = test::small_model("qwen");
  const GenerateOptions few{.max_new_tokens = 5};
  EXPECT_ERROR(generate(model, {}, few), "there is no prompt to continue");
  EXPECT_ERROR(generate(model, {{1}, {}}, few), "prompt 1 is empty; it needs one token at least");
  EXPECT_ERROR(generate(model, {{1, 50}}, few), "prompt 0, token 1: the id 50 is not within 0 … 49");
  EXPECT_ERROR(generate(model, {{1, 2}}, {.max_new_tokens = 63}),
               "prompt 0 has 2 tokens; with 63 new ones that is more than the model's 64 positions");
  EXPECT_ERROR(generate(model, {{1}}, {.max_new_tokens = 5, .speculative = true}),
               "small has no multi-token-prediction module, which speculative decoding needs");
  const Model pangu = test::small_model("pangu");
  EXPECT_ERROR(generate(pangu, {{1}, {2}}, {.max_new_tokens = 5, .speculative = true}),
               "speculative decoding takes one prompt at a time, and needs the cache");
}

}  // namespace
}  // namespace filigree::language
