#include "plan/rates.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "support/expect_error.h"

namespace filigree::plan {
namespace {

/// 100 TFLOP/s in 16 bits, 200 in 8, 1 TB/s, 64 units; nothing lost unless a test says so.
spec::Accelerator plain() {
  spec::Accelerator a;
  a.name = "test device";
  a.peak_tflops = {{"bf16", 100}, {"fp8", 200}};
  a.memory_gib = 80;
  a.memory_gb_s = 1000;
  a.memory_efficiency = 0.5;
  a.units = 64;
  a.kernel_us = 2;
  a.host_us = 6;
  const spec::MatrixCurve perfect{.max = 1, .k_fill = 0, .tile = 1, .memory = 1};
  a.matrix = {{"bf16", perfect}, {"fp8", perfect}};
  a.attention.forward = 0.5;
  a.attention.backward = 0.4;
  return a;
}

Rates rates_of(const spec::Accelerator& a, spec::Dtype dtype = spec::Dtype::bf16) {
  spec::Layout layout;
  layout.dtype = dtype;
  return resolve_rates(a, layout);
}

TEST(Rates, ResolveTheLayoutsDtypes) {
  const Rates wide = rates_of(plain()), narrow = rates_of(plain(), spec::Dtype::fp8);
  EXPECT_EQ(wide.matrix_peak, 100e12);
  EXPECT_EQ(wide.operand_bytes, 2);
  EXPECT_EQ(narrow.matrix_peak, 200e12);
  EXPECT_EQ(narrow.attention_peak, 100e12);  // attention stays in 16 bits
  EXPECT_EQ(narrow.operand_bytes, 1);
  EXPECT_EQ(wide_rates(narrow).matrix_peak, 100e12);
  EXPECT_EQ(wide_rates(narrow).operand_bytes, 2);
  EXPECT_DOUBLE_EQ(wide.elementwise, 0.5e12);
  spec::Layout graphs;
  graphs.graphs = true;
  EXPECT_EQ(resolve_rates(plain(), graphs).host, 0);
  EXPECT_DOUBLE_EQ(wide.host, 6e-6);
}

TEST(Rates, SayWhatADeviceCannotDo) {
  spec::Layout layout;
  layout.dtype = spec::Dtype::fp4;
  EXPECT_ERROR(resolve_rates(plain(), layout),
               "accelerator test device: has no peak for fp4; choose dtype among bf16, fp8");
  spec::Accelerator a = plain();
  a.matrix.erase("fp8");
  layout.dtype = spec::Dtype::fp8;
  EXPECT_ERROR(resolve_rates(a, layout),
               "accelerator test device: has no matrix curve for fp8; choose dtype among bf16");
}

TEST(Rates, LargeProductsRunAtThePeak) {
  const Rates rates = rates_of(plain());
  const double seconds = matrix_seconds(rates, {8192, 8192, 8192});
  EXPECT_NEAR(seconds - 2e-6, 2 * std::pow(8192.0, 3) / 100e12, 1e-12);
}

TEST(Rates, ThinProductsAreBoundByMemory) {
  const Rates rates = rates_of(plain());
  // One row: the weights are read once.
  const double seconds = matrix_seconds(rates, {8, 8192, 8192});
  const double bytes = 2 * (8 * 8192.0 + 8192.0 * 8192 + 8 * 8192.0);
  EXPECT_NEAR(seconds - 2e-6, bytes / 1e12, 1e-12);
}

TEST(Rates, TinyProductsTakeOneKernel) {
  const Rates rates = rates_of(plain());
  EXPECT_NEAR(matrix_seconds(rates, {8, 8, 8}), 2e-6, 1e-9);
  EXPECT_EQ(matrix_seconds(rates, {0, 8, 8}), 0);
  EXPECT_EQ(matrix_seconds(rates, {8, 8, 8, 0}), 0);
  EXPECT_NEAR(elementwise_seconds(rates, 0, 3), 6e-6, 1e-12);
  EXPECT_NEAR(elementwise_seconds(rates, 1e9, 1), 2e-6 + 1e9 / 0.5e12, 1e-12);
}

TEST(Rates, ShortInnerDimensionsPayForFillingTiles) {
  spec::Accelerator a = plain();
  a.matrix["bf16"].k_fill = 100;
  const Rates rates = rates_of(a);
  const auto efficiency = [&rates](double k) {
    return 2 * 16384.0 * 16384 * k / 100e12 / (matrix_seconds(rates, {16384, 16384, k}) - 2e-6);
  };
  EXPECT_NEAR(efficiency(512), 512.0 / 612, 1e-9);
  EXPECT_NEAR(efficiency(8192), 8192.0 / 8292, 1e-9);
  // In 8 bits the same bytes are twice as many elements.
  a.matrix["fp8"].k_fill = 100;
  const Rates narrow = rates_of(a, spec::Dtype::fp8);
  const double seconds = matrix_seconds(narrow, {16384, 16384, 4096}) - 2e-6;
  EXPECT_NEAR(2 * 16384.0 * 16384 * 4096 / 200e12 / seconds, 4096.0 / 4296, 1e-9);
}

TEST(Rates, FewOutputsLeaveUnitsIdle) {
  spec::Accelerator a = plain();
  a.matrix["bf16"].tile = 128;
  const Rates rates = rates_of(a);
  // 64 units want 64 · 128² outputs; 1024 × 512 are half of that.
  const double half = matrix_seconds(rates, {1024, 512, 65536}) - 2e-6;
  const double full = matrix_seconds(rates, {1024, 1024, 65536}) - 2e-6;
  EXPECT_NEAR(half, full, 1e-9);
}

TEST(Rates, GroupsShareAKernelAndRoundUpRows) {
  spec::Accelerator a = plain();
  a.grouped["bf16"] = {.max = 0.5, .k_fill = 0, .tile = 1, .row_tile = 128, .memory = 1};
  const Rates rates = rates_of(a);
  const double rounded = matrix_seconds(rates, {100, 4096, 4096, 16}) - 2e-6;
  EXPECT_NEAR(rounded, 2 * 16 * 128 * 4096.0 * 4096 / 50e12, 1e-12);
  EXPECT_NEAR(matrix_seconds(rates, {128, 4096, 4096, 16}) - 2e-6, rounded, 1e-12);
  // One group is a plain product.
  EXPECT_NEAR(matrix_seconds(rates, {4096, 4096, 4096, 1}) - 2e-6, 2 * std::pow(4096.0, 3) / 100e12, 1e-12);
}

TEST(Rates, WeightGradientsHaveAShareOfTheirOwn) {
  spec::Accelerator a = plain();
  a.matrix["bf16"].max = 0.8;
  a.matrix["bf16"].weight = 0.5;
  const Rates rates = rates_of(a);
  const double forward = matrix_seconds(rates, {8192, 8192, 8192}) - 2e-6;
  const double weight = matrix_seconds(rates, {8192, 8192, 8192, 1, true}) - 2e-6;
  EXPECT_NEAR(weight / forward, 2, 1e-9);
  a.matrix["bf16"].weight = 2;  // never above the peak
  EXPECT_NEAR(matrix_seconds(rates_of(a), {8192, 8192, 8192, 1, true}) - 2e-6, 2 * std::pow(8192.0, 3) / 100e12, 1e-12);
}

TEST(Rates, NothingBeatsTheRoofline) {
  spec::Accelerator a = plain();
  a.matrix["bf16"] = {.max = 0.75, .k_fill = 95, .tile = 64, .memory = 0.75};
  a.grouped["bf16"] = {.max = 0.7, .k_fill = 150, .tile = 64, .row_tile = 128, .memory = 0.75};
  const Rates rates = rates_of(a);
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto size = [&random] { return std::floor(std::exp2(random.uniform(0, 15))); };
    MatrixShape shape{size(), size(), size(), std::floor(std::exp2(random.uniform(0, 6)))};
    shape.weight = random.uniform() < 0.5;
    const double seconds = matrix_seconds(rates, shape);
    const double flops = 2 * shape.groups * shape.m * shape.n * shape.k;
    const double bytes = shape.groups * 2 * (shape.m * shape.k + shape.k * shape.n + shape.m * shape.n);
    EXPECT_GE(seconds, 2e-6 + std::max(flops / 100e12, bytes / 1e12) * (1 - 1e-12));
  }
}

TEST(Rates, TimesGrowWithEverySize) {
  spec::Accelerator a = plain();
  a.matrix["bf16"] = {.max = 0.75, .k_fill = 95, .tile = 64, .memory = 0.75};
  const Rates rates = rates_of(a);
  for (double size = 64; size < 32768; size *= 2) {
    const double at = matrix_seconds(rates, {size, 1024, 1024});
    EXPECT_LE(at, matrix_seconds(rates, {2 * size, 1024, 1024}));
    EXPECT_LE(matrix_seconds(rates, {1024, size, 1024}), matrix_seconds(rates, {1024, 2 * size, 1024}));
    EXPECT_LE(matrix_seconds(rates, {1024, 1024, size}), matrix_seconds(rates, {1024, 1024, 2 * size}));
  }
}

TEST(Rates, AttentionCountsItsOperations) {
  const Rates rates = rates_of(plain());
  const AttentionShape causal{64, 4096, 4096, 128, 128, 0.5}, full{64, 4096, 4096, 128, 128, 1.0};
  const double pairs = 64 * 4096.0 * 4096;
  // Scores and weighted values: 4 · pairs · head size; causal half; at 0.5 of the peak.
  EXPECT_NEAR(attention_forward_seconds(rates, full) - 2e-6, 4 * pairs * 128 / 50e12, 1e-12);
  EXPECT_NEAR(attention_forward_seconds(rates, causal) - 2e-6, 2 * pairs * 128 / 50e12, 1e-12);
  // Five products backward: scores again, dP, dV, dQ, dK.
  EXPECT_NEAR(attention_backward_seconds(rates, full) - 2e-6, 10 * pairs * 128 / 40e12, 1e-12);
  // Latent attention: 192 for queries and keys, 128 for values.
  const AttentionShape latent{64, 4096, 4096, 192, 128, 1.0};
  EXPECT_NEAR(attention_forward_seconds(rates, latent) - 2e-6, 2 * pairs * 320 / 50e12, 1e-12);
  EXPECT_NEAR(attention_backward_seconds(rates, latent) - 2e-6, 2 * pairs * (3 * 192 + 2 * 128) / 40e12, 1e-12);
}

TEST(Rates, AttentionOfShortSequencesIsLessEfficient) {
  spec::Accelerator a = plain();
  a.attention.forward_fill = 400;
  a.attention.causal_tail = 0.6;
  const Rates rates = rates_of(a);
  double before = 0;
  for (double keys = 512; keys <= 65536; keys *= 2) {
    // The same number of pairs at every length.
    const AttentionShape shape{std::pow(65536 / keys, 2), keys, keys, 128, 128, 0.5};
    const double rate = 2 * shape.batch * keys * keys * 0.5 * 256 / attention_forward_seconds(rates, shape);
    EXPECT_LT(rate, 50e12);
    if (keys < 32768) {
      EXPECT_GT(rate, before) << keys;  // beyond, one sequence's last tiles weigh in
    }
    before = rate;
  }
  EXPECT_EQ(attention_forward_seconds(rates, {0, 4096, 4096, 128, 128, 0.5}), 0);
}

}  // namespace
}  // namespace filigree::plan
