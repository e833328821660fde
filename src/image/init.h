#pragma once

#include <cstdint>
#include <filesystem>

#include "image/convert.h"

/// Folders with random weights, labelled as such: to try everything with no download.
namespace filigree::image {

/// A small pipeline: model_index.json, scheduler, tokenizers, CLIP-L, CLIP-G, T5, transformer and autoencoder as
/// published, beside them `llama` with Llama's tokenizer and `edit_transformer` for editing. Its pictures are noise of
/// 256x256.
void write_tiny_pipeline(const std::filesystem::path& folder, std::uint64_t seed);

/// A transformer of HiDream-I1's size: config.json and one safetensors file, tensor by tensor.
Converted write_random_transformer(const std::filesystem::path& folder, std::uint64_t seed,
                                   const ConvertOptions& options);

}  // namespace filigree::image
