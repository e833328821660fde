#include "nn/rotary_scaling.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace filigree::nn {
namespace {

RotaryScaling read(const char* json, std::int64_t positions = 4096) {
  return read_rotary_scaling(parse_json(json, "a.json"), positions, "a.json", "rope_scaling");
}

/// Relative; frequencies are float32.
constexpr double kTolerance = 2e-6;

template <class Formula>
void expect_frequencies(const RotaryScaling& scaling, std::int64_t size, double base, const Formula& formula) {
  const at::Tensor got = rotary_frequencies(size, base, scaling, at::kCPU);
  ASSERT_EQ(got.numel(), size / 2);
  for (std::int64_t i = 0; i < size / 2; ++i) {
    const double plain = std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(size));
    const double expected = formula(i, plain);
    EXPECT_NEAR(got[i].item<double>() / expected, 1, kTolerance) << "pair " << i;
  }
}

TEST(RotaryScaling, Default) {
  expect_frequencies(read(R"({"rope_type": "default", "rope_theta": 5})"), 16, 1e4,
                     [](std::int64_t, double plain) { return plain; });
}

TEST(RotaryScaling, Linear) {
  const RotaryScaling scaling = read(R"({"type": "linear", "factor": 4})");
  expect_frequencies(scaling, 16, 1e4, [](std::int64_t, double plain) { return plain / 4; });
  EXPECT_EQ(scaled_positions(scaling, 4096), 16384);
}

TEST(RotaryScaling, Llama3KeepsShortWavelengths) {
  const RotaryScaling scaling = read(R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
                                         "high_freq_factor": 4, "original_max_position_embeddings": 8192})");
  int kept = 0, stretched = 0, between = 0;
  expect_frequencies(scaling, 128, 5e5, [&](std::int64_t, double plain) {
    const double wavelength = 2 * std::numbers::pi / plain;
    if (wavelength < 8192.0 / 4) return ++kept, plain;
    if (wavelength > 8192.0 / 1) return ++stretched, plain / 8;
    const double smooth = (8192 / wavelength - 1) / (4.0 - 1);
    return ++between, (1 - smooth) * plain / 8 + smooth * plain;
  });
  EXPECT_GT(kept, 10);
  EXPECT_GT(stretched, 10);
  EXPECT_GT(between, 2);
  EXPECT_EQ(scaling.angle_factor, 1);
  EXPECT_EQ(scaled_positions(scaling, 131072), 131072);
}

/// The formulas of arXiv 2309.00071 §3.2, with the rounding of the authors' code.
struct Yarn {
  std::int64_t size;
  double base, original, fast, slow;

  double operator()(std::int64_t pair, double plain) const;
};

double Yarn::operator()(std::int64_t pair, double plain) const {
  const auto turning = [&](double turns) {
    return static_cast<double>(size) * std::log(original / (turns * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  const double low = std::max(0.0, std::floor(turning(fast)));
  double high = std::min(static_cast<double>(size) - 1, std::ceil(turning(slow)));
  if (high == low) high += 0.001;
  const double at = (static_cast<double>(pair) - low) / (high - low);
  const double ramp = at < 0 ? 0 : at > 1 ? 1 : at;
  return plain / 40 * ramp + plain * (1 - ramp);
}

TEST(RotaryScaling, YarnAsDeepSeekHasIt) {
  const RotaryScaling scaling = read(R"({"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0,
                                         "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096})",
                                     163840);
  expect_frequencies(scaling, 64, 1e4, Yarn{64, 1e4, 4096, 32, 1});
  EXPECT_DOUBLE_EQ(scaling.angle_factor, 1);
  EXPECT_NEAR(scaling.latent_factor, std::pow(0.1 * std::log(40.0) + 1, 2), 1e-12);
  EXPECT_EQ(scaled_positions(scaling, 163840), 163840);
}

TEST(RotaryScaling, YarnAsKimiHasIt) {
  const RotaryScaling scaling = read(R"({"type": "yarn", "factor": 40, "beta_fast": 1, "beta_slow": 1, "mscale": 1.0,
                                         "mscale_all_dim": 0.5, "original_max_position_embeddings": 4096})");
  expect_frequencies(scaling, 64, 5e4, Yarn{64, 5e4, 4096, 1, 1});
  EXPECT_NEAR(scaling.angle_factor, (0.1 * std::log(40.0) + 1) / (0.05 * std::log(40.0) + 1), 1e-12);
  EXPECT_NEAR(scaling.latent_factor, std::pow(0.05 * std::log(40.0) + 1, 2), 1e-12);
}

TEST(RotaryScaling, YarnWithAFactorAlone) {
  const RotaryScaling scaling = read(R"({"rope_type": "yarn", "factor": 40})", 32768);
  expect_frequencies(scaling, 128, 1e6, Yarn{128, 1e6, 32768, 32, 1});
  EXPECT_NEAR(scaling.angle_factor, 0.1 * std::log(40.0) + 1, 1e-12);
  EXPECT_EQ(scaling.latent_factor, 1);
  EXPECT_EQ(scaled_positions(scaling, 32768), 40 * 32768);
  const Angles angles = rotary_angles(at::full({1, 1}, 3, at::kLong), 128, 1e6, scaling);
  EXPECT_NEAR(angles.cos.flatten()[0].item<double>(), scaling.angle_factor * std::cos(3.0), 1e-6);
  EXPECT_NEAR(angles.sin.flatten()[0].item<double>(), scaling.angle_factor * std::sin(3.0), 1e-6);
  EXPECT_EQ(read(R"({"rope_type": "yarn", "factor": 4, "attention_factor": 1.25})").angle_factor, 1.25);
}

TEST(RotaryScaling, YarnWithoutRounding) {
  const RotaryScaling scaling = read(R"({"rope_type": "yarn", "factor": 40, "truncate": false,
                                         "original_max_position_embeddings": 4096})");
  expect_frequencies(scaling, 64, 1e4, [](std::int64_t i, double plain) {
    const double low = 64 * std::log(4096 / (32 * 2 * std::numbers::pi)) / (2 * std::log(1e4));
    const double high = 64 * std::log(4096 / (2 * std::numbers::pi)) / (2 * std::log(1e4));
    const double at = (static_cast<double>(i) - low) / (high - low);
    const double ramp = at < 0 ? 0 : at > 1 ? 1 : at;
    return plain / 40 * ramp + plain * (1 - ramp);
  });
}

TEST(RotaryScaling, Errors) {
  EXPECT_ERROR(read(R"("yarn")"), "a.json: rope_scaling must be an object, got the text 'yarn'");
  EXPECT_ERROR(read(R"({"factor": 2})"), "a.json: rope_scaling has no rope_type");
  EXPECT_ERROR(read(R"({"type": "dynamic", "factor": 2})"),
               "a.json: rope_scaling of type 'dynamic' cannot be run; linear, llama3 and yarn can");
  EXPECT_ERROR(read(R"({"type": "linear"})"), "a.json: key 'factor' is missing in rope_scaling");
  EXPECT_ERROR(read(R"({"type": "linear", "factor": 0.5})"), "a.json: rope_scaling.factor must be at least 1, got 0.5");
  EXPECT_ERROR(read(R"({"type": "linear", "factor": 2, "beta_fast": 2})"),
               "a.json: unknown key 'beta_fast' in rope_scaling");
  EXPECT_ERROR(read(R"({"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4,
                        "original_max_position_embeddings": 8192})"),
               "a.json: rope_scaling.high_freq_factor must be above low_freq_factor");
  EXPECT_ERROR(read(R"({"type": "yarn", "factor": 2, "beta_fast": 1, "beta_slow": 2})"),
               "a.json: rope_scaling.beta_fast must not be below beta_slow");
  EXPECT_ERROR(read(R"({"type": "yarn", "factor": 2})", 0),
               "a.json: rope_scaling has no original_max_position_embeddings");
}

}  // namespace
}  // namespace filigree::nn
