#include "nn/attention.h"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace filigree::nn {
namespace {

spec::Attention latent_sizes(std::int64_t q_lora_rank) {
  return {.heads = 3,
          .kv_heads = 3,
          .head_dim = 10,
          .v_head_dim = 5,
          .q_lora_rank = q_lora_rank,
          .kv_lora_rank = 7,
          .rope_head_dim = 4};
}

spec::Attention grouped_sizes() {
  return {.heads = 4, .kv_heads = 2, .head_dim = 6, .v_head_dim = 6, .qkv_bias = true, .qk_norm = true};
}

std::unique_ptr<Attention> filled(const spec::Attention& sizes) {
  auto attention = make_attention(sizes, 12, {}, {});
  Parameters parameters;
  attention->list(parameters, "a");
  at::manual_seed(3);
  for (const Parameter& parameter : parameters) parameter.value().normal_(0, 0.5);
  return attention;
}

TEST(Attend, EqualsTheSumsWrittenOut) {
  at::manual_seed(1);
  const at::Tensor q = at::randn({2, 4, 3, 5}), k = at::randn({2, 2, 3, 5}), v = at::randn({2, 2, 3, 6});
  const at::Tensor y = attend(q, k, v, 0.3, {});
  for (std::int64_t head = 0; head < 4; ++head) {
    for (std::int64_t t = 0; t < 3; ++t) {
      at::Tensor sum = at::zeros({6});
      double total = 0;
      for (std::int64_t s = 0; s <= t; ++s) {
        const double weight = std::exp(0.3 * q[1][head][t].dot(k[1][head / 2][s]).item<double>());
        sum += weight * v[1][head / 2][s];
        total += weight;
      }
      EXPECT_TRUE(at::allclose(y[1][head][t], sum / total, 1e-4, 1e-5));
    }
  }
}

class Kinds : public testing::TestWithParam<int> {
 protected:
  static spec::Attention sizes() {
    return GetParam() == 0 ? latent_sizes(8) : GetParam() == 1 ? latent_sizes(0) : grouped_sizes();
  }
};
INSTANTIATE_TEST_SUITE_P(Attention, Kinds, testing::Range(0, 3));

TEST_P(Kinds, TokenByTokenWithACacheGivesTheSame) {
  const c10::NoGradGuard no_grad;
  const auto attention = filled(sizes());
  const at::Tensor x = at::randn({2, 6, 12});
  const auto angles = [&](std::int64_t from, std::int64_t count) {
    return rotary_angles(at::arange(from, from + count).unsqueeze(0), attention->rotary_size(), 10000);
  };
  const at::Tensor whole = (*attention)(x, {.angles = angles(0, 6)});
  for (const bool absorbed : {false, true}) {
    AttentionCache cache = attention->make_cache(2, 6, at::kFloat);
    AttentionContext context;
    context.cache = &cache;
    context.absorbed = absorbed;
    context.angles = angles(0, 3);
    std::vector<at::Tensor> parts{(*attention)(x.narrow(1, 0, 3), context)};
    for (std::int64_t t = 3; t < 6; ++t) {
      context.start = t;
      context.angles = angles(t, 1);
      parts.push_back((*attention)(x.narrow(1, t, 1), context));
    }
    EXPECT_TRUE(at::allclose(at::cat(parts, 1), whole, 1e-4, 1e-5)) << absorbed;
  }
}

TEST_P(Kinds, TheFutureIsNotSeen) {
  const c10::NoGradGuard no_grad;
  const auto attention = filled(sizes());
  const Angles angles = rotary_angles(at::arange(5).unsqueeze(0), attention->rotary_size(), 10000);
  at::Tensor x = at::randn({1, 5, 12});
  const at::Tensor before = (*attention)(x, {.angles = angles});
  x.select(1, 3).add_(1);
  const at::Tensor after = (*attention)(x, {.angles = angles});
  EXPECT_TRUE(at::equal(before.narrow(1, 0, 3), after.narrow(1, 0, 3)));
  EXPECT_FALSE(at::allclose(before.select(1, 4), after.select(1, 4)));
}

TEST(MakeAttention, RefusesWhatCannotBeRun) {
  spec::Attention sizes = grouped_sizes();
  sizes.window = 8;
  EXPECT_ERROR(make_attention(sizes, 12, {}, {}), "attention with a window or with sinks cannot be run, only planned");
}

}  // namespace
}  // namespace filigree::nn
