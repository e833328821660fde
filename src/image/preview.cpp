#include "image/preview.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "image/pixels.h"

namespace filigree::image {

LatentPreview::LatentPreview(const Autoencoder& autoencoder) : reduction_(autoencoder.config().reduction()) {
  const c10::NoGradGuard no_grad;
  constexpr std::int64_t kPictures = 24, kCells = 8;
  const std::int64_t side = kCells * reduction_;
  // Colours that change slowly, some of them strong, and some hardly at all.
  const at::Tensor coarse = at::randn({kPictures, 3, 3, 3}, at::detail::createCPUGenerator(1));
  const at::Tensor contrast = at::linspace(0.1, 1.5, kPictures).reshape({-1, 1, 1, 1});
  const at::Tensor level = at::randn({kPictures, 3, 1, 1}, at::detail::createCPUGenerator(2)) * 0.5;
  const at::Tensor images = at::upsample_bicubic2d(coarse * contrast + level, {side, side}, true).clamp(-1, 1);
  const at::Tensor given = images.to(autoencoder.device(), autoencoder.dtype());
  const auto rows = [](const at::Tensor& x) { return x.to(at::kCPU, at::kDouble).permute({0, 2, 3, 1}).flatten(0, 2); };
  const at::Tensor latents_NC = rows(autoencoder.to_model(autoencoder.encode(given).mean_BCHW));
  const at::Tensor colours_N3 = rows(at::avg_pool2d(images, {reduction_, reduction_})) / 2 + 0.5;
  // Deviations from the means, with a little weight on small maps, so that there is always one answer.
  const at::Tensor mean_C = latents_NC.mean(0), mean_3 = colours_N3.mean(0);
  const at::Tensor x = latents_NC - mean_C, y = colours_N3 - mean_3;
  const at::Tensor square = at::matmul(x.t(), x);
  const at::Tensor ridge = 1e-6 * square.diagonal().mean() * at::eye(square.size(0), at::kDouble);
  const at::Tensor weight = at::linalg_solve(square + ridge, at::matmul(x.t(), y));
  weight_C3 = weight.to(at::kFloat);
  bias_3 = (mean_3 - at::matmul(mean_C, weight)).to(at::kFloat);
}

at::Tensor LatentPreview::colours(const at::Tensor& latents_BCHW) const {
  const at::Tensor latents = latents_BCHW.to(at::kCPU, at::kFloat).permute({0, 2, 3, 1});
  return (at::matmul(latents, weight_C3) + bias_3).clamp(0, 1).permute({0, 3, 1, 2});
}

Picture LatentPreview::operator()(const at::Tensor& latents_BCHW) const {
  const at::Tensor small = colours(latents_BCHW);
  const std::vector<at::Tensor> images = small.unbind(0);
  const at::Tensor row = at::cat(images, -1).unsqueeze(0).contiguous();
  return to_picture(resize(row, row.size(2) * reduction_, row.size(3) * reduction_));
}

}  // namespace filigree::image
