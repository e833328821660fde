#include <chrono>
#include <iostream>
#include <map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "hidream_case.h"
#include "image/autoencoder.h"
#include "image/dit.h"
#include "tensor/device.h"

/// A small HiDream-I1 transformer as another implementation computed it, in float32. All sizes come from the case's files.
namespace filigree::image {
namespace {

constexpr double kOutputs = 1e-3;        // relative: float32 sums in another order
constexpr double kLoss = 1e-5;           // absolute
constexpr double kGradientNorms = 5e-3;  // relative
constexpr double kSameNumbers = 2e-5;    // relative, of two ways that differ by rounding only
// bfloat16: eight bits of mantissa through all blocks, and a router that may choose otherwise where two experts are near.
constexpr double kHalfPrecision = 0.1;

double relative(const at::Tensor& a, const at::Tensor& b) {
  return ((a.to(at::kDouble) - b.to(at::kDouble)).norm() / b.to(at::kDouble).norm()).item<double>();
}

class DitReference : public HidreamCase {
 protected:
  Dit load(const DitLoading& loading = {}) const { return load_dit((folder_ / "model/transformer").string(), loading); }

  /// Of the batch [negative, positive].
  Conditioning texts() const {
    return {at::cat({reference("embeds.negative_t5"), reference("embeds.t5")}, 0),
            at::cat({reference("embeds.negative_llama"), reference("embeds.llama")}, 1),
            at::cat({reference("embeds.negative_pooled"), reference("embeds.pooled")}, 0)};
  }

  at::Tensor run(const Dit& dit, const std::string& size) const {
    const c10::NoGradGuard no_grad;
    const at::Tensor out =
        dit(reference("transformer." + size + ".latents"), reference("transformer.timesteps"), texts());
    return out.cpu().to(at::kFloat);
  }
};

TEST_F(DitReference, OutputsSquareAndWide) {
  Dit dit = load();
  for (const char* size : {"square", "wide"}) {
    const at::Tensor expected = reference(std::string("transformer.") + size + ".output");
    const double error = relative(run(dit, size), expected);
    EXPECT_LE(error, kOutputs) << size;
    RecordProperty(size, std::to_string(error));
    dit.options.padding = Padding::all_rows;
    EXPECT_LE(relative(run(dit, size), expected), kOutputs) << size << ", all rows of padding";
    dit.options.padding = Padding::one_row;
  }
}

TEST_F(DitReference, WithoutPaddingTheWidePictureIsAnother) {
  Dit dit = load();
  dit.options.padding = Padding::none;
  EXPECT_LE(relative(run(dit, "square"), reference("transformer.square.output")), kOutputs);
  EXPECT_GT(relative(run(dit, "wide"), reference("transformer.wide.output")), kOutputs);
}

TEST_F(DitReference, SavingsOnAndOff) {
  Dit dit = load();
  for (const char* size : {"square", "wide"}) {
    dit.options.skip_discarded = true;
    const at::Tensor on = run(dit, size);
    dit.options.skip_discarded = false;
    EXPECT_LE(relative(run(dit, size), on), kSameNumbers) << size;
  }
}

TEST_F(DitReference, SavingsGiveTheSamePictureInLessTime) {
  const c10::NoGradGuard no_grad;
  Dit dit = load();
  const Autoencoder autoencoder = load_autoencoder((folder_ / "model/vae").string());
  const at::Tensor timesteps = reference("euler.timesteps"), sigmas = reference("euler.sigmas");
  const auto picture = [&](bool savings) {
    dit.options.skip_discarded = savings;
    Prepared prepared;
    if (savings) prepared = dit.prepare(texts(), timesteps);
    at::Tensor x = reference("transformer.square.latents");
    for (std::int64_t i = 0; i < timesteps.numel(); ++i) {
      const at::Tensor out = savings ? dit(x, prepared, i) : dit(x, timesteps[i].expand({x.size(0)}), texts());
      x = x - (sigmas[i + 1] - sigmas[i]) * out;
    }
    return autoencoder.decode(autoencoder.from_model(x));
  };
  picture(true);  // warm
  const auto begin = std::chrono::steady_clock::now();
  const at::Tensor on = picture(true);
  const auto middle = std::chrono::steady_clock::now();
  const at::Tensor off = picture(false);
  const auto end = std::chrono::steady_clock::now();
  EXPECT_LE((on - off).abs().max().item<double>(), 1e-3);
  const std::chrono::duration<double> with = middle - begin, without = end - middle;
  std::cout << "with the savings " << with.count() << " s, without " << without.count() << " s\n";
}

TEST_F(DitReference, PreparedStepsAreThoseComputedOneByOne) {
  const c10::NoGradGuard no_grad;
  const Dit dit = load();
  const at::Tensor latents = reference("transformer.square.latents"), steps = reference("euler.timesteps");
  const Prepared prepared = dit.prepare(texts(), steps);
  for (std::int64_t i = 0; i < steps.numel(); ++i) {
    const at::Tensor alone = dit(latents, steps[i].expand({latents.size(0)}), texts());
    EXPECT_LE(relative(dit(latents, prepared, i), alone), kSameNumbers) << "step " << i;
  }
}

TEST_F(DitReference, StreamedFromTheFile) {
  const Dit dit = load({.stream = true});
  EXPECT_TRUE(dit.streamed());
  for (const char* size : {"square", "wide"}) {
    EXPECT_LE(relative(run(dit, size), reference(std::string("transformer.") + size + ".output")), kOutputs) << size;
  }
}

TEST_F(DitReference, TrainingStep) {
  for (const bool skip : {true, false}) {
    Dit dit = load();
    dit.options.skip_discarded = skip;
    const nn::Parameters parameters = dit.parameters();
    nn::record_gradients(parameters);
    const at::Tensor x0 = reference("train.x0"), noise = reference("train.noise"), sigma = reference("train.sigma");
    const at::Tensor s = sigma.view({-1, 1, 1, 1});
    const at::Tensor out = dit((1 - s) * x0 + s * noise, 1000 * sigma, texts());
    const at::Tensor loss = (out - (x0 - noise)).square().mean();
    EXPECT_NEAR(loss.item<double>(), reference("train.loss").item<double>(), kLoss);
    loss.backward();
    const Json expected = load_json(folder_ / "train_grad_norms.json");
    std::map<std::string, double> norms;
    for (const nn::Parameter& parameter : parameters) {
      const at::Tensor gradient = parameter.gradient();
      if (gradient.defined()) norms[parameter.name] = gradient.norm().item<double>();
    }
    for (const auto& [name, norm] : expected.items()) {
      const double value = norms.contains(name) ? norms[name] : 0;  // none where it has no effect
      EXPECT_NEAR(value, norm.get<double>(), kGradientNorms * norm.get<double>()) << name;
    }
    for (const auto& [name, norm] : norms) EXPECT_TRUE(expected.contains(name) || norm == 0) << name;
  }
}

TEST_F(DitReference, OutputsOnAGpu) {
  if (!has_gpu()) GTEST_SKIP() << "no GPU here";
  for (const auto& [dtype, tolerance] : {std::pair{at::kFloat, kOutputs}, {at::kBFloat16, kHalfPrecision}}) {
    for (const bool stream : {false, true}) {
      const Dit dit = load({at::TensorOptions().device(at::kCUDA).dtype(dtype), stream});
      for (const char* size : {"square", "wide"}) {
        const double error = relative(run(dit, size), reference(std::string("transformer.") + size + ".output"));
        EXPECT_LE(error, tolerance) << size << " " << tensor::dtype_name(dtype);
        RecordProperty(std::string(size) + "_" + tensor::dtype_name(dtype), std::to_string(error));
      }
    }
  }
}

TEST_F(DitReference, OutputsInBfloat16) {
  const Dit dit = load({at::TensorOptions().dtype(at::kBFloat16)});
  for (const char* size : {"square", "wide"}) {
    const double error = relative(run(dit, size), reference(std::string("transformer.") + size + ".output"));
    EXPECT_LE(error, kHalfPrecision) << size;
    RecordProperty(size, std::to_string(error));
  }
}

}  // namespace
}  // namespace filigree::image
