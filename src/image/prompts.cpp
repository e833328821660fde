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

/// The four encoders, opened and checked before any of them works.
class Encoders {
 public:
  Encoders(const TextFolders& folders, const EncodeSettings& settings)
      : folders_(folders),
        clip_l_(inside(folders.model, "text_encoder", "CLIP-L"), settings.options),
        clip_g_(inside(folders.model, "text_encoder_2", "CLIP-G"), settings.options),
        t5_(inside(folders.model, "text_encoder_3", "T5"), settings.options),
        llama_(folders.llama, settings.options) {
    const TextSizes& sizes = settings.sizes;
    check_size(folders.model.string(), "pooled channels of CLIP-L and CLIP-G together",
               clip_l_.projected() + clip_g_.projected(), sizes.pooled);
    check_size((folders.model / "text_encoder_3").string(), "channels", t5_.hidden(), sizes.t5);
    check_size(folders.llama.string(), "channels", llama_.hidden(), sizes.llama);
    if (llama_.layers() < sizes.llama_layers) {
      fail("{}: has {} layers, but the transformer takes the states of {}", folders.llama.string(), llama_.layers(),
           sizes.llama_layers);
    }
  }

  at::Tensor pooled(const Texts& texts) const {
    const at::Tensor l = clip(texts, clip_l_, "tokenizer", "CLIP-L", &Prompt::clip_l);
    const at::Tensor g = clip(texts, clip_g_, "tokenizer_2", "CLIP-G", &Prompt::clip_g);
    return l.defined() && g.defined() ? at::cat({l, g}, -1) : at::Tensor();
  }

  at::Tensor t5(const Texts& texts) const {
    const encoders::Tokens tokens =
        texts.tokens(inside(folders_.model, "tokenizer_3", "T5's"), "T5", &Prompt::t5, kAnyNumber);
    return t5_(tokens.ids_BT, tokens.mask_BT);
  }

  at::Tensor llama(const Texts& texts) const {
    const encoders::Tokens tokens = texts.tokens(folders_.llama, "Llama", &Prompt::llama, kAnyNumber);
    return llama_(tokens.ids_BT, tokens.mask_BT);
  }

 private:
  static constexpr std::int64_t kAnyNumber = std::numeric_limits<std::int64_t>::max();

  at::Tensor clip(const Texts& texts, const encoders::ClipText& model, const std::string& tokenizer,
                  const std::string& name, std::optional<std::string> Prompt::*own) const {
    constexpr std::int64_t kMostTokens = 218;  // of the published pipeline
    const std::int64_t most = std::min(model.positions(), kMostTokens);
    return model(texts.tokens(inside(folders_.model, tokenizer, name + "'s"), name, own, most).ids_BT);
  }

  TextFolders folders_;
  encoders::ClipText clip_l_, clip_g_;
  encoders::T5Encoder t5_;
  encoders::LlamaEncoder llama_;
};

}  // namespace

EncodedPrompts encode_prompts(const TextFolders& folders, const std::vector<Prompt>& prompts,
                              const EncodeSettings& settings, ProgressSink* progress) {
  EncodedPrompts encoded;
  const Texts texts(prompts, settings.max_tokens, encoded.warnings);
  const Encoders encoders(folders, settings);
  Progress bar(progress, 3, "text encoders");
  encoded.conditioning.pooled_BP = encoders.pooled(texts);
  bar.advance();
  if (cancelled()) return encoded;
  const at::Tensor t5 = encoders.t5(texts);
  if (cancelled()) return encoded;
  encoded.conditioning.t5_BTC = t5.to(settings.options);
  bar.advance();
  encoded.conditioning.llama_LBTC = encoders.llama(texts);
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
