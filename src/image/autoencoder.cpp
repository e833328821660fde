#include "image/autoencoder.h"

#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>

#include <ATen/ATen.h>

#include "base/error.h"
#include "image/dit_block.h"
#include "image/tiles.h"
#include "nn/linear.h"
#include "tensor/weight_source.h"

namespace filigree::image {
namespace {

constexpr double kNormEps = 1e-6;

struct Convolution {
  at::Tensor weight_OIHW, bias_O;

  Convolution() = default;
  Convolution(std::int64_t in, std::int64_t out, std::int64_t size, const at::TensorOptions& options)
      : weight_OIHW(at::zeros({out, in, size, size}, options)), bias_O(at::zeros({out}, options)) {}

  at::Tensor operator()(const at::Tensor& x, std::int64_t stride = 1, bool padded = true) const {
    const std::int64_t pad = padded ? weight_OIHW.size(-1) / 2 : 0;
    return at::conv2d(x, weight_OIHW, bias_O, {stride, stride}, {pad, pad});
  }
  void list(nn::Parameters& out, const std::string& prefix) {
    nn::list_tensor(out, prefix + ".weight", weight_OIHW);
    nn::list_tensor(out, prefix + ".bias", bias_O);
  }
};

struct GroupNorm {
  std::int64_t groups = 1;
  at::Tensor weight_C, bias_C;

  GroupNorm() = default;
  GroupNorm(std::int64_t groups_given, std::int64_t channels, const at::TensorOptions& options)
      : groups(groups_given), weight_C(at::ones({channels}, options)), bias_C(at::zeros({channels}, options)) {}

  at::Tensor operator()(const at::Tensor& x) const { return at::group_norm(x, groups, weight_C, bias_C, kNormEps); }
  void list(nn::Parameters& out, const std::string& prefix) {
    nn::list_tensor(out, prefix + ".weight", weight_C);
    nn::list_tensor(out, prefix + ".bias", bias_C);
  }
};

struct Residual {
  GroupNorm norm1, norm2;
  Convolution conv1, conv2;
  std::optional<Convolution> shortcut;

  Residual(std::int64_t in, std::int64_t out, std::int64_t groups, const at::TensorOptions& options)
      : norm1(groups, in, options),
        norm2(groups, out, options),
        conv1(in, out, 3, options),
        conv2(out, out, 3, options) {
    if (in != out) shortcut.emplace(in, out, 1, options);
  }

  at::Tensor operator()(const at::Tensor& x) const {
    const at::Tensor y = conv2(at::silu(norm2(conv1(at::silu(norm1(x))))));
    return (shortcut ? (*shortcut)(x) : x) + y;
  }
  void list(nn::Parameters& out, const std::string& prefix) {
    norm1.list(out, prefix + ".norm1");
    conv1.list(out, prefix + ".conv1");
    norm2.list(out, prefix + ".norm2");
    conv2.list(out, prefix + ".conv2");
    if (shortcut) shortcut->list(out, prefix + ".conv_shortcut");
  }
};

/// Every cell with every other, one head.
struct CellAttention {
  GroupNorm norm;
  nn::Linear q, k, v, out;

  CellAttention(std::int64_t channels, std::int64_t groups, const at::TensorOptions& options)
      : norm(groups, channels, options),
        q(channels, channels, true, options),
        k(channels, channels, true, options),
        v(channels, channels, true, options),
        out(channels, channels, true, options) {}

  at::Tensor operator()(const at::Tensor& x) const {
    const at::Tensor rows = norm(x).flatten(2).transpose(1, 2);
    const auto head = [](const at::Tensor& t) { return t.unsqueeze(1); };
    const at::Tensor a = attend_all(head(q(rows)), head(k(rows)), head(v(rows)), {}).squeeze(1);
    return x + out(a).transpose(1, 2).reshape_as(x);
  }
  void list(nn::Parameters& list, const std::string& prefix) {
    norm.list(list, prefix + ".group_norm");
    q.list(list, prefix + ".to_q");
    k.list(list, prefix + ".to_k");
    v.list(list, prefix + ".to_v");
    out.list(list, prefix + ".to_out.0");
  }
};

struct Middle {
  Residual first, second;
  std::optional<CellAttention> attention;

  Middle(const AutoencoderConfig& c, const at::TensorOptions& options)
      : first(c.block_out_channels.back(), c.block_out_channels.back(), c.norm_num_groups, options),
        second(c.block_out_channels.back(), c.block_out_channels.back(), c.norm_num_groups, options) {
    if (c.mid_block_add_attention) attention.emplace(c.block_out_channels.back(), c.norm_num_groups, options);
  }

  at::Tensor operator()(const at::Tensor& x) const {
    const at::Tensor y = first(x);
    return second(attention ? (*attention)(y) : y);
  }
  void list(nn::Parameters& out, const std::string& prefix) {
    if (attention) attention->list(out, prefix + ".attentions.0");
    first.list(out, prefix + ".resnets.0");
    second.list(out, prefix + ".resnets.1");
  }
};

/// Residual blocks of one resolution, and the step to the next.
struct Level {
  std::vector<Residual> blocks;
  std::optional<Convolution> resize;

  Level(std::int64_t count, std::int64_t in, std::int64_t out, std::int64_t groups, const at::TensorOptions& options) {
    for (std::int64_t i = 0; i < count; ++i) blocks.emplace_back(i == 0 ? in : out, out, groups, options);
  }

  at::Tensor operator()(at::Tensor x) const {
    for (const Residual& block : blocks) x = block(x);
    return x;
  }
  void list(nn::Parameters& out, const std::string& prefix, const char* resize_name) {
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i].list(out, fmt::format("{}.resnets.{}", prefix, i));
    if (resize) resize->list(out, prefix + resize_name);
  }
};

struct Encoder {
  Convolution in, out;
  std::vector<Level> levels;
  Middle middle;
  GroupNorm norm;

  Encoder(const AutoencoderConfig& c, const at::TensorOptions& options)
      : in(c.in_channels, c.block_out_channels.front(), 3, options),
        out(c.block_out_channels.back(), 2 * c.latent_channels, 3, options),
        middle(c, options),
        norm(c.norm_num_groups, c.block_out_channels.back(), options) {
    std::int64_t channels = c.block_out_channels.front();
    for (const std::int64_t next : c.block_out_channels) {
      levels.emplace_back(c.layers_per_block, channels, next, c.norm_num_groups, options);
      channels = next;
      if (levels.size() < c.block_out_channels.size()) levels.back().resize.emplace(channels, channels, 3, options);
    }
  }

  at::Tensor operator()(const at::Tensor& image) const {
    at::Tensor x = in(image);
    for (const Level& level : levels) {
      x = level(x);
      // Padded on the right and at the bottom only.
      if (level.resize) x = (*level.resize)(at::constant_pad_nd(x, {0, 1, 0, 1}), 2, false);
    }
    return out(at::silu(norm(middle(x))));
  }
  void list(nn::Parameters& list) {
    in.list(list, "encoder.conv_in");
    for (std::size_t i = 0; i < levels.size(); ++i) {
      levels[i].list(list, fmt::format("encoder.down_blocks.{}", i), ".downsamplers.0.conv");
    }
    middle.list(list, "encoder.mid_block");
    norm.list(list, "encoder.conv_norm_out");
    out.list(list, "encoder.conv_out");
  }
};

struct Decoder {
  Convolution in, out;
  std::vector<Level> levels;
  Middle middle;
  GroupNorm norm;

  Decoder(const AutoencoderConfig& c, const at::TensorOptions& options)
      : in(c.latent_channels, c.block_out_channels.back(), 3, options),
        out(c.block_out_channels.front(), c.out_channels, 3, options),
        middle(c, options),
        norm(c.norm_num_groups, c.block_out_channels.front(), options) {
    std::int64_t channels = c.block_out_channels.back();
    for (auto next = c.block_out_channels.rbegin(); next != c.block_out_channels.rend(); ++next) {
      levels.emplace_back(c.layers_per_block + 1, channels, *next, c.norm_num_groups, options);
      channels = *next;
      if (levels.size() < c.block_out_channels.size()) levels.back().resize.emplace(channels, channels, 3, options);
    }
  }

  at::Tensor operator()(const at::Tensor& latents) const {
    at::Tensor x = middle(in(latents));
    for (const Level& level : levels) {
      x = level(x);
      if (level.resize) x = (*level.resize)(at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}));
    }
    return out(at::silu(norm(x)));
  }
  void list(nn::Parameters& list) {
    in.list(list, "decoder.conv_in");
    for (std::size_t i = 0; i < levels.size(); ++i) {
      levels[i].list(list, fmt::format("decoder.up_blocks.{}", i), ".upsamplers.0.conv");
    }
    middle.list(list, "decoder.mid_block");
    norm.list(list, "decoder.conv_norm_out");
    out.list(list, "decoder.conv_out");
  }
};

}  // namespace

struct Autoencoder::Networks {
  Encoder encoder;
  Decoder decoder;
  std::optional<Convolution> quant, post_quant;

  Networks(const AutoencoderConfig& c, const at::TensorOptions& options) : encoder(c, options), decoder(c, options) {
    if (c.use_quant_conv) quant.emplace(2 * c.latent_channels, 2 * c.latent_channels, 1, options);
    if (c.use_post_quant_conv) post_quant.emplace(c.latent_channels, c.latent_channels, 1, options);
  }
};

Autoencoder::Autoencoder(AutoencoderConfig config, const at::TensorOptions& options)
    : config_(std::move(config)), networks_(std::make_unique<Networks>(config_, options)) {}
Autoencoder::Autoencoder(Autoencoder&&) noexcept = default;
Autoencoder& Autoencoder::operator=(Autoencoder&&) noexcept = default;
Autoencoder::~Autoencoder() = default;

at::ScalarType Autoencoder::dtype() const { return networks_->decoder.in.weight_OIHW.scalar_type(); }
at::Device Autoencoder::device() const { return networks_->decoder.in.weight_OIHW.device(); }

Moments Autoencoder::encode(const at::Tensor& image_BCHW, const Tiling& tiling) const {
  const std::int64_t r = config_.reduction();
  if (image_BCHW.dim() != 4 || image_BCHW.size(1) != config_.in_channels || image_BCHW.size(2) % r != 0 ||
      image_BCHW.size(3) % r != 0 || image_BCHW.numel() == 0) {
    fail(
        "the autoencoder is given a picture of shape {}, expected (batch, {}, height, width) with height and width "
        "multiples of {}",
        tensor::shape_text(image_BCHW.sizes().vec()), config_.in_channels, r);
  }
  const at::Tensor x = image_BCHW.to(at::TensorOptions().dtype(dtype()).device(device()));
  const auto network = [this](const at::Tensor& piece) {
    const at::Tensor moments = networks_->encoder(piece);
    return networks_->quant ? (*networks_->quant)(moments) : moments;
  };
  const at::Tensor moments = in_tiles(x, tile_grid(tiling, r, r), 1, r, network);
  return {moments.narrow(1, 0, config_.latent_channels),
          moments.narrow(1, config_.latent_channels, config_.latent_channels).clamp(-30, 20)};
}

at::Tensor Autoencoder::decode(const at::Tensor& latents_BCHW, const Tiling& tiling) const {
  if (latents_BCHW.dim() != 4 || latents_BCHW.size(1) != config_.latent_channels || latents_BCHW.numel() == 0) {
    fail("the autoencoder is given latents of shape {}, expected (batch, {}, height, width)",
         tensor::shape_text(latents_BCHW.sizes().vec()), config_.latent_channels);
  }
  const std::int64_t r = config_.reduction();
  const at::Tensor x = latents_BCHW.to(at::TensorOptions().dtype(dtype()).device(device()));
  const auto network = [this](const at::Tensor& piece) {
    return networks_->decoder(networks_->post_quant ? (*networks_->post_quant)(piece) : piece);
  };
  return in_tiles(x, tile_grid(tiling, r, 1), r, 1, network);
}

at::Tensor Autoencoder::to_model(const at::Tensor& latents) const {
  return (latents - config_.shift_factor) * config_.scaling_factor;
}

at::Tensor Autoencoder::from_model(const at::Tensor& latents) const {
  return latents / config_.scaling_factor + config_.shift_factor;
}

nn::Parameters Autoencoder::parameters() {
  nn::Parameters out;
  networks_->encoder.list(out);
  networks_->decoder.list(out);
  if (networks_->quant) networks_->quant->list(out, "quant_conv");
  if (networks_->post_quant) networks_->post_quant->list(out, "post_quant_conv");
  return out;
}

}  // namespace filigree::image
