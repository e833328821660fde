#include <algorithm>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "hidream_case.h"
#include "image/autoencoder.h"
#include "tensor/device.h"

/// A small autoencoder of FLUX's kind as another implementation computed it, in float32.
namespace filigree::image {
namespace {

constexpr double kOutputs = 1e-4;  // absolute: float32 sums in another order
// bfloat16: eight bits of mantissa through some thirty convolutions; relative, in the mean.
constexpr double kHalfPrecision = 0.05;

double furthest(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

double relative(const at::Tensor& a, const at::Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

class AutoencoderReference : public HidreamCase {
 protected:
  Autoencoder load(const at::TensorOptions& options = {}) const {
    return load_autoencoder((folder_ / "model/vae").string(), options);
  }
};

TEST_F(AutoencoderReference, BothWays) {
  const c10::NoGradGuard no_grad;
  const Autoencoder autoencoder = load();
  const Moments moments = autoencoder.encode(reference("vae.image"));
  EXPECT_LE(furthest(moments.mean_BCHW, reference("vae.mean")), kOutputs);
  EXPECT_LE(furthest(moments.logvar_BCHW, reference("vae.logvar")), kOutputs);
  EXPECT_LE(furthest(autoencoder.decode(reference("vae.mean")), reference("vae.decoded")), kOutputs);
}

TEST_F(AutoencoderReference, TheLatentsOfThePipelineGiveItsPicture) {
  const c10::NoGradGuard no_grad;
  const Autoencoder autoencoder = load();
  const at::Tensor latents = reference("euler.latents");
  const at::Tensor image = autoencoder.decode(autoencoder.from_model(latents[latents.size(0) - 1]));
  EXPECT_LE(furthest((image / 2 + 0.5).clamp(0, 1), reference("euler.image")), kOutputs);
}

TEST_F(AutoencoderReference, TilesAreNearTheWhole) {
  const c10::NoGradGuard no_grad;
  const Autoencoder autoencoder = load();
  const at::Tensor image = reference("vae.image");
  const std::int64_t largest = std::max(image.size(2), image.size(3));
  EXPECT_TRUE(at::equal(autoencoder.decode(reference("vae.mean"), {.size = largest}),
                        autoencoder.decode(reference("vae.mean"))))
      << "one tile is the whole";
  const std::int64_t tile = largest / 2 / 8 * 8;
  const at::Tensor tiled = autoencoder.decode(reference("vae.mean"), {.size = tile});
  EXPECT_EQ(tiled.sizes(), image.sizes());
  // Norms see a part of the picture only, so this is no equality: it says that the tiles lie in their places.
  const at::Tensor whole = reference("vae.decoded");
  EXPECT_LT(relative(tiled, whole), 0.5 * relative(tiled.flip({3}), whole));
  EXPECT_LT(relative(tiled, whole), 0.5 * relative(tiled.flip({2}), whole));
}

TEST_F(AutoencoderReference, OnAGpu) {
  if (!has_gpu()) GTEST_SKIP() << "no GPU here";
  const c10::NoGradGuard no_grad;
  const at::Device gpu = tensor::parse_device("cuda");
  const Autoencoder exact = load(at::TensorOptions().device(gpu));
  EXPECT_LE(furthest(exact.encode(reference("vae.image")).mean_BCHW.cpu(), reference("vae.mean")), kOutputs);
  EXPECT_LE(furthest(exact.decode(reference("vae.mean")).cpu(), reference("vae.decoded")), kOutputs);
  const Autoencoder half = load(at::TensorOptions().device(gpu).dtype(at::kBFloat16));
  EXPECT_LE(relative(half.encode(reference("vae.image")).mean_BCHW.cpu().to(at::kFloat), reference("vae.mean")),
            kHalfPrecision);
  EXPECT_LE(relative(half.decode(reference("vae.mean")).cpu().to(at::kFloat), reference("vae.decoded")),
            kHalfPrecision);
}

}  // namespace
}  // namespace filigree::image
