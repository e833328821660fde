#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

/// What a picture was made with. It is written into the picture, and makes it again.
namespace filigree::spec {

/// Every field may be missing: a request names what it wants, and what is made names all.
struct Picture {
  std::optional<std::string> task;  ///< "generate" or "edit"
  std::optional<std::string> prompt, prompt_clip_l, prompt_clip_g, prompt_t5, prompt_llama;
  std::optional<std::string> negative, negative_clip_l, negative_clip_g, negative_t5, negative_llama;
  std::optional<std::int64_t> width, height;
  std::optional<std::int64_t> steps;
  std::optional<double> guidance;
  std::optional<std::string> variant, scheduler;
  std::optional<double> shift, second_shift;
  std::optional<std::int64_t> seed;
  std::optional<std::int64_t> max_tokens;
  std::optional<std::string> padding;
  std::optional<std::string> model, transformer, llama, dtype;
  std::vector<std::string> loras;  ///< "file" or "file:strength"
  std::optional<std::string> input, mask;
  std::optional<double> strength;
  std::optional<std::string> edit_transformer, target;
  std::optional<double> image_guidance;
  std::optional<bool> clip_norm;
  std::optional<double> refine;

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& v) {
    v.optional("task", self.task, "generate or edit");
    v.optional("prompt", self.prompt, "the text, or the instruction to edit");
    v.optional("prompt_clip_l", self.prompt_clip_l, "another text for CLIP-L");
    v.optional("prompt_clip_g", self.prompt_clip_g, "another text for CLIP-G");
    v.optional("prompt_t5", self.prompt_t5, "another text for T5");
    v.optional("prompt_llama", self.prompt_llama, "another text for Llama");
    v.optional("negative", self.negative, "what the picture should not be");
    v.optional("negative_clip_l", self.negative_clip_l, "another one for CLIP-L");
    v.optional("negative_clip_g", self.negative_clip_g, "another one for CLIP-G");
    v.optional("negative_t5", self.negative_t5, "another one for T5");
    v.optional("negative_llama", self.negative_llama, "another one for Llama");
    v.optional("width", self.width, "pixels", at_least(1));
    v.optional("height", self.height, "pixels", at_least(1));
    v.optional("steps", self.steps, "of the scheduler", at_least(1));
    v.optional("guidance", self.guidance, "weight of the text; 1 and below: none", non_negative);
    v.optional("variant", self.variant, "published settings: full, dev, fast");
    v.optional("scheduler", self.scheduler, "by name");
    v.optional("shift", self.shift, "of the schedule", positive);
    v.optional("second_shift", self.second_shift, "of flow-unipc's second pass", positive);
    v.optional("seed", self.seed, "of the noise", non_negative);
    v.optional("max_tokens", self.max_tokens, "of each text", at_least(1));
    v.optional("padding", self.padding, "of sizes that are not square: reference or none");
    v.optional("model", self.model, "pipeline folder");
    v.optional("transformer", self.transformer, "another transformer");
    v.optional("llama", self.llama, "folder of the fourth text encoder");
    v.optional("dtype", self.dtype, "numbers of the networks");
    v.optional("loras", self.loras, "file:strength");
    v.optional("input", self.input, "picture to begin with");
    v.optional("mask", self.mask, "white where it is painted anew");
    v.optional("strength", self.strength, "how much of the schedule an input goes through", positive_fraction);
    v.optional("edit_transformer", self.edit_transformer, "the editing model");
    v.optional("target", self.target, "description of the edited picture");
    v.optional("image_guidance", self.image_guidance, "weight of the input", non_negative);
    v.optional("clip_norm", self.clip_norm, "norm-clipped guidance");
    v.optional("refine", self.refine, "share of the steps that the base model finishes", fraction);
  }
  bool operator==(const Picture&) const = default;
};

/// `wanted`, and what it does not say from `base`.
Picture merge(const Picture& base, const Picture& wanted);

/// The settings as a PNG's texts: "parameters" as AUTOMATIC1111's web UI and those that follow it write them (prompt;
/// "Negative prompt: …"; "Steps: 50, Sampler: …, CFG scale: …, Seed: …, Size: 1024x1024, …"), and "filigree" as JSON with
/// all of it.
std::vector<std::pair<std::string, std::string>> picture_texts(const Picture& settings);

/// The first of the two, and read back. Words that have no counterpart here are left out.
std::string parameters_text(const Picture& settings);
Picture parse_parameters(const std::string& text);

/// Settings from a PNG's texts, the JSON before the other; nullopt where it has neither. `where` is named in messages.
std::optional<Picture> settings_from_texts(const std::vector<std::pair<std::string, std::string>>& texts,
                                           const std::string& where);

}  // namespace filigree::spec
