#pragma once

#include <ATen/core/Tensor.h>

namespace filigree::image {

/// What the texts of a batch are to the transformer. B texts, T tokens (128 as published), C the encoder's channels,
/// L layers, P pooled channels. Rows of padding are part of it, as the reference has it.
struct Conditioning {
  at::Tensor t5_BTC;      ///< T5's last hidden state
  at::Tensor llama_LBTC;  ///< Llama's states after each of its layers, the last one behind its final norm
  at::Tensor pooled_BP;   ///< CLIP-L's and CLIP-G's projected pooled outputs, side by side
};

}  // namespace filigree::image
