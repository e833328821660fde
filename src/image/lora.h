#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tensor/weight_source.h"

/// Low-rank changes of weights (LoRA, arXiv 2106.09685), added while weights are read.
namespace filigree::image {

struct LoraFile {
  std::string path;
  double strength = 1;
};

/// The weights with the changes of all files added: W + strength · (alpha / rank) · B A, in float32; without an alpha the
/// factor is the strength alone. A file may also hold whole tensors of the model (as HiDream-E1-Full does): such a one
/// takes the weight's place, by as much as the strength says.
///
/// Known names for the weight "X": transformer.X, diffusion_model.X, model.diffusion_model.X or X itself, with
/// lora_A / lora_B or lora_down / lora_up; and lycoris_X, lora_transformer_X or lora_unet_X with X's dots as underscores.
/// What is for other parts of a pipeline (text encoders) is passed over.
///
/// Error where a file changes nothing of these weights, where half of a pair is missing, or where shapes do not fit.
std::shared_ptr<const tensor::WeightSource> with_loras(std::shared_ptr<const tensor::WeightSource> source,
                                                       const std::vector<LoraFile>& files);

}  // namespace filigree::image
