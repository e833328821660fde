#include "image/dit.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "base/cancel.h"
#include "base/error.h"
#include "spec/count.h"

namespace filigree::image {
namespace {

constexpr std::int64_t kTimeFeatures = 256;
constexpr double kLongestPeriod = 10000;  // of the time features
constexpr double kRotaryBase = 10000;
constexpr double kNormEps = 1e-6;
constexpr const char* kModulation = ".adaLN_modulation.1";

void check_config(const spec::Dit& c) {
  const std::size_t blocks = static_cast<std::size_t>(c.num_layers + c.num_single_layers);
  if (blocks == 0) fail("the transformer's config has no blocks: num_layers and num_single_layers are 0");
  if (c.caption_channels.size() != 2) {
    fail("the transformer's config has {} caption_channels, expected 2 (T5, Llama)", c.caption_channels.size());
  }
  if (c.llama_layers.size() != blocks) {
    fail("the transformer's config has {} llama_layers for {} blocks, expected one for each", c.llama_layers.size(),
         blocks);
  }
  std::int64_t turned = 0;
  for (const std::int64_t size : c.axes_dims_rope) turned += size;
  if (c.axes_dims_rope.size() != 3 || turned != c.attention_head_dim ||
      std::any_of(c.axes_dims_rope.begin(), c.axes_dims_rope.end(), [](std::int64_t n) { return n % 2 != 0; })) {
    fail("the transformer's axes_dims_rope must be three even numbers that add up to attention_head_dim = {}",
         c.attention_head_dim);
  }
  if (c.num_activated_experts > c.num_routed_experts) {
    fail("the transformer's config activates {} of {} experts", c.num_activated_experts, c.num_routed_experts);
  }
  if (c.max_resolution.size() != 2) fail("the transformer's max_resolution must be two numbers");
}

/// (B, C, H, W) to rows of patches; inside a patch the channel runs fastest.
at::Tensor patches(const at::Tensor& x_BCHW, std::int64_t p) {
  return x_BCHW.unflatten(2, {x_BCHW.size(2) / p, p})
      .unflatten(4, {x_BCHW.size(3) / p, p})
      .permute({0, 2, 4, 3, 5, 1})
      .flatten(3, 5)
      .flatten(1, 2);
}

at::Tensor from_patches(const at::Tensor& x_BIP, std::int64_t rows, std::int64_t columns, std::int64_t p) {
  return x_BIP.unflatten(1, {rows, columns})
      .unflatten(3, {p, p, x_BIP.size(2) / (p * p)})
      .permute({0, 5, 1, 3, 2, 4})
      .flatten(4, 5)
      .flatten(2, 3);
}

}  // namespace

at::Tensor Dit::Embedder::operator()(const at::Tensor& x) const { return second(at::silu(first(x))); }

void Dit::make(std::int64_t dual_blocks, std::int64_t single_blocks, const at::TensorOptions& tensors) {
  check_config(config_);
  const std::int64_t d = config_.hidden();
  const std::int64_t patch = config_.patch_size * config_.patch_size;
  max_seq = config_.max_resolution[0] * config_.max_resolution[1] / patch;
  time_ = {nn::Linear(kTimeFeatures, d, true, tensors), nn::Linear(d, d, true, tensors)};
  pooled_ = {nn::Linear(config_.text_emb_dim, d, true, tensors), nn::Linear(d, d, true, tensors)};
  patch_embed_ = nn::Linear(patch * config_.in_channels, d, true, tensors);
  for (std::int64_t i = 0; i < dual_blocks; ++i) dual_.emplace_back(config_, tensors);
  for (std::int64_t i = 0; i < single_blocks; ++i) single_.emplace_back(config_, tensors);
  final_ = nn::Linear(d, patch * config_.out_channels, true, tensors);
  final_modulation_ = nn::Linear(d, 2 * d, true, tensors);
  for (std::int64_t i = 0; i <= num_blocks(); ++i) {
    caption_.emplace_back(config_.caption_channels[i < num_blocks() ? 1 : 0], d, false, tensors);
  }
}

Dit::Dit(spec::Dit config, const at::TensorOptions& tensors) : config_(std::move(config)) {
  make(config_.num_layers, config_.num_single_layers, tensors);
}

Dit::Dit(spec::Dit config, std::shared_ptr<const tensor::WeightSource> weights, const at::TensorOptions& tensors)
    : config_(std::move(config)) {
  std::vector<tensor::WeightShape> expected;
  for (spec::TensorInfo& info : spec::dit_tensors(config_)) expected.push_back({info.name, info.shape});
  tensor::check_shapes(expected, *weights);
  make(std::min<std::int64_t>(config_.num_layers, 1), std::min<std::int64_t>(config_.num_single_layers, 1), tensors);
  weights_ = std::move(weights);
  nn::Parameters outer, dual, single;
  list_outer(outer);
  tensor::NamedTensors held;
  for (const nn::Parameter& parameter : outer) held.emplace_back(parameter.name, parameter.value());
  tensor::read_into(held, *weights_, true);
  if (!dual_.empty()) dual_[0].list(dual, "");
  if (!single_.empty()) single_[0].list(single, "");
  for (const auto& [parameters, slot] : {std::pair{&dual, &dual_slot_}, {&single, &single_slot_}}) {
    for (const nn::Parameter& parameter : *parameters) {
      if (!parameter.name.starts_with(kModulation)) slot->emplace_back(parameter.name, parameter.value());
    }
  }
}

void Dit::list_outer(nn::Parameters& out) {
  time_.first.list(out, "t_embedder.timestep_embedder.linear_1");
  time_.second.list(out, "t_embedder.timestep_embedder.linear_2");
  pooled_.first.list(out, "p_embedder.pooled_embedder.linear_1");
  pooled_.second.list(out, "p_embedder.pooled_embedder.linear_2");
  patch_embed_.list(out, "x_embedder.proj");
  final_.list(out, "final_layer.linear");
  final_modulation_.list(out, "final_layer.adaLN_modulation.1");
  for (std::size_t i = 0; i < caption_.size(); ++i) {
    caption_[i].list(out, fmt::format("caption_projection.{}.linear", i));
  }
}

void Dit::list(nn::Parameters& out) {
  list_outer(out);
  if (streamed()) return;
  for (std::size_t i = 0; i < dual_.size(); ++i) dual_[i].list(out, fmt::format("double_stream_blocks.{}.block", i));
  for (std::size_t i = 0; i < single_.size(); ++i) {
    single_[i].list(out, fmt::format("single_stream_blocks.{}.block", i));
  }
}

nn::Parameters Dit::parameters() {
  nn::Parameters out;
  list(out);
  return out;
}

std::string Dit::block_name(std::size_t block) const {
  const auto duals = static_cast<std::size_t>(config_.num_layers);
  return block < duals ? fmt::format("double_stream_blocks.{}.block", block)
                       : fmt::format("single_stream_blocks.{}.block", block - duals);
}

/// Reads the weights of a block into the slot of its kind, and tells the source which come next.
void Dit::bring(std::size_t block) const {
  const c10::NoGradGuard no_grad;
  const auto slot_of = [this](std::size_t b) -> const tensor::NamedTensors& {
    return b < static_cast<std::size_t>(config_.num_layers) ? dual_slot_ : single_slot_;
  };
  const std::size_t next = block + 1 < static_cast<std::size_t>(num_blocks()) ? block + 1 : 0;
  std::vector<std::string> soon;
  for (const auto& [name, slot] : slot_of(next)) soon.push_back(block_name(next) + name);
  weights_->announce(soon);
  for (const auto& [name, slot] : slot_of(block)) weights_->read(block_name(block) + name, slot);
}

const DualBlock& Dit::dual(std::size_t block) const {
  if (!streamed()) return dual_[block];
  bring(block);
  return dual_[0];
}

const SingleBlock& Dit::single(std::size_t block) const {
  if (!streamed()) return single_[block - static_cast<std::size_t>(config_.num_layers)];
  bring(block);
  return single_[0];
}

at::Tensor Dit::modulation(std::size_t block, const at::Tensor& x_SBD) const {
  if (streamed()) {
    const std::string name = block_name(block) + kModulation;
    return tensor::streamed_linear(x_SBD, *weights_, name + ".weight", name + ".bias");
  }
  const auto duals = static_cast<std::size_t>(config_.num_layers);
  return block < duals ? dual_[block].modulation(x_SBD) : single_[block - duals].modulation(x_SBD);
}

/// cos and sin of t · 10000^(-k/128), in the model's dtype.
at::Tensor Dit::time_features(const at::Tensor& timestep) const {
  const at::TensorOptions wide = at::TensorOptions().dtype(at::kFloat).device(device());
  const at::Tensor frequency = at::exp(at::arange(kTimeFeatures / 2, wide) * (-std::log(kLongestPeriod)) /
                                       static_cast<double>(kTimeFeatures / 2));
  const at::Tensor angle = timestep.to(wide).unsqueeze(-1) * frequency;
  return at::cat({angle.cos(), angle.sin()}, -1).to(dtype());
}

void Dit::check(const Conditioning& c) const {
  const auto wrong = [](const char* what, const at::Tensor& t, std::int64_t dims, std::int64_t width) {
    if (!t.defined()) fail("the conditioning has no {}", what);
    if (t.dim() != dims || t.size(-1) != width) {
      fail("{} have the shape {}, but this transformer expects {} axes with {} channels at the end", what,
           tensor::shape_text(t.sizes().vec()), dims, width);
    }
  };
  wrong("T5's features", c.t5_BTC, 3, config_.caption_channels[0]);
  wrong("Llama's features", c.llama_LBTC, 4, config_.caption_channels[1]);
  wrong("the pooled features of CLIP", c.pooled_BP, 2, config_.text_emb_dim);
  const std::int64_t last = *std::max_element(config_.llama_layers.begin(), config_.llama_layers.end());
  if (c.llama_LBTC.size(0) <= last) {
    fail("Llama gives the features of {} layers, but this transformer asks for those of layer {} (counted from 0)",
         c.llama_LBTC.size(0), last);
  }
  if (c.t5_BTC.size(0) != c.pooled_BP.size(0) || c.llama_LBTC.size(1) != c.pooled_BP.size(0)) {
    fail("the text features are of {} (T5), {} (Llama) and {} (CLIP) texts; expected equally many", c.t5_BTC.size(0),
         c.llama_LBTC.size(1), c.pooled_BP.size(0));
  }
}

Prepared Dit::prepare(const Conditioning& c, const at::Tensor& timestep) const {
  check(c);
  const at::TensorOptions tensors = at::TensorOptions().dtype(dtype()).device(device());
  const std::int64_t batch = c.pooled_BP.size(0);
  if (timestep.dim() < 1 || timestep.dim() > 2 || (timestep.dim() == 2 && timestep.size(1) != batch)) {
    fail("timesteps have the shape {}, expected (steps) or (steps, {})", tensor::shape_text(timestep.sizes().vec()),
         batch);
  }
  Prepared out;
  // 1. Texts: every block's Llama layer through the block's projection; T5 through the last one.
  for (std::size_t i = 0; i < config_.llama_layers.size(); ++i) {
    out.llama_BTD.push_back(caption_[i](c.llama_LBTC.select(0, config_.llama_layers[i]).to(tensors)));
  }
  out.text_BTD = at::cat({caption_.back()(c.t5_BTC.to(tensors)), out.llama_BTD.back()}, 1);
  // 2. One vector for each step and text, then what every block makes of it.
  const at::Tensor time_SBF = timestep.dim() == 2 ? time_features(timestep) : time_features(timestep).unsqueeze(1);
  const at::Tensor x_SBD = at::silu(time_(time_SBF) + pooled_(c.pooled_BP.to(tensors)).unsqueeze(0));
  for (std::size_t block = 0; block < static_cast<std::size_t>(num_blocks()); ++block) {
    if (options.cancel_within_step && cancelled()) return out;
    out.modulation_SBM.push_back(modulation(block, x_SBD));
  }
  out.final_SBM = final_modulation_(x_SBD);
  return out;
}

std::int64_t Dit::count_pads(std::int64_t rows, std::int64_t columns) const {
  if (options.padding == Padding::none || rows == columns) return 0;
  if (rows * columns > max_seq) {
    fail(
        "latents of {}x{} patches are {} image tokens, but this transformer pads sizes that are not square to {}; take "
        "a smaller or a square size, or no padding",
        rows, columns, rows * columns, max_seq);
  }
  return max_seq - rows * columns;
}

/// `pads`: image rows of padding, counted each.
BlockPass Dit::make_pass(std::int64_t rows, std::int64_t columns, std::int64_t pads, std::int64_t text_rows) const {
  const at::TensorOptions wide = at::TensorOptions().dtype(at::kDouble).device(device());
  const std::int64_t tokens = rows * columns;
  const std::int64_t pad_rows = options.padding == Padding::one_row ? std::min<std::int64_t>(pads, 1) : pads;
  const std::int64_t all = tokens + pad_rows + text_rows;
  BlockPass pass;
  pass.image_rows = tokens + pad_rows;
  // Axis 0 is not used; then rows and columns. Padding and text stand at 0.
  std::vector<at::Tensor> angles;
  for (std::size_t axis = 0; axis < config_.axes_dims_rope.size(); ++axis) {
    const std::int64_t size = config_.axes_dims_rope[axis];
    at::Tensor position = at::zeros({all}, wide);
    const at::Tensor token = at::arange(tokens, at::TensorOptions().dtype(at::kLong).device(device()));
    if (axis == 1) position.narrow(0, 0, tokens).copy_(at::floor_divide(token, columns));
    if (axis == 2) position.narrow(0, 0, tokens).copy_(token.remainder(columns));
    const at::Tensor frequency =
        at::pow(at::scalar_tensor(kRotaryBase, wide),
                at::arange(0, size, 2, wide) / -static_cast<double>(std::max<std::int64_t>(size, 1)));
    angles.push_back(position.unsqueeze(-1) * frequency);
  }
  const at::Tensor angle = at::cat(angles, -1).unsqueeze(0).unsqueeze(0);
  pass.angles = {angle.cos().to(at::kFloat), angle.sin().to(at::kFloat)};
  if (pads > 0) {
    pass.key_scale_S1 = at::ones({all, 1}, wide.dtype(at::kFloat));
    pass.key_scale_S1.narrow(0, tokens, pad_rows).zero_();
  }
  if (pads > pad_rows && options.repeat_pad_keys.value_or(device().is_cuda())) {
    pass.pad_row = tokens;
    pass.pads = pads;
  } else if (pads > pad_rows) {
    pass.key_bias_S = at::zeros({all}, wide.dtype(at::kFloat));
    pass.key_bias_S.narrow(0, tokens, 1).fill_(std::log(static_cast<double>(pads)));
  }
  return pass;
}

at::Tensor Dit::run_blocks(at::Tensor image_BID, const Prepared& prepared, std::int64_t step, BlockPass pass) const {
  const auto blocks = static_cast<std::size_t>(num_blocks()), duals = static_cast<std::size_t>(config_.num_layers);
  const std::int64_t image_rows = image_BID.size(1);
  DualBlock::Streams streams{std::move(image_BID), prepared.text_BTD};
  at::Tensor x_BRD;
  for (std::size_t i = 0; i < blocks; ++i) {
    if (options.cancel_within_step && cancelled()) return {};
    pass.skip_own = options.skip_discarded;
    pass.skip_text = options.skip_discarded && i + 1 == blocks;
    const at::Tensor modulation_BM = prepared.modulation_SBM[i].select(0, step);
    if (i < duals) {
      streams = dual(i)(streams, prepared.llama_BTD[i], modulation_BM, pass);
      continue;
    }
    if (!x_BRD.defined()) x_BRD = at::cat({streams.image_BID, streams.text_BTD}, 1);
    x_BRD = single(i)(x_BRD, prepared.llama_BTD[i], modulation_BM, pass);
  }
  return x_BRD.defined() ? x_BRD.narrow(1, 0, image_rows) : streams.image_BID;
}

at::Tensor Dit::operator()(const at::Tensor& latents_BCHW, const Prepared& prepared, std::int64_t step) const {
  const std::int64_t p = config_.patch_size;
  if (latents_BCHW.dim() != 4 || latents_BCHW.size(1) != config_.in_channels || latents_BCHW.size(2) % p != 0 ||
      latents_BCHW.size(3) % p != 0 || latents_BCHW.numel() == 0) {
    fail("latents have the shape {}, expected (batch, {}, height, width) with height and width multiples of {}",
         tensor::shape_text(latents_BCHW.sizes().vec()), config_.in_channels, p);
  }
  if (latents_BCHW.size(0) != prepared.text_BTD.size(0)) {
    fail("latents are of {} pictures, but the texts of {}", latents_BCHW.size(0), prepared.text_BTD.size(0));
  }
  if (!prepared.final_SBM.defined()) return {};  // cancelled while it was prepared
  FILIGREE_ASSERT(step >= 0 && step < prepared.final_SBM.size(0));
  const std::int64_t rows = latents_BCHW.size(2) / p, columns = latents_BCHW.size(3) / p;
  at::Tensor x = patches(latents_BCHW.to(at::TensorOptions().dtype(dtype()).device(device())), p);
  const std::int64_t pads = count_pads(rows, columns);
  const BlockPass pass = make_pass(rows, columns, pads, prepared.text_BTD.size(1) + prepared.llama_BTD.front().size(1));
  if (pads > 0) x = at::constant_pad_nd(x, {0, 0, 0, pass.image_rows - rows * columns});
  x = run_blocks(patch_embed_(x), prepared, step, pass);
  if (!x.defined()) return x;
  const std::vector<at::Tensor> m = prepared.final_SBM.select(0, step).unsqueeze(1).chunk(2, -1);
  const at::Tensor last = x.narrow(1, 0, rows * columns);
  const at::Tensor normed = at::layer_norm(last, {last.size(-1)}, {}, {}, kNormEps);
  return from_patches(final_(normed * (1 + m[1]) + m[0]), rows, columns, p);
}

at::Tensor Dit::operator()(const at::Tensor& latents_BCHW, const at::Tensor& timestep_B,
                           const Conditioning& conditioning) const {
  return (*this)(latents_BCHW, prepare(conditioning, timestep_B.expand({conditioning.pooled_BP.size(0)}).unsqueeze(0)),
                 0);
}

}  // namespace filigree::image
