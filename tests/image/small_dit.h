#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "image/dit.h"

/// A transformer small enough for tests, with every kind of part.
namespace filigree::test {

inline spec::Dit small_dit_config() {
  spec::Dit config;
  config.in_channels = config.out_channels = 4;
  config.num_layers = 1;
  config.num_single_layers = 2;
  config.attention_head_dim = 8;
  config.num_attention_heads = 2;
  config.caption_channels = {6, 10};
  config.text_emb_dim = 12;
  config.num_routed_experts = 3;
  config.num_activated_experts = 2;
  config.axes_dims_rope = {4, 2, 2};
  config.max_resolution = {8, 8};
  config.llama_layers = {0, 1, 1};
  return config;
}

inline at::Tensor normal_numbers(at::IntArrayRef shape, std::uint64_t seed) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

inline image::Conditioning small_texts(std::int64_t batch) {
  return {normal_numbers({batch, 5, 6}, 31), normal_numbers({2, batch, 5, 10}, 32), normal_numbers({batch, 12}, 33)};
}

inline image::Dit small_dit() {
  image::Dit dit(small_dit_config());
  std::uint64_t seed = 0;
  for (const nn::Parameter& parameter : dit.parameters()) {
    parameter.value().copy_(normal_numbers(parameter.value().sizes(), ++seed) * 0.2);
  }
  return dit;
}

inline tensor::NamedTensors named_tensors(image::Dit& dit, const std::string& prefix = "") {
  tensor::NamedTensors tensors;
  for (const nn::Parameter& parameter : dit.parameters()) {
    tensors.emplace_back(prefix + parameter.name, parameter.value().contiguous());
  }
  return tensors;
}

/// For some latents, timesteps and texts.
inline at::Tensor small_output(const image::Dit& dit) {
  const c10::NoGradGuard no_grad;
  return dit(normal_numbers({1, 4, 8, 6}, 41), at::tensor({300.0}), small_texts(1)).to(at::kFloat);
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace filigree::test
