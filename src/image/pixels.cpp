#include "image/pixels.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "base/error.h"

namespace filigree::image {
namespace {

/// (C, H, W) float32 in [0, 1].
at::Tensor planes(const Picture& picture) {
  const at::Tensor bytes = at::empty({picture.height, picture.width, picture.channels}, at::kByte);
  std::copy(picture.pixels.begin(), picture.pixels.end(), bytes.data_ptr<std::uint8_t>());
  return bytes.permute({2, 0, 1}).to(at::kFloat) / 255;
}

}  // namespace

at::Tensor to_tensor(const Picture& picture) {
  const at::Tensor all = planes(picture), colours = all.narrow(0, 0, 3);
  if (picture.channels == 3) return colours.contiguous().unsqueeze(0);
  const at::Tensor alpha = all.narrow(0, 3, 1);
  return (colours * alpha + (1 - alpha)).unsqueeze(0);
}

Picture to_picture(const at::Tensor& image) {
  const at::Tensor one = image.dim() == 4 ? image.squeeze(0) : image;
  FILIGREE_ASSERT(one.dim() == 3 && one.size(0) == 3);
  const at::Tensor bytes = (one.to(at::kCPU, at::kFloat) * 255).round().clamp(0, 255).to(at::kByte);
  const at::Tensor rows = bytes.permute({1, 2, 0}).contiguous();
  const auto* first = rows.data_ptr<std::uint8_t>();
  return {one.size(2), one.size(1), 3, {first, first + rows.numel()}};
}

at::Tensor to_mask(const Picture& picture) {
  const at::Tensor all = planes(picture);
  at::Tensor grey = all.narrow(0, 0, 3).mean(0, true);
  if (picture.channels == 4) grey = grey * all.narrow(0, 3, 1);
  return grey.unsqueeze(0);
}

at::Tensor resize(const at::Tensor& image_BCHW, std::int64_t height, std::int64_t width) {
  if (image_BCHW.size(2) == height && image_BCHW.size(3) == width) return image_BCHW;
  return at::_upsample_bicubic2d_aa(image_BCHW, {height, width}, false).clamp(0, 1);
}

at::Tensor resize_and_crop(const at::Tensor& image_BCHW, std::int64_t height, std::int64_t width) {
  const std::int64_t h = image_BCHW.size(2), w = image_BCHW.size(3);
  const double scale = std::min(static_cast<double>(h) / static_cast<double>(height),
                                static_cast<double>(w) / static_cast<double>(width));
  const auto part = [scale](std::int64_t size, std::int64_t most) {
    return std::clamp(std::llround(scale * static_cast<double>(size)), 1LL, static_cast<long long>(most));
  };
  const std::int64_t rows = part(height, h), columns = part(width, w);
  const at::Tensor middle =
      image_BCHW.narrow(2, (h - rows) / 2, rows).narrow(3, (w - columns) / 2, columns).contiguous();
  return resize(middle, height, width);
}

}  // namespace filigree::image
