#include "image/prompts.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "base/cancel.h"
#include "base/error.h"
#include "encoders/clip.h"
#include "encoders/llama.h"
#include "encoders/t5.h"
#include "encoders/tokens.h"

namespace filigree::image {
namespace {

namespace fs = std::filesystem;

/// A folder inside the pipeline's. Error that says what it is for.
fs::path inside(const fs::path& model, const std::string& name, const std::string& what) {
  const fs::path folder = model / name;
  if (!fs::is_directory(folder)) fail("{}: has no folder {}, which holds {}", model.string(), name, what);
  return folder;
}

class Texts {
 public:
  Texts(const std::vector<Prompt>& prompts, std::int64_t max_tokens, std::vector<std::string>& warnings)
      : prompts_(prompts), max_tokens_(max_tokens), warnings_(warnings) {}

  /// The tokens for one encoder; notes what was cut.
  encoders::Tokens tokens(const fs::path& tokenizer, const std::string& encoder,
                          std::optional<std::string> Prompt::*own, std::int64_t most) const {
    std::vector<std::string> texts;
    for (const Prompt& prompt : prompts_) texts.push_back((prompt.*own).value_or(prompt.text));
    const std::int64_t length = std::min(max_tokens_, most);
    encoders::Tokens tokens = encoders::tokenize(text::load_tokenizer(tokenizer), texts, length);
    for (const std::string& lost : tokens.lost) {
      if (lost.empty()) continue;
      std::string warning =
          fmt::format("{} reads {} tokens of a prompt; it does not see the end: \"{}\"", encoder, length, lost);
      if (std::find(warnings_.begin(), warnings_.end(), warning) == warnings_.end()) warnings_.push_back(warning);
    }
    return tokens;
  }

 private:
  const std::vector<Prompt>& prompts_;
  std::int64_t max_tokens_;
  std::vector<std::string>& warnings_;
};

void check_size(const std::string& where, const std::string& what, std::int64_t has, std::int64_t wanted) {
  if (wanted > 0 && has != wanted) fail("{}: gives {} {}, but the transformer takes {}", where, has, what, wanted);
}

constexpr std::int64_t kAnyNumber = std::numeric_limits<std::int64_t>::max();

at::Tensor encode_clip(const TextFolders& folders, const Texts& texts, const EncodeSettings& settings) {
  constexpr std::int64_t kMostTokens = 218;  // of the published pipeline
  std::vector<at::Tensor> pooled;
  for (const auto& [number, name, own] :
       {std::tuple{"", "CLIP-L", &Prompt::clip_l}, {"_2", "CLIP-G", &Prompt::clip_g}}) {
    const encoders::ClipText clip(inside(folders.model, std::string("text_encoder") + number, name), settings.options);
    const fs::path tokenizer = inside(folders.model, std::string("tokenizer") + number, fmt::format("{}'s", name));
    pooled.push_back(clip(texts.tokens(tokenizer, name, own, std::min(clip.positions(), kMostTokens)).ids_BT));
  }
  const at::Tensor both = at::cat(pooled, -1);
  check_size(folders.model.string(), "pooled channels of CLIP-L and CLIP-G together", both.size(-1),
             settings.sizes.pooled);
  return both;
}

at::Tensor encode_t5(const TextFolders& folders, const Texts& texts, const EncodeSettings& settings) {
  const fs::path folder = inside(folders.model, "text_encoder_3", "T5");
  const encoders::T5Encoder t5(folder, settings.options);
  check_size(folder.string(), "channels", t5.hidden(), settings.sizes.t5);
  const encoders::Tokens tokens =
      texts.tokens(inside(folders.model, "tokenizer_3", "T5's"), "T5", &Prompt::t5, kAnyNumber);
  return t5(tokens.ids_BT, tokens.mask_BT).to(settings.options);
}

at::Tensor encode_llama(const TextFolders& folders, const Texts& texts, const EncodeSettings& settings) {
  const encoders::LlamaEncoder llama(folders.llama, settings.options);
  check_size(folders.llama.string(), "channels", llama.hidden(), settings.sizes.llama);
  if (llama.layers() < settings.sizes.llama_layers) {
    fail("{}: has {} layers, but the transformer takes the states of {}", folders.llama.string(), llama.layers(),
         settings.sizes.llama_layers);
  }
  const encoders::Tokens tokens = texts.tokens(folders.llama, "Llama", &Prompt::llama, kAnyNumber);
  return llama(tokens.ids_BT, tokens.mask_BT);
}

}  // namespace

EncodedPrompts encode_prompts(const TextFolders& folders, const std::vector<Prompt>& prompts,
                              const EncodeSettings& settings, ProgressSink* progress) {
  EncodedPrompts encoded;
  const Texts texts(prompts, settings.max_tokens, encoded.warnings);
  Progress bar(progress, 3, "text encoders");
  encoded.conditioning.pooled_BP = encode_clip(folders, texts, settings);
  bar.advance();
  encoded.conditioning.t5_BTC = encode_t5(folders, texts, settings);
  bar.advance();
  encoded.conditioning.llama_LBTC = encode_llama(folders, texts, settings);
  bar.advance();
  return encoded;
}

Conditioning slice(const Conditioning& all, std::int64_t first, std::int64_t count) {
  return {all.t5_BTC.narrow(0, first, count), all.llama_LBTC.narrow(1, first, count),
          all.pooled_BP.narrow(0, first, count)};
}

Conditioning join(const std::vector<Conditioning>& parts) {
  std::vector<at::Tensor> t5, llama, pooled;
  for (const Conditioning& part : parts) {
    t5.push_back(part.t5_BTC);
    llama.push_back(part.llama_LBTC);
    pooled.push_back(part.pooled_BP);
  }
  return {at::cat(t5, 0), at::cat(llama, 1), at::cat(pooled, 0)};
}

}  // namespace filigree::image
