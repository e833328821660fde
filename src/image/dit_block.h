#pragma once

#include <string>

#include "moe/layer.h"
#include "nn/linear.h"
#include "nn/rotary.h"
#include "spec/dit.h"

/// The two kinds of blocks (huggingface/diffusers: models/transformers/transformer_hidream_image.py,
/// HiDreamImageTransformerBlock and HiDreamImageSingleTransformerBlock).
///
/// B batch, I image rows, T persistent text rows, L rows of Llama features of this block alone, S = I + T + L,
/// D hidden, M numbers of a modulation. Rows stand in the order [image, persistent, own].
namespace filigree::image {

/// What all blocks of a forward pass share.
struct BlockPass {
  nn::Angles angles;         ///< (1, 1, S, head size / 2); text rows do not turn
  at::Tensor key_scale_S1;   ///< 0 at padding; undefined: no padding
  at::Tensor key_bias_S;     ///< log of how often a row counts; undefined: all once
  std::int64_t pad_row = 0;  ///< the row that counts as `pads` ones, 0: none; its keys are repeated instead of a bias
  std::int64_t pads = 0;
  std::int64_t image_rows = 0;
  bool skip_own = true;   ///< the own text rows give keys and values only
  bool skip_text = true;  ///< so do the persistent ones (true in the last block)
};

/// softmax(q k^T / sqrt(head size) + bias) v, every query with every key. (B, H, rows, head size), bias over the keys.
/// The plain one materialises the scores, piece by piece where no gradients are recorded; the other uses LibTorch's fused
/// attention where there is one.
at::Tensor attend_all(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias_S);
at::Tensor attend_all_plain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& bias_S);

/// Projections of one stream. Norms are over the whole of D, all heads together.
struct StreamProjections {
  nn::Linear q, k, v, out;
  nn::RmsNorm q_norm, k_norm;

  StreamProjections() = default;
  StreamProjections(std::int64_t hidden, const at::TensorOptions& options);
  void list(nn::Parameters& out, const std::string& prefix, const std::string& suffix);
};

/// Experts with the published names.
void list_experts(moe::Layer& experts, nn::Parameters& out, const std::string& prefix);

/// Image and text with weights of their own, joint in the attention; experts for the image, a dense feed-forward for text.
struct DualBlock {
  std::int64_t head_size = 0;
  nn::Linear modulation;  ///< 12 D
  StreamProjections image, text;
  moe::Layer experts;
  nn::SwiGlu feed_forward;

  DualBlock(const spec::Dit& config, const at::TensorOptions& options);

  struct Streams {
    at::Tensor image_BID;
    at::Tensor text_BTD;  ///< undefined where it was skipped
  };
  Streams operator()(const Streams& x, const at::Tensor& own_BLD, const at::Tensor& modulation_BM,
                     const BlockPass& pass) const;
  void list(nn::Parameters& out, const std::string& prefix);
};

/// All rows alike.
struct SingleBlock {
  std::int64_t head_size = 0;
  nn::Linear modulation;  ///< 6 D
  StreamProjections rows;
  moe::Layer experts;

  SingleBlock(const spec::Dit& config, const at::TensorOptions& options);

  /// x: image and persistent rows. The result has the image rows only where text was skipped.
  at::Tensor operator()(const at::Tensor& x_BRD, const at::Tensor& own_BLD, const at::Tensor& modulation_BM,
                        const BlockPass& pass) const;
  void list(nn::Parameters& out, const std::string& prefix);
};

}  // namespace filigree::image
