#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "image/conditioning.h"

/// Texts as the transformer takes them, through the four encoders.
namespace filigree::image {

/// One text for all encoders, or one for each.
struct Prompt {
  std::string text;
  std::optional<std::string> clip_l = {}, clip_g = {}, t5 = {}, llama = {};
};

/// A published pipeline folder and that of Llama, which comes apart.
struct TextFolders {
  std::filesystem::path model, llama;
};

/// What must go together with the transformer.
struct TextSizes {
  std::int64_t t5 = 0, llama = 0, pooled = 0;  ///< channels; 0: not checked
  std::int64_t llama_layers = 0;               ///< at least so many
};

struct EncodeSettings {
  std::int64_t max_tokens = 128;  ///< of each text, for each encoder
  at::TensorOptions options = {};
  TextSizes sizes = {};
};

struct EncodedPrompts {
  Conditioning conditioning;          ///< as many texts as there were prompts
  std::vector<std::string> warnings;  ///< one for each text that was cut, with the words that were lost
};

/// Encodes all prompts with one encoder after the other; each passes through memory and goes. Error where a folder lacks
/// an encoder or a tokenizer, or where one does not fit the transformer. Where the work is cancelled the conditioning is
/// not complete.
EncodedPrompts encode_prompts(const TextFolders& folders, const std::vector<Prompt>& prompts,
                              const EncodeSettings& settings, ProgressSink* progress = nullptr);

/// Texts first to last of a conditioning.
Conditioning slice(const Conditioning& all, std::int64_t first, std::int64_t count);

/// Their texts one behind the other.
Conditioning join(const std::vector<Conditioning>& parts);

}  // namespace filigree::image
