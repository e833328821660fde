#pragma once

#include "encoders/folder.h"

namespace filigree::encoders {

/// CLIP's text tower with its projection (CLIPTextModelWithProjection of huggingface/transformers:
/// models/clip/modeling_clip.py): a causal transformer with a learned table of positions, read at the end token.
/// B texts, T tokens, D channels, P projected channels.
class ClipText {
 public:
  ClipText(const std::filesystem::path& folder, const at::TensorOptions& options);

  /// Rows of the position table: the most tokens of a text.
  std::int64_t positions() const { return positions_; }

  /// Channels of the result.
  std::int64_t projected() const { return projected_; }

  /// The projected state at each text's end token, (B, P). ids_BT are int64, T at most positions(). Which token is the
  /// end: the first whose id is the config's eos_token_id; where that is 2, as old configs have it, the highest id.
  at::Tensor operator()(const at::Tensor& ids_BT) const;

 private:
  at::Tensor layer(const at::Tensor& x_BTD, const std::string& prefix) const;
  at::Tensor normalize(const at::Tensor& x_BTD, const std::string& prefix) const;
  at::Tensor linear(const at::Tensor& x, const std::string& prefix, std::int64_t outputs) const;

  Folder folder_;
  std::int64_t layers_, hidden_, heads_, width_, vocabulary_, end_id_, positions_, projected_;
  double eps_;
  std::string activation_;
};

}  // namespace filigree::encoders
